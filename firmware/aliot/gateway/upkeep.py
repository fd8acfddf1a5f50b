"""What a gateway does by itself: logs in what is to be online, tells what happened, passes messages on."""

from aliot import clock, part
from aliot.errors import AliotError, LinkError
from aliot.gateway import notices
from aliot.gateway.codes import advice
from aliot.gateway.connect import subscribing
from aliot.gateway.jobs import Login, clock_seconds, may_log_in
from aliot.gateway.rates import held
from aliot.gateway.records import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, WANTED, Records
from aliot.gateway.requests import Requests
from aliot.transport import Deadline
from micropython import const

_EVENTS = const(64)  # that may wait for poll()
_LOOK = const(10000)  # ms between two looks for sub-devices that may log in again
_ROUND = const(50)  # sub-devices of a batch at most
_PROGRESS = ONLINE | DISABLED | REFUSED | GONE | WANTED | ATTACHED


class Upkeep:
    """The base of Gateway; all its attributes."""

    last = None  # what was published last, to be sent again after an error 520
    again = None  # what is to be sent again
    calm = 0  # no request before this time
    throttled = 0  # the code that says why
    look = 0  # when to look for what is to be logged in
    told = None  # the last summary
    dirty = False  # states have changed that flash does not have

    def __init__(self, device, timeout=10000, spread=5000, payload=4096, login=True, records=None):
        self.device = device
        self.spread = spread
        self.payload = payload
        self.records = records or Records()
        self.requests = Requests(device, timeout)
        self.handlers = []
        self.watchers = []
        self.topics = {}  # custom ones to subscribe for each sub-device: topic -> QoS
        self.events = []  # that the application has not heard of yet
        for row in range(self.records.count):
            if login and self.records.states[row] & ATTACHED:
                self.records.states[row] |= WANTED
        device.on("#", self._message)
        device.watch(self._state)
        self._state("boot", None)

    def poll(self, ms=0):
        """Instead of the device's poll: serves it, and logs in what is to be online, a batch at a time."""
        deadline = Deadline(ms)
        while True:
            busy = self._advance()
            self.device.poll(0 if busy or self.events else min(deadline.left(), 500))
            self._settle()
            self._tell()
            if not busy:
                self.records.close()
            if not deadline.left():
                return self.device.connected

    def _advance(self):
        """Log the next batch in; False when there is nothing to do now."""
        device = self.device
        now = device.now()
        if not device.connected or now < self.calm or now < self.look:
            return False
        self.throttled = 0
        states = self.records.states
        rows = []
        later = False
        for row in range(self.records.count):
            if states[row] & _PROGRESS == WANTED | ATTACHED:
                if may_log_in(self, row):
                    rows.append(row)
                    if len(rows) == _ROUND:
                        break
                else:
                    later = True
        if not rows:
            self.look = now + (_LOOK if later else 1 << 29)
            self._resend()
            self._report()
            return False
        try:
            for name, code, message in Login(self).run(rows, 1):
                self.event("refused", name, code)
            self._resend()
        except LinkError:
            pass
        except AliotError as problem:
            self.calm = device.now() + _LOOK + device.session.random(_LOOK)
            self._say("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})
        return True

    def _settle(self):
        """What handlers have changed goes to flash."""
        if self.dirty:
            self.dirty = False
            try:
                self.records.settle()
            except AliotError as problem:
                self._say("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})

    def _tell(self):
        while self.events:
            event, name, code, detail = self.events.pop(0)
            said = {"event": event}
            if name:
                said["product_key"], said["device_name"] = name
            if code:
                said["code"] = code
                said["advice"] = advice(code)
            self._say("subdevice", said)
            for handler in self.watchers:
                handler(event, name, detail or code)

    def _report(self):
        said = {"stored": self.records.count, "attached": self._count(ATTACHED), "online": self.online}
        if said != self.told:
            self.told = said
            self._say("subdevices", dict(said))

    def _say(self, state, fields):
        self.device.state(state, fields)

    def _count(self, bit):
        states = self.records.states
        return sum([1 for row in range(self.records.count) if states[row] & bit])

    def _resend(self):
        """Once more what had no session, after its sub-device has logged in again; gateway.md 9"""
        if self.again:
            subdevice, topic, payload, qos = self.again
            row = self.records.find(subdevice)
            if row >= 0 and self.records.states[row] & ONLINE:
                self.again = None
                self.device.publish(topic, payload, qos)

    # For the parts of aliot.gateway.

    def event(self, event, name, code=0, detail=None):
        if len(self.events) < _EVENTS:
            self.events.append((event, name, code, detail))

    def changed(self):
        self.dirty = True
        self.look = 0

    def hold(self, row):
        """Do not log a sub-device in for some minutes."""
        self.records.logins[row] = held(clock_seconds(self), self.device.session.random)

    def resend(self, name):
        if self.last and self.last[0] == name:
            self.again = self.last
            self.last = None

    def timestamp(self):
        """Milliseconds since 1970 as text; None as long as no server has set the clock."""
        return "%d000" % clock.utc() if self.device.server else None

    def subscribe_all(self, rows):
        """Subscribe the custom topics of sub-devices that have just logged in."""
        device = self.device
        for topic in self.topics:
            for row in rows:
                whole_topic = whole(self.records.name(row), topic)
                try:
                    device._call(type(device.client).subscribe, whole_topic, self.topics[topic])
                except AliotError as problem:
                    if problem.code != "suback":
                        raise
                    self._say("error", {"code": "suback", "detail": whole_topic})

    # What comes in.

    def _state(self, state, fields):
        device = self.device
        if device.credential:
            subscribing(device.credential)
        if state == "connected":
            errors = "/ext/error/%s/%s" % (device.product_key, device.device_name)
            if errors not in device.topics:
                device.subscribe(errors)
            states = self.records.states
            for row in range(self.records.count):
                states[row] &= ~ONLINE
            self.look = 0
            self.told = None
            if self.spread:
                self.calm = device.now() + device.session.random(self.spread)
                self.spread = 0

    def _message(self, topic, payload):
        if self.requests.took(topic, payload) or notices.took(self, topic, payload):
            return
        words = topic.split("/", 4 if topic.startswith("/sys/") else 3)
        if topic.startswith("/sys/"):
            del words[1]
        if len(words) < 4:
            return
        name = (words[1], words[2])
        if name == (self.device.product_key, self.device.device_name):
            return
        for pattern, handler, wanted in self.handlers:
            if wanted in (None, name):
                pattern = whole(name, pattern)
                if (
                    pattern == topic
                    or ("+" in pattern or "#" in pattern)
                    and part("topics").matches(pattern, topic)
                ):
                    handler(name, topic, payload)


def whole(name, topic):
    if topic[0] == "/":
        return topic
    return "%s/%s/%s/%s" % ("" if topic.startswith("user/") else "/sys", name[0], name[1], topic)
