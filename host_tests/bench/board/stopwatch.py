"""When a connection's first socket call was made: the same measure for everything that connects."""

import socket
from time import ticks_diff, ticks_us

_armed = False
_began = 0


def _watched(call):
    def first(*arguments):
        global _armed, _began
        if _armed:
            _armed = False
            _began = ticks_us()
        return call(*arguments)

    return first


def arm():
    """The next socket call is the first one."""
    global _armed
    _armed = True


def taken():
    """Microseconds since the first socket call."""
    return ticks_diff(ticks_us(), _began)


socket.getaddrinfo = _watched(socket.getaddrinfo)
socket.socket = _watched(socket.socket)
