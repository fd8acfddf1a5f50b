"""Time that passes: since the start, and until a deadline. Pure but for the chip's ticks."""

from time import ticks_add, ticks_diff, ticks_ms

_last = ticks_ms()
_passed = 0


def uptime():
    """Milliseconds since this module was loaded; never goes back.

    The chip's ticks repeat every 12.4 days: whoever needs the time has to ask more often. Device.poll does.
    """
    global _last, _passed
    now = ticks_ms()
    step = ticks_diff(now, _last)
    if step < 0:  # more than half of the ticks' period
        step += ticks_add(0, -1) + 1
    _last = now
    _passed += step
    return _passed


class Deadline:
    """A point in time `ms` from now; at most days away."""

    def __init__(self, ms):
        self.end = ticks_add(ticks_ms(), ms)  # in ticks

    def left(self):
        """Milliseconds left, 0 when it has passed."""
        return max(0, ticks_diff(self.end, ticks_ms()))
