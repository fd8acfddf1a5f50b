"""An application to keep and change: joins Wi-Fi, brings the device online, posts uptime and free memory.

/config.json: {"ssid": "...", "password": "...", "endpoint": {"region": ..., "instance": ..., "host": ..., "port": ...},
"keepalive": 300, "timeout": 15000, "watchdog": 0, "ntp": [...], "every": 60}; the identity is never in it.
"""

import gc
import json
import time

from aliot import part
from aliot.device import Device
from aliot.errors import AliotError
from aliot.wifi import Wifi

POST = "thing/event/property/post"
SET = "thing/service/property/set"


def settings(path):
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return {}
    except ValueError:
        raise ValueError(path + " is not JSON")


def main(config):
    config.update(settings("/config.json"))
    wifi = Wifi(config["ssid"], config.get("password", "")) if "ssid" in config else None
    device = Device(config, wifi, keepalive=config.get("keepalive", 300), timeout=config.get("timeout", 15000),
                    watchdog=config.get("watchdog", 0))

    def on_reply(topic, payload):
        print(json.dumps({"app": "acknowledged", "code": json.loads(payload).get("code")}))

    def on_set(topic, payload):
        answer = {"id": json.loads(payload)["id"], "code": 200, "data": {}}
        device.publish(topic + "_reply", json.dumps(answer))

    device.subscribe(POST + "_reply", on_reply)
    device.subscribe(SET, on_set)
    device.start()
    every = config.get("every", 60) * 1000
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
            params = {"Uptime": uptime // 1000, "FreeMemory": gc.mem_free()}
            message = {"id": str(count), "version": "1.0", "params": params, "method": "thing.event.property.post"}
            try:
                device.publish(POST, json.dumps(message), 1)
                print(json.dumps({"app": "posted", "id": count}))
            except AliotError:
                pass  # the device has said so, and connects again


config = {}
try:
    main(config)
except KeyboardInterrupt:
    print("stopped")
except Exception as problem:
    part("restart").after(problem, config.get("watchdog"))
