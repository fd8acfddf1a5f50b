"""What a gateway does by itself: logs in what is to be online, says what happened, passes messages on."""

from aliot import load
from aliot.errors import AliotError, LinkError
from aliot.gateway.errors import drop
from aliot.gateway.rows import ONLINE, Rows
from aliot.ticks import Deadline, uptime
from micropython import const

_CALM = const(10000)  # ms without a request after an error of its own, and as much again at random
_SMALL = const(1000)  # bytes; where a request is larger by default, memory is too
_NOTICES = " thing/topo/change thing/topo/add/notify thing/gateway/permit thing/disable thing/enable thing/delete "


class Upkeep:
    """The base of Gateway; all its attributes."""

    awake = False  # aliot.gateway.asking may be loaded
    batch = None  # what is asked for: rows, or names
    tail = None  # of the request's topic
    body = None  # of the request, but for its id
    awaited = None  # the topic of its answer
    reply = None
    telling = False  # the application is being told of events
    fresh = False  # the connection is new: nothing was asked on it
    id = 0  # of the last request
    calm = 0  # no request before this time
    throttled = 0  # the code that says why
    look = 0  # when to look for what is to be logged in,
    at = 0  # from this row on
    later = False  # one of those may not log in yet
    last = None  # what was published last, to be sent again after an error 520
    again = None  # what is to be sent again
    reported = None  # the last summary
    dirty = False  # states have changed that flash does not have
    dropped = 0  # events for which there was no room
    failed = 0  # how many of the last call did not succeed;
    result = None  # it returns the first of them
    passed = 0  # how many names it has gone through

    def __init__(self, device, timeout=10000, spread=None, payload=None, login=True, limit=1500,
                 path="/aliot/subdevices"):
        self.device = device
        self.timeout = timeout
        self.spread = spread
        self.payload = payload
        self.rows = Rows(path, limit)
        self.paces = []  # the requests of the last second, aliot.gateway.asking.pace
        self.handlers = []
        self.watchers = []
        self.topics = {}  # custom ones to subscribe for each sub-device: topic -> QoS
        self.events = []  # that the application has not heard of yet
        self.issued = []  # (ProductKey, DeviceName, DeviceSecret) that are not yet in flash
        self.left = []  # names of a batch that are to be asked for alone
        load("gateway.records.reading").start(self, login)
        drop("records")
        self.roomy = self.payload > _SMALL
        device.extra = ",_ss=1,ext=3"  # the platform subscribes system topics, the sub-devices' too; gateway.md 2
        device.on("#", self._message)
        device.watch(self._state)

    def poll(self, ms=0):
        """Instead of the device's poll: serves it, and logs in what is to be online, a batch at a time."""
        deadline = Deadline(ms)
        while True:
            busy = self._advance()
            if not busy:
                self._idle()
            self.device.poll(0 if busy or self.events else min(deadline.left(), 500))
            self.settle()
            if self.events and not self.telling:
                self.telling = True
                try:
                    load("gateway.telling").tell(self)
                finally:
                    self.telling = False
                    drop("telling")
            if not busy:
                self.rows.close()
            if not deadline.left():
                return self.device.connected

    def _advance(self):
        """Log the next batch in; False when there is nothing to do now."""
        begun = self.at
        if not self.device.connected or self.busy() or uptime() < max(self.calm, self.look):
            return False
        if not begun:
            self.later = False
        try:
            if self.round("login"):
                return True
            self.at = 0
            return begun > 0
        except LinkError:
            pass
        except AliotError as problem:
            self.calm = uptime() + _CALM + self.device.session.random(_CALM)
            self.at = 0
            self.complain(problem)
        return False

    def _idle(self):
        self.rest()
        if self.look == 0 and self.device.connected:
            try:
                load("gateway.resting").rest(self)
            finally:
                drop("resting")

    # For the parts of aliot.gateway.

    def round(self, kind, *arguments):
        """One request of a kind, and what its answer brings; False when there is nothing to ask for."""
        if self.fresh:
            self._stage("opening")
        if not self._stage(kind, *arguments):
            return False
        self._stage("request")
        self._stage("answer", kind)
        if self.issued:
            self.store()
        return True

    def _stage(self, name, *arguments):
        """What a module of aliot.gateway.asking returns; see there."""
        self.awake = True
        try:
            return load("gateway.asking." + name).run(self, *arguments)
        finally:
            if not self.roomy:
                self.rest()

    def store(self):
        """What was issued goes to flash, in one write that is read back."""
        try:
            load("gateway.records.writing").keep(self.rows, self.issued)
        finally:
            self.issued = []
            drop("records")

    def settle(self):
        """What has changed goes to flash."""
        if self.dirty:
            self.dirty = False
            try:
                load("gateway.records.settling").settle(self)
            finally:
                drop("records")

    def rest(self):
        """Drop what asks the platform: memory is for the next handshake, and for the application."""
        if self.awake and not self.busy():
            self.awake = False
            drop("asking", "rates", "replies")

    def busy(self):
        """Does a handler run, perhaps in the middle of a request?"""
        return self.device.client and self.device.client.busy

    def complain(self, problem):
        self.device.state("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})

    # What comes in.

    def _state(self, state, fields):
        self.rows.online = self.device.connected
        if state == "connected":
            self.fresh = True
            self.look = self.at = 0
            for row in range(self.rows.count):
                self.rows.change(row, ONLINE)

    def _message(self, topic, payload):
        """Any message of the device's: an answer, a notice, or one of a sub-device, for the handlers."""
        if topic == self.awaited:
            load("gateway.asking.request").take(self, payload)
            return
        at = 2 if topic.startswith("/sys/") else 1
        levels = topic.split("/", at + 2)
        if len(levels) < at + 3:
            return
        name = (levels[at], levels[at + 1])
        if name == ("ext", "error") or at == 2 and " %s " % levels[4] in _NOTICES:
            try:
                load("gateway.notices").take(self, name, levels[-1], topic, payload)
            finally:
                drop("notices")
                if not self.awake:
                    drop("rates", "replies")
        elif name != (self.device.product_key, self.device.device_name):
            for pattern, handler, wanted in self.handlers:
                if wanted in (None, name):
                    pattern = full_topic(name, pattern)
                    if pattern == topic or ("+" in pattern or "#" in pattern) and load("topics").matches(pattern, topic):
                        handler(name, topic, payload)


def full_topic(name, topic):
    """A topic of a sub-device, completed."""
    if topic[:1] == "/":
        return topic
    return "%s/%s/%s/%s" % ("" if topic.startswith("user/") else "/sys", name[0], name[1], topic)
