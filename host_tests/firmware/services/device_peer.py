"""The scripted peer of host_tests/firmware/thing with the rest of what a started Device has: topics, bytes, errors."""

import json

from aliot import alink, topics
from aliot.errors import AliotError, LinkError
from peer import PREFIX, Peer

NAMES = "a1ThingPk01/dev_0001"


class DevicePeer(Peer):
    """`answer(topic, message)` may also return a list of (topic, message) that the platform says.

    `message` is a dict, or the bytes of what is none. `failures` lists what handlers have raised.
    """

    timeout = 1000

    def __init__(self, answer=None):
        super().__init__(answer)
        self.subscribed = []
        self.failures = []

    def on(self, topic, handler):
        self.handlers.append(lambda name, payload: self._match(topic, handler, name, payload))

    def _match(self, pattern, handler, topic, payload):
        if not topics.matches(self.full_topic(pattern), topic):
            return
        try:
            handler(topic, payload)
        except AssertionError:
            raise
        except Exception as problem:  # as Device._message
            self.failures.append(problem)

    def subscribe(self, topic, handler=None, qos=0):
        self.subscribed.append(topic)
        if handler:
            self.on(topic, handler)

    def full_topic(self, topic):
        return "/%s/%s" % (NAMES, topic) if topic.startswith("user/") else super().full_topic(topic)

    def publish(self, topic, payload, qos=0):
        if not self.client:
            raise LinkError("not connected", "offline")
        topic = self.full_topic(topic)
        topic = topic[len(PREFIX) :] if topic.startswith(PREFIX) else topic
        payload = payload.encode() if isinstance(payload, str) else bytes(payload)
        message = alink.parsed(payload)
        message = payload if message is None else message
        self.sent.append((topic, message))
        found = self.answer and self.answer(topic, message)
        if isinstance(found, tuple):
            code, data = found
            reply = {"id": message["id"], "code": code, "data": data, "message": "m"}
            found = [(topic + "_reply", reply)]
        for topic, message in found or ():
            self.deliver(topic, message)

    def deliver(self, topic, message):
        if isinstance(message, str):
            message = message.encode()
        super().deliver(topic, message)

    def skip(self, ms):
        self.ms += ms

    def wait(self, ms=1):
        """Let the device handle all that was said."""
        while self.queue:
            self.serve(ms)


def raised(action, *arguments, **named):
    """The AliotError that it raises; its advice is not empty."""
    try:
        action(*arguments, **named)
    except AliotError as problem:
        assert problem.advice, problem.code
        return problem
    raise AssertionError("nothing was raised")


def dumped(value):
    return json.dumps(value).encode()
