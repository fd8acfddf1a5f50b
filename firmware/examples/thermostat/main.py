"""A thermostat: decides for itself, reports to the cloud, takes its target; application.md 3. A project of its own.

/config.json: `target` in degrees, until the cloud sets another; `every`, the seconds between two posts.
"""

import json
import time

import aliot
from aliot.device import Device
from thermostat import Thermostat


def read():
    """The temperature of the room: replace it by your sensor."""
    return 19.0


def main():
    device = Device()
    device.start()
    while device.credential.method:  # a board that registers does so first: not with a Thing in memory
        device.poll(0)
        time.sleep_ms(50)
    from aliot.thing import Thing, ThingError

    thing = Thing(device, "/model.json")  # what the model does not allow is not sent, and answered
    thermostat = Thermostat(device.config.get("target", 20))

    @thing.property("Target")  # set by the cloud, or desired while the board was away
    def target(value):
        if not thermostat.set_target(value):
            raise ThingError(460, "a target is 5 to 30 degrees")

    @thing.service("Boost")  # a degree more: what the button on a wall does
    def boost():
        return {"accepted": thermostat.set_target(thermostat.target + 1)}

    every = device.config.get("every", 60) * 1000
    last, posted = 0, None
    while True:
        thing.poll(500)
        temperature = read()
        state = {"Target": thermostat.target, "Heating": thermostat.feel(temperature)}
        if state != posted or time.ticks_diff(time.ticks_ms(), last) > every:
            last = time.ticks_ms()
            posted = state
            thing.post(state, Temperature=temperature)  # kept while the board is offline
            if temperature > 35:
                thing.event("Overheat", Temperature=temperature)
            print(json.dumps({"app": "posted", "temperature": temperature}))


aliot.run(main)
