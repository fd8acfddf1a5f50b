"""A device whose releases come over the air; `python -m tools ota` makes them (firmware/guides/ota.md)."""

import json

import aliot
from aliot.device import Device

RELEASE = "1.0.0"  # what a cable brought; a package says its own


def main():
    device = Device()
    device.start()
    while device.credential.method:  # a board that registers does so first
        device.poll(0)
    from aliot.ota.updates import Updates

    updates = Updates(device, RELEASE, on_reset=lambda: print(json.dumps({"app": "resets for a release"})))
    while True:
        updates.poll(1000)  # instead of device.poll


aliot.run(main)
