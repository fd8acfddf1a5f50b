"""Takes what a Thing has to send to the platform, in order, until each is acknowledged; application.md 3.2, 3.3, 3.5.

While the device is online, a post or an event goes out at once, a few of them before the first is acknowledged. What
could not go out, or was not acknowledged, is the backlog: aliot.thing.backlog, which is in memory while there is one.
"""

from aliot import clock, drop, load, pace
from aliot.errors import AliotError
from aliot.thing.requests import of
from aliot.ticks import uptime
from micropython import const

_END = const(10000000000000)  # ms since 1970, in 2286
_FLIGHT = const(5)  # messages that may wait for their replies


class Delivery:
    """The base of Thing: what is to be sent, and what has become of it."""

    passed = 0  # the last entry that was sent; all before it were
    requesting = 0  # messages whose replies are awaited
    faults = 0  # messages in a row that were not acknowledged
    calm = 0  # nothing is sent again before this time
    last = 0  # the time of the newest entry
    alone = 0  # entries up to this number go one by one: the platform, or memory, refused them together

    def __init__(self, device, outbox):
        self.device = device
        self.requests = of(device)
        self.outbox = outbox
        self.latest = {}  # identifier -> (value, time) that only history has had
        self.requests.duties.append(self._work)
        self.requests.connects.append(self._begin)

    def put(self, kind, params, time=None):
        """Send an entry now, or keep it; whether it went out. ValueError: a time that is none, or it is too large."""
        if time is not None and (type(time) is not int or not 0 <= time < _END):
            raise ValueError("a time is ms since 1970")
        if not time and clock.server:
            time = self.last = max(clock.utc() * 1000, self.last + 1)
        outbox = self.outbox
        free = (
            self.requesting < _FLIGHT
            and (not len(outbox) or outbox.next == self.passed + 1)
            and uptime() >= self.calm
            and self.requests.room()
        )
        id = pace.next_id(self.device) if free else 0
        try:
            number = outbox.put(kind, params, time, id)
        except AliotError as problem:  # of the outbox's file
            load("thing.backlog").report(self, problem)
            return False
        return free and self.send(kind, params, time, id, number)

    def send(self, kind, params, time, id, number):
        """One entry as a message of its own; False when it did not go out."""
        if kind == "property":
            topic = "thing/event/property/post"
            values = params
            params = {}
            for name in values:
                params[name] = point(values[name], time) if time else values[name]
        else:
            topic = "thing/event/%s/post" % kind
            params = point(params, time)
        return self.transmit(self.requests, topic, params, id, number, 1)

    def transmit(self, requests, topic, params, id, number, count):
        """A message with `count` entries, the last of them `number`; False when it did not go out: they are kept."""
        self.requesting += 1
        self.passed = number
        try:
            requests.send(topic, params, lambda data, problem: self.done(id, number, count, problem), id=id)
            return True
        except Exception as problem:
            self.requesting -= 1
            self.passed = 0
            if not isinstance(problem, AliotError):
                raise
            return False  # it was reported where it happened

    def _work(self):
        """Send what waits; called at each poll."""
        if not self.requesting and (len(self.outbox) or self.latest):
            if uptime() >= self.calm and self.requests.room():
                load("thing.backlog").send(self)
                if not len(self.outbox):
                    drop("thing.backlog")

    def done(self, id, number, count, problem):
        """The reply to a message with `count` entries has come, or none has."""
        self.requesting -= 1
        if problem:
            load("thing.backlog").failed(self, id, number, count, problem)
        else:
            self.faults = 0
            self.outbox.acknowledged(id)
            if not count:
                self.latest = {}


def point(value, time):
    """A value with its time, if it has one; application.md 3.1."""
    return {"value": value, "time": time} if time else {"value": value}
