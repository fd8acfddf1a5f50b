"""The chip's `time`: whole seconds since 2000, no time zone, ticks that count from power-on and wrap."""

import utime
from utime import sleep, sleep_ms, sleep_us

from _chip import EPOCH, settings

_PERIOD = 0x40000000
_SHIFT = 32  # the 64-bit Unix port's ticks wrap after 2^62, the chip's after 2^30
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
    return (utime.ticks_us() - _begin) % _PERIOD


ticks_cpu = ticks_us


def ticks_ms():
    return (utime.ticks_us() - _begin) // 1000 % _PERIOD


def ticks_add(ticks, step):
    return utime.ticks_add(ticks << _SHIFT, step << _SHIFT) >> _SHIFT


def ticks_diff(end, start):
    return utime.ticks_diff(end << _SHIFT, start << _SHIFT) >> _SHIFT


if _begin is None:  # the host's own, in C as a chip's are: what is timed does not pay for the emulation
    from utime import ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us
