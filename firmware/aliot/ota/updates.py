"""Releases that the platform sends: asked for, or pushed, downloaded, verified, tried; application.md 5.

    updates = Updates(device, "1.0.0")              after device.start(), before it connects
    while True:
        updates.poll(100)                           instead of the device's; the poll of a Thing serves it too

After each connect the board publishes its version and asks for a package; with two slots also the version of its
firmware, the module `firmware`. A package that it is offered goes where nothing runs (aliot.ota.writer), a step with
each poll: one connect over HTTPS, which the device's timeout bounds, or at most 1 KB of the package, 4 KB of files read
back, one file deleted. An update under way outlives lost connections and power cuts; the old version is not published
meanwhile, at which the platform would end the task (5.8).

During a download over HTTPS a second TLS connection is open beside that of MQTT where memory allows it: of a plain
device's C heap 63 KB are free, a handshake takes 36 of them for a moment and 28 from then on. Where it does not, with a
Thing or as a gateway, the connection of MQTT is ended in good order until the download has come to its end. Blocks over
MQTT need no second one.
"""

import os
import sys

from aliot import load, unload
from aliot.alink import number, parsed
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.ticks import Deadline, uptime
from micropython import const

_GET = "thing/ota/firmware/get"
_SLICE = const(500)  # ms between two looks at what is to be done
_QUICK = const(10)  # the same while an update is under way; 0 while what it downloads is there
_HOLD = const(5000)  # ms that the device stays away from MQTT, step by step
_ANSWER = const(10000)
_KEPT = ("updates", "trial", "choice", "slots")  # of this folder, once they are in memory
_AGAIN = const(60000)  # ms until a question without an answer is asked again


class Updates:
    """The updates of `device`.

    version     of the release that a cable brought; that of an update is in its manifest
    allowed     called when an update could begin, and again when the board could reset for it: False is not now, and
                it is asked again at the next poll. None: always
    on_reset    called before that reset
    """

    offer = None  # (what the platform says of a package, whether it pushed it)
    update = None  # the aliot.ota.update.Update under way
    failure = None  # (step, text, module) that the platform has to be told
    trial = False  # the release that runs is on trial, and takes no other
    due = False  # the device has connected
    noted = ""  # module and digest of the package that was under way when power went, and how it was taken
    refused = ""  # the digest of the package that was not taken last
    asked = 0  # uptime when a question is asked again, 0 for none
    silent = False  # a failure was reported just now: the platform is not asked for more
    heard = False

    def __init__(self, device, version, allowed=None, on_reset=None):
        self.device = device
        self.version = version
        self.allowed = allowed
        self.on_reset = on_reset
        if not device.extra:
            device.extra = ",_ss=1"  # the platform subscribes the device to its system topics
        device.on(_GET + "_reply", self._got)
        device.watch(self._state)

    def poll(self, ms=0):
        """Instead of the device's poll: serves it, and what else polls it, for `ms`; whether it is connected."""
        try:
            served = self.device.requests
        except AttributeError:
            served = None
        if served:  # of a Thing or a service: self.work is among its duties
            return served.poll(ms)
        deadline = Deadline(ms)
        while True:
            self.device.poll(min(deadline.left(), self.slice()))
            self.work()
            if not deadline.left():
                return self.device.connected

    def ask(self):
        """Ask for a package; the answer comes with a poll to come. LinkError."""
        self.asked = uptime() + _ANSWER
        module = self.update.task["module"] if self.update else self.noted.split(" ")[0] or "default"
        body = '{"id":"%d","version":"1.0","params":{"module":"%s"},"method":"thing.ota.firmware.get"}'
        self.device.publish(_GET, body % (int.from_bytes(os.urandom(3), "little"), module))

    def work(self):
        """The next step of what is to be done."""
        device = self.device
        update = self.update
        try:
            if device.connected:
                self._talk()
        except (LinkError, ProtocolError):
            return  # the device has said so, and connects again
        except MemoryError as problem:
            self._failed(problem)
        if update and update is self.update and (device.connected or update.alone):
            if update.alone:
                device.session.after = uptime() + _HOLD
            try:
                next(update.run)
            except (AliotError, OSError, MemoryError) as problem:
                self._failed(problem)
        elif update and update.writer:  # the device has to connect: that takes memory
            load("ota.progress").shed(update)
            unload("ota.progress")
        try:
            device.requests.slice = self.slice()
        except AttributeError:
            pass

    def slice(self):
        """ms that a poll may wait before the next step."""
        return _SLICE if not self.update else 0 if self.update.active else _QUICK

    def _failed(self, problem):
        self.offer = None
        clear()
        load("ota.offer").failed(self, problem)
        unload("ota.offer", "advice")

    def may(self):
        """Whether the application allows what is next."""
        return not self.allowed or self.call(self.allowed)

    def call(self, handler):
        """What an application's handler, if there is one, returns; what it raises becomes a line of state."""
        try:
            return handler and handler()
        except Exception as problem:
            load("crash").handler_failed(self.device, problem, "")

    def _talk(self):
        """What there is to ask, or to say."""
        if self.failure:
            load("ota.report").failed(self.device, *self.failure)
            self.failure = None
            self.due = self.silent = True
        if self.due:
            if not self.update:
                self.trial, failed, self.noted = load("ota.report").connected(self.device, self.version)
                unload("ota.report")
                if not self.trial and not failed and not self.silent:
                    self.ask()
            self.due = self.silent = False
        elif self.offer and self.trial:
            self.offer = None
        elif self.offer:
            if load("ota.offer").take(self, *self.offer):
                self.offer = None
                unload("ota.offer")
                if not self.update:
                    clear()
        elif self.asked and uptime() >= self.asked and (self.noted or self.update):
            self.ask()
            self.asked += _AGAIN

    # What comes in.

    def _state(self, state, fields):
        if state != "connected":
            return
        self.due = True
        device = self.device
        if not self.heard:  # only now an X.509 board knows its name
            self.heard = True
            device.on("/ota/device/upgrade/%s/%s" % (device.product_key, device.device_name), self._pushed)
            try:
                device.requests.duties.append(self.work)
            except AttributeError:
                pass

    def _pushed(self, topic, payload):
        self._offered(parsed(payload) or {}, True)

    def _got(self, topic, payload):
        message = parsed(payload) or {}
        if number(message.get("code")) == 200:
            self.asked = 0
            self._offered(message, False)

    def _offered(self, message, pushed):
        data = message.get("data")
        if isinstance(data, dict) and (data or self.noted or self.update):
            if data.get("module", "default") in ("default", "firmware"):
                # the answer to a question does not take back that the package was pushed just before
                self.offer = data, pushed or bool(self.offer) and self.offer[1]


def clear():
    """What an update needs goes."""
    unload("ota.request")
    unload(*[name[6:] for name in sys.modules if name[:10] == "aliot.ota." and name[10:] not in _KEPT])
