"""An application to keep and change: brings the device online, posts uptime and free memory, answers the platform.

/config.json: {"ssid": "...", "password": "...", "endpoint": {"region": ..., "instance": ..., "host": ..., "port": ...},
"keepalive": 300, "timeout": 15000, "watchdog": 0, "ntp": [...], "every": 60}; the identity is never in it.
"""

import gc
import time

import aliot
from aliot import memory
from aliot.device import Device


def main():
    device = Device()
    device.start()
    while device.credential.method:  # it registers, once: not with all of a Thing in memory
        device.poll(0)
        time.sleep_ms(50)
    from aliot.thing import Thing

    thing = Thing(device)
    every = device.config.get("every", 60)

    @thing.property("Interval")  # seconds between two posts: the platform may set them
    def interval(seconds):
        nonlocal every
        every = max(1, int(seconds))
        return every

    uptime = due = waiting = 0
    last = time.ticks_ms()
    while True:
        thing.poll(500)
        now = time.ticks_ms()
        uptime += time.ticks_diff(now, last)
        last = now
        if device.connected and uptime >= due:
            gc.threshold(16384)
            due = uptime + every * 1000
            thing.post(Uptime=uptime // 1000, FreeMemory=memory.free(), FreeCHeap=memory.c_heap()[0])
            print('{"app": "posted"}')
        if len(thing.outbox) < waiting:
            print('{"app": "acknowledged", "code": 200}')
        waiting = len(thing.outbox)


aliot.run(main)
