"""When to connect, to wait, to ping, and what a lost connection means. Pure: times in ms come from outside.

The platform takes five connects a minute from a device and advises long, random waits; direct.md 8.
"""

from micropython import const

_MINUTE = const(60000)
_CONNECTS = const(5)  # in any minute
_CAP = const(128000)  # longest wait after a fault
_STABLE = const(60000)  # a connection that lasted so long clears the back-off
_REFUSED = const(300000)  # first wait after a refusal; doubles
_REFUSED_CAP = const(3600000)
_SOON = const(600000)  # thrown off within this time of connecting: perhaps a twin
_TWIN = const(3)  # so many times in a row: a twin
_RETURN = const(5000)  # spread of a fleet's connects after the network came back


class Session:
    """`random(n)` gives 0 to n-1; keepalive and pong (how long a PINGRESP may take) in ms."""

    def __init__(self, random, keepalive=300000, pong=15000):
        self.random = random
        self.keepalive = keepalive
        self.pong = pong
        self.attempts = []  # times of the last connects
        self._not_before = None
        self._faults = 0
        self.refusals = 0
        self.thrown = 0
        self._since = None  # when the connection was made
        self.known = False  # was connected, or tried to be
        self.twin = False  # another unit seems to have the same identity

    def wait(self, now):
        """Milliseconds until the next connect may be tried, 0 for at once."""
        left = 0 if self._not_before is None else self._not_before - now
        if len(self.attempts) == _CONNECTS:
            left = max(left, self.attempts[0] + _MINUTE - now)
        return max(0, left)

    def attempt(self, now):
        """A connect is about to be tried (registration over MQTT is one)."""
        self.known = True
        self.attempts = self.attempts[1 - _CONNECTS :] + [now]

    def connected(self, now):
        self._since = now
        self.refusals = 0

    def failed(self, now, retry="now"):
        """A connect or registration failed; `retry` is the error's class."""
        if retry == "now":
            self._back_off(now)
            return
        base = _REFUSED_CAP if retry == "never" else min(_REFUSED << self.refusals, _REFUSED_CAP)
        self.refusals = min(self.refusals + 1, 4)
        self._not_before = now + base + self.random(base)

    def lost(self, now, thrown):
        """The connection ended; `thrown` when the peer ended it while the network was up."""
        lasted = now - self._since
        self._since = None
        if lasted >= _STABLE:
            self._faults = 0
        if lasted >= _SOON:
            self.thrown = 0
            self.twin = False
        elif thrown:
            self.thrown += 1
            self.twin = self.thrown >= _TWIN
        if self.twin:
            self._not_before = now + _REFUSED + self.random(2 * _REFUSED)
        else:
            self._back_off(now)

    def returned(self, now):
        """The network came back: no long wait, but not all devices at once."""
        self._faults = 0
        if not self.refusals and not self.twin:
            self._not_before = now + self.random(_RETURN)

    def ping(self, sent, heard, pinged):
        """What a connection needs: "ping", "dead" (the PINGRESP is overdue) or None.

        `sent` and `heard` say how long ago, in ms, the last packet left and came, `pinged` when the open
        ping was sent, or None.
        """
        if pinged is not None:
            return "dead" if pinged >= self.pong else None
        return "ping" if max(sent, heard) >= self.keepalive // 2 else None

    def _back_off(self, now):
        self._faults = min(self._faults + 1, 8)
        self._not_before = now + self.random(min(1000 << self._faults, _CAP))
