"""What a connected device does: the thing model; application.md 1 to 4.

A plain device that does not import it has nothing of it. The platform's services are in aliot.services.
"""

from aliot import drop, load, unload
from aliot.thing.delivery import Delivery
from aliot.thing.errors import ThingError
from aliot.thing.outbox import Outbox
from aliot.ticks import uptime
from micropython import const

_MOST = const(200)  # properties in a message; application.md 3.2


class Thing(Delivery):
    """The properties, events and services of `device`, which has not connected yet.

    device   a Device, or a Subdevice of a Gateway (aliot.gateway.subdevice)
    model    path of the table that the host's tools make of the product's TSL: what does not fit it is refused here,
             with the platform's codes, before it is sent. It is read at the first value. None: everything passes, as
             where the table is damaged, which is a line of state
    outbox   an Outbox of other bounds, or with a file; by default 20 messages of 4 KB in memory
    """

    model = None  # the Model, while it is in memory
    asking = 0  # desired values were asked for, and are not there yet

    def __init__(self, device, model=None, outbox=None):
        super().__init__(device, Outbox() if outbox is None else outbox)
        self.path = model
        self.setters = {}
        self.services = {}
        self.values = {}  # what was last posted
        self.fetch = {}  # identifier -> the value that was set, of what may be desired
        asked = self._asked
        for topic in ("thing/service/#", "rrpc/request/#", "/ext/rrpc/#"):
            self.requests.on(topic, asked)
        device.watch(self._rest)

    def property(self, identifier):
        """Decorator: handler(value) for a value that the platform sets, or that was desired while the device was away.

        What it returns, or the value itself where that is None, is posted as the new value. What it raises becomes the
        answer: a ThingError's number where it is 400, 429 or 100000 to 110000, 460 for ValueError, TypeError and other
        numbers, 100000 for all else; application.md 1.1.
        """
        return lambda handler: self.setters.update({identifier: handler}) or handler

    def service(self, identifier):
        """Decorator: handler(**inputs) of a service, which returns its outputs as a dict, or None for none.

        Within 8 s: the caller of a synchronous service waits no longer. What it raises is answered as for a property.
        """
        return lambda handler: self.services.update({identifier: handler}) or handler

    def post(self, *values, time=None, **named):
        """Post properties: a dict, or by their names; `time` in ms since 1970, by default now.

        Returns whether they went out at once. If not they are kept in the outbox, and poll() sends them. ThingError
        where the model refuses a value, ValueError for what JSON or the outbox does not hold and for a time that is
        none; nothing is kept then. A file that does not take them is a line of state (`store`), and False. Of no
        property nothing is sent, and True.
        """
        named.update(*values)
        if not named:
            return True
        if len(named) > _MOST:
            raise ThingError(6106, "%d properties" % len(named))
        members(named)
        model = self.read()
        if model:
            for name in named:
                named[name] = model.property_value(name, named[name])
        self.values.update(named)
        return self.put("property", named, time)

    def event(self, identifier, *outputs, time=None, **named):
        """Post an event with its outputs, a dict or by their names; all else as post()."""
        named.update(*outputs)
        members({identifier: None})  # it is a name as well
        members(named)
        model = self.read()
        if model:
            named = model.event(identifier, named)
        return self.put(identifier, named, time)

    def get(self, identifier):
        """The value that was last posted of a property, in wire form; None when there is none."""
        return self.values.get(identifier)

    def poll(self, ms=0):
        """Instead of the device's poll: serves it, and sends what waits; whether the device is connected."""
        return self.requests.poll(ms)

    def read(self):
        """The Model, None without one; loaded when it is used first, for a registration has little memory left."""
        if self.path and not self.model:
            self.model = load("thing.model").opened(self)
        return self.model

    def _rest(self, state, fields):
        """A connection is opened, which takes much memory: the model goes, and is read again at the next value."""
        if state == "connecting" and self.model:
            self.model.file.close()
            self.model = None
            unload("thing.model")

    # What the platform asks.

    def _begin(self):
        """The connection is new: all that waits is sent, whatever has a handler may be desired."""
        self.passed = self.faults = self.calm = self.asking = 0
        self.fetch = dict.fromkeys(self.setters, ...)

    def _work(self):
        if self.fetch and not self.asking and uptime() >= self.calm and self.requests.room():
            try:
                load("thing.calls").desire(self)
            finally:
                drop("thing.calls")
        super()._work()

    def desired(self, data, problem):
        drop("thing.backlog", "thing.entries")  # there may be no room for both
        try:
            load("thing.calls").desired(self, data, problem)
        finally:
            drop("thing.calls")

    def _asked(self, topic, message):
        """A request of the platform's, straight or by RRPC; application.md 3.4."""
        if "thing/service/" in topic or str(message.get("method"))[:14] == "thing.service.":
            try:
                load("thing.calls").asked(self, topic, message)
            finally:
                drop("thing.calls")


def sendable(value):
    """`value`, a bool as 0 or 1; ValueError for what is no JSON (application.md 2)."""
    kind = type(value)
    if kind is int or kind is float and value - value == 0 or kind is str and b"\xed" not in value.encode():
        return value
    return load("json_value").sendable(value)


def members(values):
    """The dict `values` with each value as sendable() gives it; ValueError also for a name that is no text."""
    for name in values:
        if not isinstance(name, str):
            raise ValueError("a name is text")
        sendable(name)
        values[name] = sendable(values[name])
    return values
