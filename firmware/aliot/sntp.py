"""Sets the clock by SNTP; imported when it is due (aliot.clock).

One wrong answer must not keep a board offline: a clock that a server has set jumps only when a second server
agrees, or the same one a minute later.
"""

import time

import machine
import ntptime
from aliot import clock
from aliot.ticks import uptime
from micropython import const

BUILT = 1795219200  # 2026-11-21 in seconds since 1970; a release sets it
_EPOCH = 946684800
_LATEST = 630720000  # s after BUILT: 20 years
_JUMP = const(300)  # s that one server may move a clock that was set
_AGAIN = const(60000)  # ms after which the same server may confirm itself


def synchronize(servers, timeout=1):
    """Ask each server in turn, `timeout` seconds each, until one has set the clock; whether one has.

    An answer before the build date, or 20 years after it, is passed over. Without any, a clock that is
    earlier than the build date is set to it.
    """
    ntptime.timeout = timeout
    doubted = clock.doubted
    for name in [name for name in servers if name != doubted] + [name for name in servers if name == doubted]:
        seconds = _answer(name)
        if seconds and _believed(name, seconds):
            _set(seconds)
            clock.server = name
            clock.set_at = uptime()
            clock.doubted = None
            return True
    if clock.utc() < BUILT:
        _set(BUILT)
    if not doubted:
        clock.set_at = uptime()
    return False


def _answer(name):
    """The time that a server says, None when it says none that can be."""
    ntptime.host = name
    try:
        seconds = ntptime.time() + _EPOCH
    except (OSError, IndexError, ValueError, OverflowError):
        return None
    # 2085978496 is an empty timestamp, in 2036
    return seconds if 0 <= seconds - BUILT < _LATEST and seconds != 2085978496 else None


def _believed(name, seconds):
    """Whether an answer may set the clock; one that may not is remembered for the next to confirm."""
    if not clock.server or abs(seconds - clock.utc()) <= _JUMP:
        clock.unconfirmed = None
        return True
    at = uptime()
    epoch = seconds - at // 1000
    word = clock.unconfirmed
    if word and abs(epoch - word[1]) <= _JUMP:
        return name != word[0] or at - word[2] >= _AGAIN
    clock.unconfirmed = name, epoch, at
    return False


def _set(seconds):
    at = time.gmtime(seconds - _EPOCH)
    machine.RTC().datetime((at[0], at[1], at[2], at[6], at[3], at[4], at[5], 0))
