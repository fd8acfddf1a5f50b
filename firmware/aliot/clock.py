"""The clock that TLS reads: set by SNTP, and never earlier than the build date.

An ESP32 powers up in the year 2000, when no certificate is valid yet.
"""

import time

import machine
import ntptime

BUILT = 1795219200  # 2026-11-21 in seconds since 1970; a release sets it
_EPOCH = 946684800  # the chip counts from 2000
_LATEST = BUILT + 20 * 365 * 86400
SERVERS = ("ntp.aliyun.com", "ntp1.aliyun.com", "pool.ntp.org")


def now():
    """Seconds since 1970."""
    return int(time.time()) + _EPOCH


def synchronize(servers=SERVERS, timeout=1):
    """Ask each server in turn, `timeout` seconds each; returns the one that answered, or None.

    An answer before the build date, or 20 years after it, is passed over. Without any, a clock that is
    earlier than the build date is set to it.
    """
    ntptime.timeout = timeout
    for server in servers:
        ntptime.host = server
        try:
            seconds = ntptime.time() + _EPOCH
        except (OSError, IndexError, ValueError, OverflowError):
            continue
        if BUILT <= seconds < _LATEST and seconds != 2085978496:  # an empty timestamp, in 2036
            _set(seconds)
            return server
    if now() < BUILT:
        _set(BUILT)
    return None


def _set(seconds):
    at = time.gmtime(seconds - _EPOCH)
    machine.RTC().datetime((at[0], at[1], at[2], at[6], at[3], at[4], at[5], 0))
