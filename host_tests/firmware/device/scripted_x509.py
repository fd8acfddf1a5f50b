"""A board with a certificate on a scripted platform; host_tests/system/x509 makes the pairs."""

import json
import os
import aliot.device
import aliot.transport.tls
import esp32
import tls
from aliot import clock, record
from aliot.device import Device
from aliot.errors import LinkError
from aliot.store import Files, Nvs, Store
from aliot.ticks import Deadline
from aliot.wired import Wired
from aliot.x509 import TOPIC
from scripted import Stream, unhex

MEDIA = (Nvs, Files)
WHO = ("a1X509ProdK", "sensor-01")
SLOTS = ("burned", "issued", "renewed", "next")
NOW = 1800000000  # 2027-01-15
ACCEPTED = b"\x20\x02\0\0"


def push(product_key, device_name):
    return message(json.dumps({"productKey": product_key, "deviceName": device_name}).encode())


def message(payload, topic=TOPIC.encode()):
    size = len(topic) + len(payload) + 2
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return b"\x30" + length + bytes([0, len(topic)]) + topic + payload


class Platform:
    """Answers each CONNECT with the next of `scripts`, then with an acceptance and the push; checks nothing.

    A script is bytes, an error to raise when the socket is opened, or one to raise in the TLS handshake.
    """

    def __init__(self, *scripts, who=WHO, server="server"):
        self.scripts = list(scripts)
        self.who = who
        self.streams = []
        self.asked = []
        self.shown = []
        aliot.transport.tls.connect = self.connect
        clock.server = None
        aliot.device.load = lambda name: Sntp(server) if name == "sntp" else aliot.load(name)

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port, roots))
        credential.present(self)
        script = self.scripts.pop(0) if self.scripts else ACCEPTED + (push(*self.who) if self.who else b"")
        if isinstance(script, LinkError) and script.code in ("dns", "connect"):
            raise script

        def answer(written):
            if written[0] == 0x10:
                if isinstance(script, Exception):
                    raise script
                return script
            return b"\x90\x03" + written[2:4] + b"\0" if written[0] == 0x82 else b""

        stream = Stream(answer=answer)
        stream.deadline = Deadline(timeout)
        self.streams.append(stream)
        return stream

    def load_cert_chain(self, certificate, key):
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
        self.shown.append(certificate)

    def login(self, at=-1):
        """(client id, user name, password) of the CONNECT on a connection."""
        data = self.streams[at].writes[0]
        data = data[12 if data[1] < 128 else 13 :]
        found = []
        while data:
            size = data[0] << 8 | data[1]
            found.append(data[2 : 2 + size].decode())
            data = data[2 + size :]
        return tuple(found)


def fields(pair, **more):
    found = {record.KIND: b"x509"}
    if pair:
        found[record.CERTIFICATE], found[record.PRIVATE_KEY] = unhex(pair[0]), unhex(pair[1])
    for name in more:
        found[getattr(record, name)] = more[name]
    return found


def blank(burned=None, generation=100):
    """Nothing in flash but what is burned."""
    for name in SLOTS:
        try:
            esp32.NVS("aliot").erase_key(name)
        except OSError:
            pass
        try:
            os.remove(Files.folder + name)
        except OSError:
            pass
    try:
        os.mkdir(Files.folder[:-1])
    except OSError:
        pass
    if burned:
        for medium in MEDIA:
            medium().write("burned", record.encode(record.BURNED, generation, burned))


def on(**settings):
    """A board that is switched on."""
    clock_at(settings.pop("now", NOW))
    config = {"push": 200, "timeout": 300}
    config.update(settings.pop("config", {}))
    config.update(settings)
    made = Device(config, Wired(), Store())
    made.states = []
    made.watch(lambda state, reported: made.states.append((state, dict(reported))))
    made.start()
    made.session.random = lambda n: 0
    return made


def clock_at(now):
    clock.utc = lambda: now


class Sntp:
    """In place of aliot.sntp: `server` sets the clock at every look, none with None."""

    def __init__(self, server):
        self.server = server

    def synchronize(self, servers):
        clock.server = self.server
        return self.server is not None


def again(made):
    """An attempt to connect, whatever the back-off says."""
    made.session.after = 0
    made.session.attempts = []
    return made.poll(0)


def last(made, state):
    return [reported for name, reported in made.states if name == state][-1]


def kept(name):
    return [medium().read(name) for medium in MEDIA]


class Broken:
    """Media that take nothing while it lasts."""

    def __init__(self, *kinds):
        self.kinds = [(kind, kind.write) for kind in kinds]

    def __enter__(self):
        for kind, write in self.kinds:
            kind.write = self.full

    def __exit__(self, *ignored):
        for kind, write in self.kinds:
            kind.write = write

    @staticmethod
    def full(*ignored):
        raise OSError(28)
