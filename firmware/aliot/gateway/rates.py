"""How often one sub-device may log in: five times in a minute (gateway.md 12), as 16 bits of RAM. Pure.

Seconds of the last login (13 bits), how many less than a minute apart (3 bits). A chain of five has to wait for a
minute, so no minute holds a sixth.
"""

from micropython import const

_MINUTE = const(60)  # s
_OF_ONE = const(5)
_HELD = const(7)  # in the place of a count
_HOLD = const(420)  # s
_SPREAD = const(120)  # s of it at random


def allowed(value, now):
    """Whether a sub-device may log in at `now` (s)."""
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
