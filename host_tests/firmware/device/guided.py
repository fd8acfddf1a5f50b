"""A device that asks a centre where its endpoint is, and a platform that follows a script."""

import json
import aliot.device
from aliot import clock, record
from aliot.device import Device
from aliot.store import Store
from aliot.transport import tls
from aliot.wired import Wired
from scripted import Medium, Stream

SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "e96d15a4d4734a73b13040b1878009bc"
SINGAPORE = "iot-as-mqtt.ap-southeast-1.aliyuncs.com"
FRANKFURT = "iot-as-mqtt.eu-central-1.aliyuncs.com"
OK = b"\x20\x02\0\0"
NOW = 1800000000


def http(body, status="200 OK", length=None):
    body = body if isinstance(body, bytes) else body.encode()
    return (
        "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body) if length is None else length)
    ).encode() + body


def place(host=FRANKFURT, port=1883):
    """The answer of /auth/bootstrap."""
    return http(
        json.dumps(
            {"code": 200, "data": {"resources": {"mqtt": {"host": host, "port": port}}}, "message": "success"}
        )
    )


def token(host=FRANKFURT, port=1883, iot_id="030VCbn3", iot_token=TOKEN):
    """The answer of /auth/devicename."""
    data = {"iotId": iot_id, "iotToken": iot_token, "resources": {"mqtt": {"host": host, "port": port}}}
    return http(json.dumps({"code": 200, "data": data, "message": "success"}))


def fields(auth=b"", bootstrap=b"", region=b"ap-southeast-1", **more):
    made = {
        record.KIND: b"device",
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.DEVICE_SECRET: SECRET.encode(),
        record.REGION: region,
    }
    if auth:
        made[record.AUTH] = auth
    if bootstrap:
        made[record.BOOTSTRAP] = bootstrap
    made.update(more)
    return made


class Platform:
    """A stream for each connect: what `scripts` say in turn. HTTPS and MQTT alike; SUBSCRIBE and QoS 1 are answered."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.asked = []  # (host, port) of each connect
        self.streams = []
        tls.connect = self.connect
        clock_set("server")
        clock_at(NOW)

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port))
        self.roots = roots
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        stream = script if isinstance(script, Stream) else Stream(script)
        stream.answer = self.answer
        self.streams.append(stream)
        return stream

    def answer(self, written):
        if written[0] == 0x82:
            at = 2 if written[1] < 128 else 3
            return b"\x90\x03" + written[at : at + 2] + b"\0"
        return b""

    def path(self, at=-1):
        """The path of a request."""
        return self.streams[at].written().split(b" ")[1].decode()

    def form(self, at=-1):
        """The form of a request, as a dict."""
        return dict(
            [pair.split("=") for pair in self.streams[at].written().decode().split("\r\n\r\n")[1].split("&")]
        )

    def login(self, at=-1):
        """(client id, user name, password) of a CONNECT."""
        packet, found = self.streams[at].writes[0], []
        at = 11 + (1 if packet[1] < 128 else 2)
        while at < len(packet):
            size = packet[at] << 8 | packet[at + 1]
            found.append(packet[at + 2 : at + 2 + size].decode())
            at += 2 + size
        return tuple(found)


class Sntp:
    """In place of aliot.sntp: the clock is set by `server` at every look, by none with None."""

    def __init__(self, server):
        self.server = server

    def synchronize(self, servers):
        clock.server = self.server
        return self.server is not None


def clock_set(server):
    clock.server = None
    sntp = Sntp(server)
    aliot.device.load = lambda name: sntp if name == "sntp" else aliot.load(name)


def clock_at(now):
    clock.utc = lambda: now


def device(burned, media=None, config=None):
    if media is None:
        media = (Medium("nvs"), Medium("littlefs"))
        for medium in media:
            medium.kept["burned"] = record.encode(record.BURNED, 100, burned)
    config = dict(config or {})
    config["timeout"] = 100
    made = Device(config, Wired(), Store(media))
    made.media = media
    made.states = []
    made.watch(lambda state, reported: made.states.append((state, dict(reported))))
    made.start()
    return made


def again(made, config=None):
    """The same board after a power cut."""
    return device(None, made.media, config)


def online(made, tries=8):
    for _ in range(tries):
        made.session.after = 0
        made.session.attempts = []
        if made.poll(0):
            return made
    raise AssertionError(made.states[-1])


def names(made):
    return [state for state, reported in made.states]
