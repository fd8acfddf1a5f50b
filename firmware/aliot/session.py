"""When to connect and when to ping. Pure: times in ms come from outside.

The platform takes five connects a minute from a device and advises long, random waits; direct.md 8. What
to do after a failure is in aliot.retry, imported when there is one.
"""

from micropython import const

_MINUTE = const(60000)
_CONNECTS = const(5)  # in any minute
_LONGEST = const(7200000)  # ms of any wait: after what only a person can mend, an hour and as much at random


class Session:
    """The state of one device's connections.

    `random(n)` gives 0 to n-1; keepalive and pong (how long a PINGRESP may take) in ms.
    """

    faults = 0  # in a row
    refusals = 0  # in a row
    thrown = 0  # times in a row that the peer ended a connection soon after it was made
    since = None  # when the connection was made
    after = 0  # no connect before this time
    twin = False  # another unit seems to have the same identity

    def __init__(self, random, keepalive=300000, pong=15000):
        self.random = random
        self.keepalive = keepalive
        self.pong = pong
        self.attempts = []  # times of the last connects

    def wait(self, now):
        """Milliseconds until the next connect may be tried, 0 for at once."""
        left = self.after - now
        if len(self.attempts) == _CONNECTS:
            left = max(left, self.attempts[0] + _MINUTE - now)
        return min(max(0, left), _LONGEST)

    def attempt(self, now):
        """A connect is about to be tried (registration over MQTT is one)."""
        self.attempts = self.attempts[1 - _CONNECTS :] + [now]

    def connected(self, now):
        self.since = now
        self.refusals = 0

    def ping(self, sent, heard, pinged):
        """What a connection needs: "ping", "dead" (the PINGRESP is overdue) or None.

        `sent` and `heard` say how long ago, in ms, the last packet left and came, `pinged` when the open
        ping was sent, or None.
        """
        if pinged is not None:
            return "dead" if pinged >= self.pong else None
        return "ping" if max(sent, heard) >= self.keepalive // 2 else None
