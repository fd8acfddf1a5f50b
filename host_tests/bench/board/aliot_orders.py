import gc
import sys
import time

import stopwatch
from aliot import mqtt
from aliot.device import Device
from aliot.wifi import Wifi

PAYLOAD = b'{"id":"1","version":"1.0","params":{"Uptime":1234,"FreeMemory":56789}}'
device = Device({}, Wifi("bench", "password"))
connect = mqtt.Client.connect
connected = 0


def timed(*arguments):
    global connected
    present = connect(*arguments)
    connected = stopwatch.taken()
    return present


mqtt.Client.connect = timed
device.start()
while not device.poll(0):
    pass
gc.threshold(16384)  # as main.py of the firmware, once it is connected
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
