"""A board that is told nothing of HTTPS authentication and bootstrap loads none of it, and makes one handshake."""

import sys

from aliot import clock, record
from aliot.device import Device
from aliot.store import Store
from aliot.transport import tls
from aliot.wired import Wired
from scripted import Medium, Stream

BURNED = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.DEVICE_SECRET: b"0123456789abcdef0123456789abcdef",
    record.REGION: b"ap-southeast-1",
}
TABLES = {
    "test_nothing_is_loaded": [
        ({},),
        ({"endpoint": {"port": 1883}},),
        ({"endpoint": {"auth": "mqtt", "bootstrap": "none"}},),
    ]
}


def test_nothing_is_loaded(config):
    connects = []
    clock.server = "server"  # what set it is tested elsewhere

    def connect(*arguments):
        connects.append(arguments)
        return Stream(b"\x20\x02\0\0")

    tls.connect = connect
    medium = Medium("nvs")
    medium.kept["burned"] = record.encode(record.BURNED, 100, BURNED)
    made = Device(config, Wired(), Store((medium,)))
    made.start()
    assert made.poll(0) and len(connects) == 1 and medium.writes == 0
    rare = (
        "aliot.bootstrap",
        "aliot.registration",
        "aliot.advice",
        "aliot.retry",
        "aliot.crash",
        "aliot.rules",
        "aliot.x509",
        "aliot.id2",
        "aliot.gateway",
        "aliot.transport.itls",
        "aliot.transport.faults",
        "aliot.token",
        "aliot.refusals",
    )
    loaded = [name for name in sys.modules if name.startswith(rare)]
    assert loaded == [], loaded
