"""The platform's rates of logins (gateway.md 8.4, 12), on a clock that is handed in."""

from collections import deque

MINUTE = 60


class Rates:
    """`now()` gives seconds; `limits` are those of the configuration."""

    def __init__(self, limits, now):
        self.limits, self.now = limits, now
        self.of_subdevices, self.of_gateways = {}, {}

    def login(self, key):
        """Notes a login of one sub-device; or returns True, and does not, if it is too many in a minute."""
        now, times = self.now(), self.of_subdevices.setdefault(key, deque())
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) >= self.limits.logins_per_minute:
            return True
        times.append(now)
        return False

    def logins(self, gateway, count):
        """Notes `count` logins of a gateway; or returns True, and does not, if they are too many."""
        second, taken = int(self.now()), 0
        if self.of_gateways.get(gateway, (None,))[0] == second:
            taken = self.of_gateways[gateway][1]
        if taken + count > self.limits.logins_per_second:
            return True
        self.of_gateways[gateway] = (second, taken + count)
        return False
