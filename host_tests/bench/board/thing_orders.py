import gc
import os
import sys
import time

from aliot.device import Device
from aliot.thing import Thing
from aliot.wifi import Wifi

# a Thing connects, posts and disconnects, whenever it is told to; see posts.py
device = Device({}, Wifi("bench", "password"))
device.start()
thing = Thing(device, "/model.json" if "model.json" in os.listdir("/") else None)
while not thing.poll(0):
    pass
gc.threshold(-1)  # MicroPython's own, as in the scripts
device.stop()
while True:
    flight, count = map(int, sys.stdin.readline().split())  # so many posts on their way at most
    device.session.attempts = []  # a bench connects more than five times a minute
    while not thing.poll(0):
        pass
    began = time.ticks_us()
    for number in range(count):
        device.paces = []  # as if its messages were a second apart
        thing.post(Uptime=number, FreeMemory=56789)
        while len(thing.outbox) >= flight:
            thing.poll(0)
    while len(thing.outbox):
        thing.poll(0)
    took = time.ticks_diff(time.ticks_us(), began)
    device.stop()
    print("took %d" % took)
