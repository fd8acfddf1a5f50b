"""The chip's `time`: whole seconds since 2000, no time zone."""

import utime
from utime import sleep, sleep_ms, sleep_us, ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us

from _chip import EPOCH


def time():
    return int(utime.time()) - EPOCH


def time_ns():
    return utime.time_ns() - EPOCH * 1000000000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else int(seconds)) + EPOCH)[:8]


localtime = gmtime


def mktime(fields):
    return int(utime.mktime(tuple(fields[:8]) + (0,))) - EPOCH
