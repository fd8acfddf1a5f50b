"""The chip's `time`: whole seconds since 2000, no time zone, ticks that count from power-on and wrap."""

import utime
from utime import sleep, sleep_ms, sleep_us

from _chip import EPOCH, settings
from _ticks import PERIOD, ticks_add, ticks_diff

# the host's microseconds at power-on; in a device test they begin with the host's
_begin = settings.get("ticks", 0)


def time():
    return int(utime.time()) - EPOCH


def time_ns():
    return utime.time_ns() - EPOCH * 1000000000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else int(seconds)) + EPOCH)[:8]


localtime = gmtime


def mktime(fields):
    return int(utime.mktime(tuple(fields[:8]) + (0,))) - EPOCH


def ticks_us():
    return (utime.ticks_us() - _begin) % PERIOD


ticks_cpu = ticks_us


def ticks_ms():
    return (utime.ticks_us() - _begin) // 1000 % PERIOD


if _begin is None:  # the host's own, in C as a chip's are: what is timed does not pay for the emulation
    from utime import ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us
