"""A device whose connection leads to a script, and the platform at its other end, on a clock that the test turns."""

import json
import time

import aliot.ticks
from aliot.errors import LinkError

PERIOD = time.ticks_add(0, -1) + 1  # of the chip's ticks
PREFIX = "/sys/a1ThingPk01/dev_0001/"


class Client:
    busy = False


class Peer:
    """A Device, as far as a Requests takes it; `answer(topic, message)` returns (code, data), or None for silence.

    `sent` lists (topic below the prefix, message) of all that went out; `deliver(topic, message)` is a message of the
    platform's, handled by the next serve().
    """

    product_key, device_name, extra = "a1ThingPk01", "dev_0001", ""

    def __init__(self, answer=None):
        self.answer = answer
        self.client = Client()
        self.sent = []
        self.queue = []
        self.states = []
        self.handlers = []
        self.watchers = []
        self.ms = 0
        aliot.ticks.ticks_ms = lambda: self.ms % PERIOD
        aliot.ticks._last = aliot.ticks._passed = 0

    def restart(self):
        """The same peer for a program that starts anew; what was on its way is lost."""
        for name in ("requests", "last_id", "paces"):
            if hasattr(self, name):
                delattr(self, name)
        self.queue = []
        self.handlers = []
        self.watchers = []
        self.extra = ""
        self.ms += 5000
        aliot.ticks._last = self.ms % PERIOD
        aliot.ticks._passed = 0

    # What a Device has.

    @property
    def connected(self):
        return self.client is not None

    def on(self, topic, handler):
        self.handlers.append(handler)

    def watch(self, handler):
        self.watchers.append(handler)

    def full_topic(self, topic):
        return topic if topic[0] in "/#" else PREFIX + topic

    def publish(self, topic, payload, qos=0):
        if not self.client:
            raise LinkError("not connected", "offline")
        topic = self.full_topic(topic)
        topic = topic[len(PREFIX) :] if topic.startswith(PREFIX) else topic
        message = json.loads(payload)
        self.sent.append((topic, message))
        found = self.answer and "method" in message and self.answer(topic, message)
        if found:
            code, data = found
            self.deliver(topic + "_reply", {"id": message["id"], "code": code, "data": data, "message": "m"})

    def serve(self, ms):
        if self.queue:
            topic, payload = self.queue.pop(0)
            self.client.busy = True
            try:
                for handler in self.handlers:
                    handler(topic, payload)
            finally:
                if self.client:
                    self.client.busy = False
        else:
            self.ms += max(ms, 1)
            aliot.ticks.uptime()

    def poll(self, ms=0):
        self.serve(ms)
        return self.connected

    def state(self, state, fields):
        self.states.append((state, fields))
        for handler in self.watchers:
            handler(state, fields)

    # The platform's side.

    def deliver(self, topic, message):
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.queue.append((self.full_topic(topic), payload))

    def disconnect(self):
        """The connection ends; what the platform had sent is lost."""
        self.client = None
        self.queue = []
        self.state("offline", {})

    def connect(self):
        self.client = Client()
        self.state("connected", {})

    def topics(self):
        return [topic for topic, message in self.sent]

    def messages(self, topic):
        return [message for name, message in self.sent if name == topic]

    def run(self, requests, ms):
        """Poll for so much time."""
        end = self.ms + ms
        while self.ms < end or self.queue:
            requests.poll(min(100, max(end - self.ms, 1)))
