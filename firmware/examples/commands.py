"""Answers the platform: properties to set, a service to call; direct.md 7. Copy it to the board as /main.py."""

import json

import aliot
from aliot.device import Device


def main():
    device = Device()
    properties = {"Switch": 0}

    def answer(topic, asked, data):
        device.publish(topic + "_reply", json.dumps({"id": asked["id"], "code": 200, "data": data}))

    def on_set(topic, payload):
        asked = json.loads(payload)
        wanted = asked["params"].get("Switch")
        if wanted in (0, 1):  # whatever else the cloud may send
            properties["Switch"] = wanted
        print(json.dumps({"app": "set", "state": properties}))
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


aliot.run(main)
