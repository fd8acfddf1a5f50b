"""An application to keep and change: brings the device online, posts uptime and free memory, answers the platform.

/config.json: {"ssid": "...", "password": "...", "endpoint": {"region": ..., "instance": ..., "host": ..., "port": ...},
"keepalive": 300, "timeout": 15000, "watchdog": 0, "ntp": [...], "every": 60}; the identity is never in it.
"""

import gc
import json
import time

import aliot
from aliot import memory
from aliot.device import Device
from aliot.errors import AliotError

POST = "thing/event/property/post"
SET = "thing/service/property/set"


def main():
    device = Device()

    def on_reply(topic, payload):
        print(json.dumps({"app": "acknowledged", "code": json.loads(payload).get("code")}))

    def on_set(topic, payload):
        answer = {"id": json.loads(payload)["id"], "code": 200, "data": {}}
        device.publish(topic + "_reply", json.dumps(answer))

    device.subscribe(POST + "_reply", on_reply)
    device.subscribe(SET, on_set)
    device.start()
    every = device.config.get("every", 60) * 1000
    count = uptime = 0
    due, last = 0, time.ticks_ms()
    while True:
        device.poll(500)
        now = time.ticks_ms()
        uptime += time.ticks_diff(now, last)
        last = now
        if device.connected and uptime >= due:
            gc.threshold(16384)
            due = uptime + every
            count += 1
            params = {"Uptime": uptime // 1000, "FreeMemory": memory.free(), "FreeCHeap": memory.c_heap()[0]}
            message = {
                "id": str(count),
                "version": "1.0",
                "params": params,
                "method": "thing.event.property.post",
            }
            try:
                device.publish(POST, json.dumps(message), 1)
                print(json.dumps({"app": "posted", "id": count}))
            except AliotError:
                pass  # the device has said so, and connects again


aliot.run(main)
