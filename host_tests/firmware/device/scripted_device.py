"""A device on a scripted network and platform."""

import aliot.device
import aliot.transport.tls
from aliot import clock, record, sntp
from aliot.device import Device
from aliot.store import Store
from aliot.ticks import Deadline
from aliot.wired import Wired
from scripted import Medium, Stream

SECRET = "0123456789abcdef0123456789abcdef"
DEVICE = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.DEVICE_SECRET: SECRET.encode(),
}


def kept(*names):
    """In place of aliot.unload: what a test has put into a module stays there."""
    if "sntp" not in names and "registration" not in names:
        aliot.unload(*names)


class Platform:
    """Gives a stream for each connect: what `script` says, CONNACK and SUBACKs by itself."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.streams = []
        self.asked = []
        aliot.transport.tls.connect = self.connect
        sntp.synchronize = self.synchronize
        aliot.device.unload = kept
        clock.server = None

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port, roots))
        script = self.scripts.pop(0) if self.scripts else b"\x20\x02\0\0"
        if isinstance(script, Exception):
            raise script
        stream = script if isinstance(script, Stream) else Stream(script)
        stream.answer = stream.answer or self.answer
        self.streams.append(stream)
        stream.deadline = Deadline(timeout)
        return stream

    def synchronize(self, servers):
        clock.server = "server"
        return True

    def answer(self, written):
        if written[0] == 0x82:
            at = 2 if written[1] < 128 else 3
            number, topics, codes = written[at : at + 2], written[at + 2 :], b""
            while topics:
                length = topics[0] << 8 | topics[1]
                codes += b"\x80" if b"foreign" in topics[2 : 2 + length] else b"\0"
                topics = topics[3 + length :]
            return b"\x90" + bytes([2 + len(codes)]) + number + codes
        if written[0] == 0x32:
            at = 4 + (written[2] << 8 | written[3])
            return b"\x40\x02" + written[at : at + 2]
        return b""


def device(fields=DEVICE, network=None, **settings):
    media = (Medium("nvs"), Medium("littlefs"))
    for medium in media:
        medium.kept["burned"] = record.encode(record.BURNED, 100, fields)
    settings.setdefault("timeout", 200)
    made = Device(settings, network or Wired(), Store(media))
    made.media = media
    made.states = []
    made.watch(lambda state, fields: made.states.append((state, dict(fields))))
    return made


def names(made):
    return [state for state, fields in made.states]


def message(topic, payload):
    topic = topic.encode()
    return bytes([0x30, len(topic) + len(payload) + 2, 0, len(topic)]) + topic + payload
