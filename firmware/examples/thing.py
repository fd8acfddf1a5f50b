"""A thermostat with the thing model: a target, a boost, an event, and posts that an outage does not lose.

Copy it to the board as /main.py. /config.json: `period`, the ms between two posts. Where /model.json has a model's
table (tools/image/tsl.py), values are checked before they are sent. Replace `Room` by your sensor and your valve.
"""

import json
import os
import time

import aliot
from aliot.device import Device


class Room:
    """Half a degree warmer at each look, until it is as warm as it should be."""

    temperature = 18.0
    target = 20

    def feel(self):
        self.temperature += min(0.5, max(-0.5, self.target - self.temperature))
        return self.temperature


def main():
    device = Device()
    device.start()
    while device.credential.method:  # a board that registers does so first: not with a Thing in memory
        device.poll(0)
        time.sleep_ms(50)
    from aliot.thing import Outbox, Thing, ThingError  # only now: what a start needs has left the heap

    model = "/model.json" if "model.json" in os.listdir("/") else None
    thing = Thing(device, model, Outbox(60))  # an hour's posts; before the device connects
    room = Room()
    warm = False

    @thing.property("Target")  # set by the platform, or desired while the board was away
    def target(value):
        if not 5 <= value <= 30:
            raise ThingError(100001, "5 to 30 degrees")  # the platform gets this code
        room.target = value
        print('{"app": "target", "value": %s}' % json.dumps(value))

    @thing.service("Boost")  # its inputs by their names; it returns its outputs
    def boost(degrees):
        room.target = min(30, room.target + degrees)
        return {"target": room.target}

    period = device.config.get("period", 60000)
    last = None
    while True:
        thing.poll(100)
        if last is None or time.ticks_diff(time.ticks_ms(), last) > period:
            last = time.ticks_ms()
            temperature = room.feel()
            sent = thing.post(Temperature=temperature, Target=room.target)
            print('{"app": "posted", "temperature": %s, "sent": %d}' % (temperature, sent))
            if (temperature >= room.target) != warm:
                warm = not warm
                if warm:
                    thing.event("Warm", Temperature=temperature)


aliot.run(main)
