"""A board that is told nothing of HTTPS authentication and bootstrap loads none of it, and makes one handshake."""

import sys

import aliot.device
import aliot.transport
from aliot import record
from aliot.device import Device
from aliot.store import Store
from scripted import Medium, Stream

BURNED = {record.WAY: b"device", record.PRODUCT_KEY: b"a1TESTpk001", record.DEVICE_NAME: b"dev_0001",
          record.DEVICE_SECRET: b"0123456789abcdef0123456789abcdef", record.REGION: b"ap-southeast-1"}
TABLES = {"test_nothing_is_loaded": [
    (None, False), ({"port": 1883}, True),
]}


def test_nothing_is_loaded(override, needed):
    connects = []
    aliot.device.clock.synchronize = lambda servers: "server"

    def connect(*arguments):
        connects.append(arguments)
        return Stream(b"\x20\x02\0\0")

    aliot.device.connect = aliot.transport.connect = connect
    medium = Medium("nvs")
    medium.kept["burned"] = record.encode(record.BURNED, 100, BURNED)
    made = Device({"endpoint": override} if override else None, None, Store((medium,)))
    made.start()
    assert made.poll(0) and len(connects) == 1 and medium.writes == 0
    loaded = [name for name in sys.modules if name.startswith(("aliot.guide", "aliot.registration", "aliot.advice", "aliot.setback"))]
    assert loaded == [], loaded
    assert ("aliot.override" in sys.modules) is needed
