"""A gateway: sub-devices registered, attached and online, a property each every minute. Copy it as /main.py.

Stored secrets are used again after a boot. "subdevices" in /config.json is a list of [ProductKey, DeviceName]; they
were created in the console, whose product has dynamic registration on. Where they are radio devices, replace
`read` by what your radio last heard of one.
"""

import json
import time

from aliot.device import Device
from aliot.errors import AliotError
from aliot.gateway import Gateway, advice
from aliot.wifi import Wifi

with open("/config.json") as file:
    config = json.load(file)
subdevices = [(product_key, device_name) for product_key, device_name in config["subdevices"]]
device = Device(config, Wifi(config["ssid"], config["password"]))
gateway = Gateway(device, spread=config.get("spread", 5000))


def read(subdevice):
    """The properties of a sub-device, as its radio tells them."""
    return {"Temperature": 20 + len(subdevice[1])}


def on_set(subdevice, topic, payload):
    asked = json.loads(payload)
    print(json.dumps({"app": "set", "subdevice": subdevice[1], "params": asked["params"]}))
    gateway.publish(subdevice, topic + "_reply", json.dumps({"id": asked["id"], "code": 200, "data": {}}))


def on_event(event, subdevice, code):
    """The platform tells of a sub-device: here, that this gateway should take one in."""
    if event == "attach" and subdevice not in subdevices:
        subdevices.append(subdevice)
        bring_online()


def bring_online():
    """Register, attach and log in, of each what is still to be done."""
    for subdevice, code, message in gateway.bring_online(subdevices):
        print(json.dumps({"app": "not online", "subdevice": subdevice[1], "code": code, "advice": advice(code)}))


def post(subdevice):
    message = {"id": "1", "version": "1.0", "params": read(subdevice), "method": "thing.event.property.post"}
    gateway.publish(subdevice, "thing/event/property/post", json.dumps(message))
    print(json.dumps({"app": "posted", "subdevice": subdevice[1]}))


gateway.on("thing/service/property/set", on_set)
gateway.watch(on_event)
device.start()
brought = False
last = None
while True:
    if not gateway.poll(500):
        continue
    try:
        if not brought:
            bring_online()
            brought = True
        if last is None or time.ticks_diff(time.ticks_ms(), last) > 60000:
            last = time.ticks_ms()
            for subdevice in subdevices:
                if gateway.state_of(subdevice) == "online":
                    post(subdevice)
    except AliotError as problem:
        print(json.dumps({"app": "failed", "code": problem.code, "advice": problem.advice}))
