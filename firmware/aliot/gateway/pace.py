"""How often a gateway may ask: no window of time breaks the platform's rates (gateway.md 12). Pure."""

from micropython import const

_SECOND = const(1010)  # ms, with what rounding takes
_REQUESTS = const(20)  # in a second; a device may send 30 messages
_LOGINS = const(200)  # sub-devices in a second
_TIMES = const(0x3FFFFF)


def noted(now, logins):
    """A request that was answered at `now` (ms), as a number that takes no heap: the last 70 minutes' ms, logins."""
    return (now & _TIMES) << 8 | logins


def pause(last, now, logins):
    """Milliseconds until a request with so many logins may be sent, 0 for at once.

    `last` lists the requests before, from when they were answered: the platform had each of them by then. Those that
    no longer count are dropped from it.
    """
    while last and now - (last[0] >> 8) & _TIMES >= _SECOND:
        last.pop(0)
    if len(last) < _REQUESTS and sum([one & 255 for one in last]) + logins <= _LOGINS:
        return 0
    return _SECOND - (now - (last[0] >> 8) & _TIMES)
