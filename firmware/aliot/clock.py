"""The clock that TLS reads: set by SNTP (aliot.sntp), and never earlier than the build date.

An ESP32 powers up in the year 2000, when no certificate is valid yet.
"""

import time

from aliot.ticks import uptime
from micropython import const

_EPOCH = 946684800  # the chip counts from 2000
_DAY = const(86400000)  # ms after which a clock is asked again

server = None  # the one that set the clock since the start
set_at = 0  # uptime then
doubted = None  # a server whose time made a certificate look out of date
unconfirmed = None  # (server, seconds - uptime, uptime) of an answer that nobody has confirmed


def utc():
    """Seconds since 1970."""
    return int(time.time()) + _EPOCH


def doubt():
    """A certificate seems to be out of date: ask again at the next connect, this server last."""
    global doubted
    doubted = server


def due():
    """Whether the clock should be asked: nobody has set it, it is a day old, or a certificate doubts it."""
    return not server or doubted or uptime() - set_at >= _DAY
