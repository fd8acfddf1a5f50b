"""Answers what the platform asks: properties to set, a service to call; direct.md 7. Copy it to the board as /main.py."""

import json

from aliot.device import Device
from aliot.errors import AliotError
from aliot.wifi import Wifi

with open("/config.json") as file:
    config = json.load(file)
device = Device(config, Wifi(config["ssid"], config["password"]))
state = {"Switch": 0}


def answer(topic, asked, data):
    try:
        device.publish(topic + "_reply", json.dumps({"id": asked["id"], "code": 200, "data": data}))
    except AliotError as problem:
        print(problem.code, problem.advice)


def on_set(topic, payload):
    asked = json.loads(payload)
    state.update(asked["params"])
    print(json.dumps({"app": "set", "state": state}))
    answer(topic, asked, {})


def on_service(topic, payload):
    asked = json.loads(payload)
    name = topic.rsplit("/", 1)[1]
    print(json.dumps({"app": "called", "service": name}))
    answer(topic, asked, {"Echo": asked["params"]})


device.subscribe("thing/service/property/set", on_set, 1)
device.subscribe("thing/service/echo", on_service)
device.start()
while True:
    device.poll(1000)
