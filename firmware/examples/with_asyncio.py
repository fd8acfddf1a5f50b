"""A device beside other tasks: poll(0) never blocks while connected.

While it is offline, one poll takes as long as the connect it tries, at most `timeout` ms and a DNS look-up;
the other tasks stand still for that time. Copy it to the board as /main.py.
"""

import asyncio
import json

from aliot.device import Device
from aliot.errors import AliotError
from aliot.wifi import Wifi

with open("/config.json") as file:
    config = json.load(file)
device = Device(config, Wifi(config["ssid"], config["password"]), timeout=5000)


async def serve():
    while True:
        device.poll(0)
        await asyncio.sleep(0.02)


async def blink():
    """Stands for whatever else the board does."""
    count = 0
    while True:
        count += 1
        if count % 50 == 0:
            print(json.dumps({"app": "blinked", "count": count}))
        await asyncio.sleep(0.01)


async def report():
    count = 0
    while True:
        if device.connected:
            count += 1
            message = {"id": str(count), "version": "1.0", "params": {"Count": count}, "method": "thing.event.property.post"}
            try:
                device.publish("thing/event/property/post", json.dumps(message))
                print(json.dumps({"app": "posted", "count": count}))
            except AliotError as problem:
                print(json.dumps({"app": "not posted", "code": problem.code}))
        await asyncio.sleep(1)


async def main():
    device.start()
    await asyncio.gather(serve(), blink(), report())


asyncio.run(main())
