"""Requests to the platform and their replies, and the platform's requests to the device; application.md 1.

One Requests serves a device: `of(device)` gives it to a Thing and to each service. A service has no MQTT of its own:

    self.requests = of(device)
    self.requests.on("thing/config/push", self._push)       handler(topic, message), the message a dict
    self.requests.send("thing/tags", params, self._done)    on_reply(data, problem), problem None or a ThingError
    data = self.requests.ask("thing/config/get", params)    the same, waits; ThingError, LinkError
    self.requests.answer(topic, message, 200, data)         to `topic` + "_reply"
    self.requests.duties.append(self._work)                 called at each poll(), without arguments
    self.requests.connects.append(self._begin)              called when the device has connected

What is no Alink envelope (shadow, time, raw data, RRPC of one's own) uses device.on and device.publish.
"""

import json
import os
from time import sleep_ms

from aliot import alink, feed, load, pace
from aliot.thing.errors import ThingError
from aliot.ticks import Deadline, uptime
from micropython import const

_SLICE = const(500)  # ms between two looks at what is overdue
_SMALL = {"separators": (",", ":")}


def of(device):
    """The Requests of a device (a Device, or a Subdevice); made at the first call.

    It has to be made before the device connects: `_ss=1` in CONNECT lets the platform subscribe the device to its
    system topics.
    """
    try:
        return device.requests
    except AttributeError:
        device.requests = Requests(device)
        return device.requests


def dumped(value):
    """`value` as JSON without blanks."""
    return json.dumps(value, **_SMALL)


class Requests:
    """What one device asks, and is asked.

    Topics are as a Device takes them: `thing/...` below /sys/{pk}/{dn}/, others complete, from `/` on.
    """

    slice = _SLICE

    def __init__(self, device):
        self.device = device
        self.waiting = {}  # id -> (topic, uptime when nobody waits any more, on_reply)
        self.handlers = []
        self.duties = []
        self.connects = []
        if not device.extra:
            device.extra = ",_ss=1"
        # ids of another run may wait in a file: no two runs begin alike
        device.last_id = getattr(device, "last_id", 0) or int.from_bytes(os.urandom(4), "little") >> 1
        device.on("#", self._message)
        device.watch(self._state)

    def on(self, topic, handler):
        """handler(topic, message) for a request of the platform's on that topic; `#` at its end takes all below.

        `message` is a dict, the Alink request; what is none is dropped. The topic is given as `on` takes it. A handler
        runs while a message is handled: it may send() and answer(), not ask(). What it raises becomes a line of state.
        """
        self.handlers.append((topic, handler))

    def send(self, topic, params, on_reply=None, timeout=10000, method=None, id=None):
        """Send a request (QoS 0) and return its id; does not wait for the reply.

        on_reply(data, problem) is called once: with the reply's `data` and None; with None and a ThingError, whose code
        is the platform's or `silent` after `timeout` ms or at the next connect. Replies that nobody waits for are
        dropped. `params` is what JSON can hold. `method` is the topic with dots where it is not given. `id` sends a
        request again under the id that it had. LinkError when there is no connection. It waits up to a second where the
        platform's rate asks for it.
        """
        if id is None:
            id = pace.next_id(self.device)
            while id in self.waiting:
                id = pace.next_id(self.device)
        body = '{"id":"%d","version":"1.0","params":%s,"method":"%s"}' % (
            id,
            dumped(params),
            method or topic.replace("/", "."),
        )
        if on_reply:
            self.waiting[id] = (topic + "_reply", uptime() + timeout, on_reply)
        try:
            self.publish(topic, body)
        except BaseException:
            self.waiting.pop(id, None)
            raise
        return id

    def ask(self, topic, params, timeout=10000, method=None):
        """Send a request and return the `data` of its reply; ThingError for another code than 200, or none in time.

        LinkError when the connection ends. Not from a handler: ThingError `handler`.
        """
        return load("thing.asking").ask(self, topic, params, timeout, method)

    def answer(self, topic, message, code=200, data=None, text="success"):
        """Answer a request of the platform's, on `topic` + "_reply", with its id as it came; application.md 1.1."""
        load("thing.asking").respond(self, topic + "_reply", message, code, data, text)

    def publish(self, topic, payload):
        """Publish with QoS 0 within the rate that the device's requests share; application.md 4."""
        last = pace.paces(self.device)
        while True:
            wait = pace.pause(last, uptime())
            if not wait:
                break
            feed()
            sleep_ms(wait)
        last.append(pace.noted(uptime()))
        self.device.publish(topic, payload)

    def room(self):
        """Whether publish() would send at once: there is a connection, and the rate leaves room."""
        return self.device.connected and not pace.pause(pace.paces(self.device), uptime())

    def poll(self, ms=0):
        """Instead of the device's poll: serves it for `ms`, ends what waits too long, does the services' duties."""
        deadline = Deadline(ms)
        while True:
            self.device.poll(min(deadline.left(), self.slice))
            self.cancel()
            for duty in self.duties:
                duty()
            if not deadline.left():
                return self.device.connected

    def cancel(self, every=False):
        """End the waiting of what is overdue, or of every request."""
        now = uptime()
        for id in list(self.waiting):
            topic, end, on_reply = self.waiting[id]
            if every or now >= end:
                del self.waiting[id]
                on_reply(None, ThingError("silent", topic))

    def _state(self, state, fields):
        if state == "connected":
            self.cancel(True)
            for begin in self.connects:
                begin()

    def _message(self, topic, payload):
        prefix = self.device.full_topic("thing/")[:-6]
        if topic.startswith(prefix):
            topic = topic[len(prefix) :]
        if topic.endswith("_reply"):
            self._reply(topic, payload)
            return
        message = None
        for wanted, handler in self.handlers:
            if wanted == topic or wanted[-1] == "#" and topic.startswith(wanted[:-1]):
                message = message or alink.parsed(payload)
                if message is not None:
                    handler(topic, message)

    def _reply(self, topic, payload):
        if not self.waiting:
            return
        message = alink.parsed(payload) or {}
        id = alink.number(message.get("id"))
        if self.waiting.get(id, " ")[0] == topic:
            on_reply = self.waiting.pop(id)[2]
            code = alink.number(message.get("code"))
            if code == 200:
                on_reply(message.get("data"), None)
            else:
                on_reply(None, ThingError(code, str(message.get("message", ""))))
