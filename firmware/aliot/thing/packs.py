"""What several Things of a gateway have to say, in one message; application.md 3.5.

pack = Pack(gateway)
pack.post(room, Temperature=21.5)
pack.event(cellar, "Flooded", level=3)
pack.send()
"""

from aliot.errors import AliotError
from aliot.thing.delivery import point
from aliot.thing.requests import dumped, of
from micropython import const

_MOST = (200, 20)  # properties, events
_SUBDEVICES = const(20)
_NAMES = const(110)  # bytes that a sub-device takes beside its values


class Pack:
    """Packs of the Gateway `via` and its sub-devices, each of at most `size` bytes: the gateway's `payload` by default.

    What does not fit into a message begins the next one. Nothing that is posted waits for send() longer than it must:
    call it after the last post, before the next poll().
    """

    def __init__(self, via, size=None):
        self.device = via.device
        self.size = size or via.payload
        self._begin()

    def post(self, thing, *values, **named):
        """As Thing.post, into the pack: whether it is in it. If not it is kept, and thing.poll() sends it."""
        return self._gathered(thing, thing.post, values, named)

    def event(self, thing, identifier, *outputs, **named):
        """As Thing.event, into the pack."""
        return self._gathered(thing, thing.event, (identifier,) + outputs, named)

    def send(self):
        """Send what was gathered; whether it went out.

        The platform takes a pack as a whole or not at all. What it did not take, or what did not go out, each Thing
        sends by itself later, with the time that it had.
        """
        parts = self.items
        entries = self.entries
        self._begin()
        if not entries:
            return False
        try:
            of(self.device).send(
                "thing/event/property/pack/post",
                self._params(parts),
                lambda data, problem: _replied(entries, problem),
            )
            return True
        except AliotError:  # it was reported where it happened
            for thing, _, _ in entries:
                thing.requesting -= 1
                thing.passed = 0
            return False

    def _begin(self):
        self.items = {}  # Thing: (properties, events), points by their identifiers
        self.entries = []  # (Thing, id, number in its outbox)
        self.counts = [0, 0]
        self.used = _NAMES

    def _gathered(self, thing, action, values, named):
        def take(kind, params, time, id, number):
            return self._take(thing, kind, params, time, id, number)

        thing.send = take  # where put() hands over what may go out now
        try:
            return action(*values, **named)
        finally:
            del thing.send

    def _take(self, thing, kind, params, time, id, number):
        event = kind != "property"
        points = {kind: point(params, time)} if event else {one: point(params[one], time) for one in params}
        size = len(dumped(points))
        if self._full(thing, event, points, size):
            self.send()
        if thing not in self.items:
            self.items[thing] = ({}, {})
            self.used += _NAMES
        self.items[thing][event].update(points)
        self.entries.append((thing, id, number))
        self.counts[event] += len(points)
        self.used += size
        thing.requesting += 1
        thing.passed = number
        return True

    def _full(self, thing, event, points, size):
        """Whether the points are for the next message: too many, too large, or there is one of that identifier."""
        part = self.items.get(thing)
        if part:
            for identifier in points:
                if identifier in part[event]:
                    return True
        elif len(self.items) == _SUBDEVICES:
            return True
        return self.counts[event] + len(points) > _MOST[event] or self.used + size + _NAMES > self.size

    def _params(self, parts):
        params = {}
        items = []
        for thing in parts:
            properties, events = parts[thing]
            device = thing.device
            item = params
            if device is not self.device:
                item = {"identity": {"productKey": device.product_key, "deviceName": device.device_name}}
                items.append(item)
            if properties:
                item["properties"] = properties
            if events:
                item["events"] = events
        if items:
            params["subDevices"] = items
        return params


def _replied(entries, problem):
    """The reply to a pack with these entries has come, or none has."""
    if problem:
        problem.retry = "later"  # for the entry that was refused is one of many
    for thing, id, number in entries:
        thing.done(id, number, 1, problem)
