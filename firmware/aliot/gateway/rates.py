"""How often a gateway may ask: no window of time breaks the platform's rates (gateway.md 12)."""

from micropython import const

_SECOND = const(1010)  # ms, with what rounding takes
_REQUESTS = const(20)  # in a second; a device may send 30 messages
_LOGINS = const(200)  # sub-devices in a second
_MINUTE = const(60)  # s
_OF_ONE = const(5)  # logins of one sub-device in a minute
_HELD = const(7)  # in the place of a count
_HOLD = const(420)  # s
_SPREAD = const(120)  # s of it at random


class Pace:
    """Requests of the last second, from when they were answered: the platform had each of them by then."""

    def __init__(self):
        self.last = []  # (ms, sub-devices logged in)

    def wait(self, now, logins):
        """Milliseconds until a request with so many logins may be sent, 0 for at once."""
        while self.last and now - self.last[0][0] >= _SECOND:
            self.last.pop(0)
        if len(self.last) < _REQUESTS and sum([one[1] for one in self.last]) + logins <= _LOGINS:
            return 0
        return self.last[0][0] + _SECOND - now

    def answered(self, now, logins):
        self.last.append((now, logins))


# The logins of one sub-device in 16 bits: seconds of the last (13 bits), how many less than a minute apart
# (3 bits). A chain of five has to wait for a minute, so no minute holds a sixth.


def allowed(value, now):
    """May a sub-device log in at `now` (s)?"""
    count = value & 7
    age = (now & 0x1FFF) - (value >> 3) & 0x1FFF
    return age >= _HOLD if count == _HELD else count < _OF_ONE or age >= _MINUTE


def counted(value, now):
    """`value` after one more login."""
    now &= 0x1FFF
    count = value & 7
    if count == _HELD or now - (value >> 3) & 0x1FFF >= _MINUTE:
        count = 0
    return now << 3 | min(count + 1, _OF_ONE)


def held(now, random):
    """A value that keeps a sub-device away for five to seven minutes."""
    return (now - random(_SPREAD) & 0x1FFF) << 3 | _HELD
