"""Posts its state at each connect, and takes what the cloud sets."""

import json

import aliot
from aliot.device import Device


def main():
    device = Device()
    state = {"Switch": 0}

    def post():
        message = {"id": "1", "version": "1.0", "params": state, "method": "thing.event.property.post"}
        device.publish("thing/event/property/post", json.dumps(message))

    def on_set(topic, payload):
        asked = json.loads(payload)
        state["Switch"] = 1 if asked["params"].get("Switch") == 1 else 0
        device.publish(topic + "_reply", json.dumps({"id": asked["id"], "code": 200, "data": {}}))
        post()

    device.subscribe("thing/service/property/set", on_set)
    device.watch(lambda name, fields: post() if name == "connected" else None)
    device.start()
    while True:
        device.poll(1000)


aliot.run(main)
