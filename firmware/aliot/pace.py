"""How often a device may send, and under which ids; application.md 1 and 4, gateway.md 12.

A Gateway and a Thing of one device count together.
"""

from micropython import const

_LARGEST = const(4294967295)
_SECOND = const(1010)  # ms, with what rounding takes
_REQUESTS = const(20)  # in a second; a device may send 30 messages
_LOGINS = const(200)  # sub-devices in a second; gateway.md 12
_TIMES = const(0x3FFFFF)


def next_id(device):
    """The id of the next request of the device, 1 to 4294967295."""
    device.last_id = getattr(device, "last_id", 0) % _LARGEST + 1
    return device.last_id


def paces(device):
    """The list of the device's messages of the last second, for pause() and noted()."""
    try:
        return device.paces
    except AttributeError:
        device.paces = []
        return device.paces


def noted(now, logins=0):
    """A message that the platform had at `now`, as a number that takes no heap: ms of 70 minutes, logins."""
    return (now & _TIMES) << 8 | logins


def pause(last, now, logins=0):
    """Milliseconds until a request with so many logins may be sent, 0 for at once; no window breaks the rates.

    `last` lists the requests before, from when they were answered: the platform had each of them by then. Those that
    no longer count are dropped from it.
    """
    while last and now - (last[0] >> 8) & _TIMES >= _SECOND:
        last.pop(0)
    if len(last) < _REQUESTS and sum([one & 255 for one in last]) + logins <= _LOGINS:
        return 0
    return _SECOND - (now - (last[0] >> 8) & _TIMES)
