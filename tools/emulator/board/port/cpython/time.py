"""The chip's `time`: whole seconds since 2000, no time zone, ticks that count from power-on and wrap."""

import calendar
import select
import time as host

from _chip import EPOCH, settings

_PERIOD = 1 << 30
_begin = settings.get(
    "ticks", 0
)  # the host's microseconds at power-on; in a device test ticks are the host's


def time():
    return int(host.time()) - EPOCH


def time_ns():
    return host.time_ns() - EPOCH * 1000000000


def gmtime(seconds=None):
    fields = host.gmtime((time() if seconds is None else int(seconds)) + EPOCH)
    return tuple(fields[:8])


localtime = gmtime


def mktime(fields):
    return calendar.timegm(tuple(fields[:6])) - EPOCH


def sleep_ms(ms):
    # not time.sleep(), which libfaketime breaks
    select.poll().poll(max(ms, 0))


def sleep(seconds):
    sleep_ms(seconds * 1000)


def sleep_us(us):
    sleep_ms(us / 1000)


def ticks_us():
    return (host.monotonic_ns() // 1000 - _begin) % _PERIOD


ticks_cpu = ticks_us


def ticks_ms():
    return (host.monotonic_ns() // 1000 - _begin) // 1000 % _PERIOD


def ticks_add(ticks, step):
    if not -_PERIOD // 2 < step < _PERIOD // 2:
        raise OverflowError("ticks interval overflow")
    return (ticks + step) % _PERIOD


def ticks_diff(end, start):
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2
