"""A device beside other tasks: poll(0) never blocks while connected.

While it is offline, one poll takes as long as the connect it tries, at most `timeout` ms and a DNS look-up;
the other tasks stand still for that time. Copy it to the board as /main.py.
"""

import asyncio
import json

import aliot
from aliot.device import Device
from aliot.errors import AliotError


async def serve(device):
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


async def report(device):
    count = 0
    while True:
        if device.connected:
            count += 1
            message = {
                "id": str(count),
                "version": "1.0",
                "params": {"Count": count},
                "method": "thing.event.property.post",
            }
            try:
                device.publish("thing/event/property/post", json.dumps(message))
                print(json.dumps({"app": "posted", "count": count}))
            except AliotError as problem:
                print(json.dumps({"app": "not posted", "code": problem.code}))
        await asyncio.sleep(1)


async def tasks():
    device = Device()
    device.start()
    await asyncio.gather(serve(device), blink(), report(device))


aliot.run(lambda: asyncio.run(tasks()))
