"""The least that is a device: online, a word every minute, and an echo. Copy it to the board as /main.py."""

import time

import aliot
from aliot.device import Device
from aliot.errors import AliotError


def main():
    device = Device()

    def on_get(topic, payload):
        print("got", payload)
        device.publish("user/update", payload)

    device.subscribe("user/get", on_get)
    device.start()
    last = None
    while True:
        if device.poll(1000) and (last is None or time.ticks_diff(time.ticks_ms(), last) > 60000):
            last = time.ticks_ms()
            try:
                device.publish("user/update", "hello", 1)
                print("sent")
            except AliotError as problem:
                print(problem.code, problem.advice)


aliot.run(main)
