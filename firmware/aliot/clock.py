"""The clock that TLS reads: set by SNTP, and never earlier than the build date.

An ESP32 powers up in the year 2000, when no certificate is valid yet. One wrong answer must not keep a board
offline: a clock that a server has set jumps only when a second server agrees, or the same one a minute later.
"""

import time

import machine
import ntptime
from aliot.ticks import uptime
from micropython import const

BUILT = 1795219200  # 2026-11-21 in seconds since 1970; a release sets it
SERVERS = ("ntp.aliyun.com", "ntp1.aliyun.com", "pool.ntp.org")
_EPOCH = 946684800  # the chip counts from 2000
_LATEST = 630720000  # s after BUILT: 20 years
_DAY = const(86400000)  # ms after which a clock is asked again
_JUMP = const(300)  # s that one server may move a clock that was set
_AGAIN = const(60000)  # ms after which the same server may confirm itself

server = None  # the one that set the clock since the start
_asked = 0  # uptime then
_doubted = None  # a server whose time made a certificate look out of date
_word = None  # (server, seconds - uptime, uptime) of an answer that nobody has confirmed


def utc():
    """Seconds since 1970."""
    return int(time.time()) + _EPOCH


def doubt():
    """A certificate seems to be out of date: ask again at the next connect, this server last."""
    global _doubted
    _doubted = server


def due():
    """Whether the clock should be asked: nobody has set it, it is a day old, or a certificate doubts it."""
    return not server or _doubted or uptime() - _asked >= _DAY


def synchronize(servers=SERVERS, timeout=1):
    """Ask each server in turn, `timeout` seconds each, until one has set the clock; whether one has.

    An answer before the build date, or 20 years after it, is passed over. Without any, a clock that is
    earlier than the build date is set to it.
    """
    global server, _asked, _doubted
    ntptime.timeout = timeout
    for name in [name for name in servers if name != _doubted] + [name for name in servers if name == _doubted]:
        seconds = _answer(name)
        if seconds and _believed(name, seconds):
            _set(seconds)
            server = name
            _asked = uptime()
            _doubted = None
            return True
    if utc() < BUILT:
        _set(BUILT)
    if not _doubted:
        _asked = uptime()
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
    global _word
    if not server or abs(seconds - utc()) <= _JUMP:
        return True
    at = uptime()
    offset = seconds - at // 1000
    if _word and abs(offset - _word[1]) <= _JUMP:
        return name != _word[0] or at - _word[2] >= _AGAIN
    _word = (name, offset, at)
    return False


def _set(seconds):
    at = time.gmtime(seconds - _EPOCH)
    machine.RTC().datetime((at[0], at[1], at[2], at[6], at[3], at[4], at[5], 0))
