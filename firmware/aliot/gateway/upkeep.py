"""What a gateway does by itself: logs in what is to be online, says what happened, passes messages on.

A request to the platform takes three modules, one after the other, between which only the Gateway keeps what there is:

    register, proxy, attach, detach, login, logout, found
             put together what is to be asked next: `batch` (names, or rows), `tail` of the topic and `body`; their
             run(gateway, subdevices, strict) returns whether there is something. They go on where the last request
             ended, at name number `passed`
    request  sends it, again if it has to, and waits for the answer: `reply`
    answer   what it says: of each sub-device's state, `issued` secrets, `result` for the application, and what is
             `left` of a batch, to be asked for alone: one that the platform does not take must not hold the others
"""

import gc

import esp32
from aliot import drop, feed, load, unload
from aliot.errors import AliotError, LinkError
from aliot.gateway.rows import ONLINE, Rows
from aliot.ticks import Deadline, uptime
from micropython import const

_CALM = const(10000)  # ms without a request after an error of its own, and as much again at random
_STAGE = const(
    18000
)  # bytes of Python's heap, without what growth adds, that leave two such modules their room
_NOTICES = (
    " thing/topo/change thing/topo/add/notify thing/gateway/permit thing/disable thing/enable thing/delete "
)


class Upkeep:
    """The base of Gateway; all its attributes."""

    batch = None  # what is asked for: rows, or names
    tail = None  # of the request's topic
    body = None  # of the request, but for its id
    awaited = None  # the topic of its answer
    reply = None
    fresh = False  # the connection is new: nothing was asked on it
    telling = False  # the application is being told of events
    id = 0  # of the last request
    calm = 0  # no request before this time
    throttled = 0  # the code that says why
    due_at = 0  # when to look for what is to be logged in,
    at = 0  # from this row on
    later = False  # one of those may not log in yet
    last = None  # what was published last, to be sent again after an error 520
    again = None  # what is to be sent again
    reported = None  # the last summary
    dirty = False  # states have changed that flash does not have
    spilled = 0  # events for which there was no room
    failed = 0  # how many of the last call did not succeed;
    result = None  # it returns the first of them
    passed = 0  # how many names it has gone through

    def __init__(
        self,
        device,
        timeout=10000,
        spread=None,
        payload=None,
        login=True,
        limit=1500,
        path="/aliot/subdevices",
    ):
        self.device = device
        self.timeout = timeout
        self.spread = spread
        self.payload = payload
        self.rows = Rows(path, limit)
        self.handlers = []
        self.watchers = []
        self.topics = {}  # custom ones to subscribe for each sub-device: topic -> QoS
        self.events = []  # that the application has not heard of yet
        self.issued = []  # (ProductKey, DeviceName, DeviceSecret) that are not yet in flash
        self.left = []  # of a batch: to be asked for alone
        self.loaded = []  # modules of requests
        load("gateway.reading").start(self, login)
        drop("gateway.reading")
        device.extra = (
            ",_ss=1,ext=3"  # the platform subscribes system topics, the sub-devices' too; gateway.md 2
        )
        device.on("#", self._message)
        device.watch(self._state)

    def poll(self, ms=0):
        """Instead of the device's poll: serves it, and logs in what is to be online, a batch at a time."""
        deadline = Deadline(ms)
        while True:
            busy = self._advance()
            self.device.poll(0 if busy or self.events else min(deadline.left(), 500))
            self.settle()
            if self.events and not self.telling:
                self.telling = True
                try:
                    load("gateway.moments").report(self)
                finally:
                    self.telling = False
                    drop("gateway.moments")
            if not busy:
                self.rows.close()
            if not deadline.left():
                return self.device.connected

    def _advance(self):
        """Log the next batch in; False when there is nothing to do now, and nothing is loaded for it."""
        if self.busy():
            return False
        if self.device.connected and uptime() >= max(self.calm, self.due_at) and self._asked():
            return True
        self.rest()
        return False

    def _asked(self):
        """One request for logins; False when nobody is left, or it is no time for it."""
        begun = self.at
        try:
            self._begin()
            if self.calm > uptime():
                return False
            if not begun:
                self.later = False
            if self.round("login"):
                return True
            self.at = 0
            if not begun:
                load("gateway.moments").rest(self)
            return begun > 0
        except LinkError:
            pass  # it was said where it happened
        except AliotError as problem:
            self.calm = uptime() + _CALM + self.device.session.random(_CALM)
            self.at = 0
            self.complain(problem)
        return False

    def _begin(self):
        if self.fresh:
            load("gateway.moments").begin(self)

    # For the parts of aliot.gateway.

    def round(self, kind, *arguments):
        """One request of a kind, and what its answer brings; False when there is nothing to ask for."""
        self._begin()
        if not self._stage(kind, *arguments):
            return False
        self._stage("request")
        self._stage("answer", kind)
        if self.issued:
            self.store()
        return True

    def _stage(self, name, *arguments):
        """What run() of a module for requests returns. Where memory is small, those before it are dropped.

        The connection is served before: a file system that is slow must not let the keepalive pass.
        """
        feed()
        if self.device.client:
            self.device.serve(0)
        gc.collect()
        if gc.mem_free() - max([heap[2] for heap in esp32.idf_heap_info(esp32.HEAP_DATA)]) < _STAGE:
            self.rest()
        if name not in self.loaded:
            self.loaded.append(name)
        return load("gateway." + name).run(self, *arguments)

    def store(self):
        """What was issued goes to flash, in one write that is read back."""
        try:
            load("gateway.records").keep(self.rows, self.issued)
        finally:
            self.issued = []
            drop("gateway.records")

    def settle(self):
        """What has changed goes to flash."""
        if self.dirty:
            self.dirty = False
            try:
                load("gateway.records").settle(self)
            finally:
                drop("gateway.records")

    def rest(self):
        """Drop what is loaded: memory is for the next handshake, and for the application."""
        if not self.busy():
            drop(*["gateway." + name for name in self.loaded])
            self.loaded = []
            if not self.telling:
                drop("gateway.moments")

    def busy(self):
        """Does a handler run, perhaps in the middle of a request?"""
        return self.device.client and self.device.client.busy

    def complain(self, problem):
        self.device.state("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})
        unload("advice")

    # What comes in.

    def _state(self, state, fields):
        self.rows.online = self.device.connected
        if state == "connected":
            self.fresh = True
            self.due_at = self.at = 0
            for row in range(self.rows.count):
                self.rows.change(row, ONLINE)

    def _message(self, topic, payload):
        """Any message of the device's: an answer, a notice, or one of a sub-device, for the handlers."""
        if topic == self.awaited:
            load("gateway.request").take(self, payload)
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
                drop("gateway.notices")
        elif name != (self.device.product_key, self.device.device_name):
            if (
                self.batch and self.tail[-5:] == "login"
            ):  # what has a message is logged in, though the answer says it later
                row = self.rows.find(name)
                if row in self.batch:
                    self.rows.change(row, 0, ONLINE)
            for pattern, handler, wanted in self.handlers:
                if wanted in (None, name):
                    pattern = full_topic(name, pattern)
                    if (
                        pattern == topic
                        or ("+" in pattern or "#" in pattern)
                        and load("topics").matches(pattern, topic)
                    ):
                        handler(name, topic, payload)


def full_topic(name, topic):
    """A topic of a sub-device, completed."""
    if topic[:1] == "/":
        return topic
    return "%s/%s/%s/%s" % ("" if topic.startswith("user/") else "/sys", name[0], name[1], topic)
