"""A platform that answers a gateway by a script, and its sub-devices."""

import json
import os
import time
import aliot.ticks
from aliot.errors import LinkError
from aliot.gateway import Gateway

KEY = "a1SubProdKy"
GATEWAY = "/a1GwProdKey/gw_0001"
PERIOD = time.ticks_add(0, -1) + 1  # of the chip's ticks


def sub(*numbers):
    return [(KEY, "sensor-%02d" % number) for number in numbers]


def secret(name):
    return (name[1].replace("-", "") * 4)[:32]


class Client:
    busy = False
    stream = None
    limit = 8192

    def __init__(self):
        self.subscribed = []

    def subscribe(self, topic, qos=0):
        self.subscribed.append(topic)


class Platform:
    """A Device whose connection leads to a script: `answers` maps the end of a topic to a function."""

    product_key, device_name, clean = "a1GwProdKey", "gw_0001", True
    connected = True

    class session:
        random = staticmethod(lambda n: 0)

    def __init__(self, **settings):
        for name in ("/subs", "/subs.new"):
            try:
                os.remove(name)
            except OSError:
                pass
        self.ms = 0
        aliot.ticks.ticks_ms = lambda: self.ms % PERIOD
        aliot.ticks._last = aliot.ticks._passed = 0
        self.config = {}
        self.store = None
        self.client = Client()
        self.topics = {}
        self.asked = []  # (tail of the topic, request)
        self.answers = {}
        self.waiting = []
        self.states = []
        self.published = []
        self.gateway = self.again(**settings)

    def again(self, **settings):
        self.handlers = []
        settings.setdefault("timeout", 15)
        settings.setdefault("spread", 0)
        return Gateway(self, path="/subs", **settings)

    # What a Gateway takes of a Device.

    def on(self, topic, handler):
        self.handlers.append(handler)

    def handler(self, topic, payload):
        for handler in self.handlers:
            handler(topic, payload)

    def watch(self, handler):
        pass

    def state(self, state, fields):
        self.states.append((state, fields))

    def subscribe(self, topic):
        self.topics[topic] = 0

    def poll(self, ms=0):
        self.serve(ms)

    def serve(self, ms):
        if self.waiting:
            self.handler(*self.waiting.pop(0))
        else:
            self.ms += max(ms, 1)

    def call(self, action, *arguments):
        action(self.client, *arguments)

    def publish(self, topic, payload, qos=0):
        if not self.connected:
            raise LinkError("not connected", "offline")
        for tail in (
            "register",
            "product_register",
            "topo/add",
            "topo/delete",
            "topo/get",
            "list/found",
            "combine/login",
            "batch_login",
            "combine/logout",
            "batch_logout",
        ):
            if GATEWAY in topic and topic.endswith(tail):
                request = json.loads(bytes(payload))
                self.asked.append((tail, request))
                answer = self.answers.get(tail, good)(request)
                if answer is not None:
                    answer.setdefault("id", request["id"])
                    self.deliver(topic + "_reply", answer)
                return
        self.published.append((topic, payload, qos))

    def deliver(self, topic, what):
        self.waiting.append((topic, json.dumps(what).encode()))

    # What tests ask.

    def tails(self):
        return [tail for tail, request in self.asked]

    def run(self, times=30):
        for _ in range(times):
            self.gateway.poll(0)

    def bring(self, *numbers):
        assert self.gateway.bring_online(sub(*numbers)) == []
        self.asked.clear()

    def events(self):
        return [
            (fields["event"], fields.get("code", 0)) for state, fields in self.states if state == "subdevice"
        ]


def items(request):
    params = request["params"]
    if isinstance(params, dict):
        params = params.get("deviceList") or params.get("proxieds") or [params]
    return [(item["productKey"], item["deviceName"]) for item in params if "deviceName" in item]


def good(request, leave=()):
    data = [
        {"productKey": name[0], "deviceName": name[1], "deviceSecret": secret(name)}
        for name in items(request)
        if name not in leave
    ]
    return {"code": 200, "data": data, "message": "success"}


def refuses(code, names=None):
    """An answer that refuses a request with one of `names` in it, as a whole."""

    def answer(request):
        if names is None or any([name in names for name in items(request)]):
            return {"code": code, "data": {}, "message": "because"}
        return good(request)

    return answer


def lost(times, answer=good):
    """An answer that is lost so many times."""
    left = [times]

    def maybe(request):
        left[0] -= 1
        return answer(request) if left[0] < 0 else None

    return maybe
