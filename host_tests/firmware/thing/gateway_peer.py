"""A gateway with Things of sub-devices, and the platform at its other end, on a clock that the test turns."""

import json

from aliot import clock
from aliot.errors import LinkError
from aliot.gateway.subdevice import Subdevice
from aliot.thing import Thing
from gateway_platform import GATEWAY, Client, Platform, sub

NOW = 1800000000
OWN = "/sys" + GATEWAY + "/"


def prefix(number):
    return "/sys/%s/%s/" % sub(number)[0]


class Site(Platform):
    """`sent` lists (topic, message) of what Things sent; `reply(topic, message)` is (code, data), or None: silence."""

    def __init__(self, *numbers, **settings):
        self.sent = []
        self.watchers = []
        self.starved = 0
        self.reply = lambda topic, message: (200, {})
        clock.server = "server"
        clock.utc = lambda: NOW + self.ms // 1000
        super().__init__(**settings)
        self.things = {number: Thing(Subdevice(self.gateway, *sub(number)[0])) for number in numbers}

    # What Things take of a Device.

    def full_topic(self, topic):
        return topic if topic[0] in "/#" else OWN + topic

    def watch(self, handler):
        self.watchers.append(handler)

    def state(self, state, fields):
        super().state(state, fields)
        for handler in self.watchers:
            handler(state, fields)

    def poll(self, ms=0):
        self.serve(ms)
        return self.connected

    def publish(self, topic, payload, qos=0):
        topic = self.full_topic(topic)
        if "/thing/event/" not in topic and "/thing/property/" not in topic:
            super().publish(topic, payload, qos)
            return
        if not self.connected:
            raise LinkError("not connected", "offline")
        message = json.loads(payload)
        self.sent.append((topic, message))
        found = self.reply(topic, message)
        if found:
            self.deliver(topic + "_reply", {"id": message["id"], "code": found[0], "data": found[1]})

    # What happens, and what came of it.

    def drop(self):
        """The connection ends; what the platform had sent is lost."""
        self.connected = self.client = None
        self.waiting = []
        self.state("offline", {})

    def connect(self):
        self.client = Client()
        self.connected = True
        self.state("connected", {})

    def go(self, ms):
        """Poll each Thing for so much time."""
        end = self.ms + ms
        while self.ms < end or self.waiting:
            for number in self.things:
                self.things[number].poll(max(10, ms // 40))

    def messages(self, topic):
        return [message for name, message in self.sent if name == topic]

    def where(self):
        return [topic for topic, message in self.sent]
