import gc
import sys
import time

import stopwatch
from aliot.device import Device
from aliot.wifi import Wifi

# aliot connects, publishes and disconnects, whenever it is told to; see link.py
PAYLOAD = b'{"id":"1","version":"1.0","params":{"Uptime":1234,"FreeMemory":56789}}'
device = Device({}, Wifi("bench", "password"))
connected = 0


def watch(state, fields):
    global connected
    if state == "connected":
        connected = stopwatch.taken()


device.watch(watch)
device.start()
while not device.poll(0):
    pass
gc.threshold(-1)  # MicroPython's own, as in the scripts; boot.py collects more often while modules load
device.stop()
while True:
    count = int(sys.stdin.readline())
    device.session.attempts = []  # a bench connects more than five times a minute
    stopwatch.arm()
    while not device.poll(0):
        pass
    began = time.ticks_us()
    for _ in range(count):
        device.publish("user/bench", PAYLOAD, 1)
    published = time.ticks_diff(time.ticks_us(), began)
    device.stop()
    print("took %d %d" % (connected, published))
