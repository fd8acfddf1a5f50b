"""A thermostat: decides for itself, tells the cloud, and takes the cloud's target; direct.md 7. A project of its own.

/config.json: `target` in degrees, until the cloud sets another; `every`, the seconds between two posts.
"""

import json
import time

import aliot
from aliot.device import Device
from aliot.errors import AliotError
from thermostat import Thermostat

POST, SET = "thing/event/property/post", "thing/service/property/set"


def read():
    """The temperature of the room: replace it by your sensor."""
    return 19.0


def main():
    device = Device()

    def on_set(topic, payload):
        asked = json.loads(payload)
        code = 200 if thermostat.set_target(asked["params"].get("Target")) else 460
        device.publish(topic + "_reply", json.dumps({"id": asked["id"], "code": code, "data": {}}))
        post()

    def post():
        temperature = read()
        params = {"Temperature": temperature, "Target": thermostat.target}
        params["Heating"] = int(thermostat.feel(temperature))
        message = {"id": "1", "version": "1.0", "params": params, "method": "thing.event.property.post"}
        device.publish(POST, json.dumps(message))
        print(json.dumps({"app": "posted", "params": params}))

    device.subscribe(SET, on_set)
    device.start()
    thermostat = Thermostat(device.config.get("target", 20))
    every = device.config.get("every", 60) * 1000
    last = None
    while True:
        if device.poll(1000) and (last is None or time.ticks_diff(time.ticks_ms(), last) > every):
            last = time.ticks_ms()
            try:
                post()
            except AliotError:
                pass  # the device has said so, and connects again


aliot.run(main)
