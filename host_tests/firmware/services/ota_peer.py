"""A board's connection and the download server in memory, for updates by the platform; ota_transport.py uses them."""

import aliot
from aliot.transport import tls
from device_peer import DevicePeer
from https_files import http
from scripted import CLOSED, Stream

GET = "thing/ota/firmware/get"
UPGRADE = "/ota/device/upgrade/a1ThingPk01/dev_0001"
PROGRESS, INFORM = UPGRADE.replace("upgrade", "progress"), UPGRADE.replace("upgrade", "inform")
BLOCKS = "thing/file/download"


class Pinged:
    busy = False
    pinged = None


class Session:
    after = 0


class OtaPeer(DevicePeer):
    """Handlers are pairs, as a Device has them."""

    product_key = "a1ThingPk01"

    def __init__(self, answer=None):
        super().__init__(answer)
        self.session = Session()
        self.client = Pinged()

    def on(self, topic, handler):
        self.handlers.append((topic, handler))

    def serve(self, ms):
        if not self.queue:
            self.ms += max(ms, 1)
            aliot.ticks.uptime()
            return
        topic, payload = self.queue.pop(0)
        for pattern, handler in list(self.handlers):
            self._match(pattern, handler, topic, payload)

    def connect(self):
        self.client = Pinged()
        self.state("connected", {})

    def stop(self):
        self.client = None

    def steps(self):
        return [(one["params"]["step"], one["params"]["desc"]) for one in self.messages(PROGRESS)]

    def versions(self):
        return [one["params"]["version"] for one in self.messages(INFORM)]


class Server:
    """The download server: answers each connect by its Range; `faults` are taken one for each connect.

    A fault: None, a number of bytes after which the connection ends, or (status, body);
    """

    def __init__(self, data, *faults):
        self.data = data
        self.faults = list(faults)
        self.asked = []
        self.contexts = []
        self.streams = []
        self.sent = 0
        tls.connect = self.connect

    @property
    def served(self):
        """Bytes of the package that were taken."""
        return self.sent - sum([len(stream.data) for stream in self.streams])

    def connect(self, credential, host, port, roots, timeout, context):
        self.contexts.append(context)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        stream = Stream(b"", CLOSED, 700, lambda written: self.answer(written, fault))
        self.streams.append(stream)
        return stream

    def answer(self, written, fault):
        first = int(written.split(b"Range: bytes=")[1].split(b"-")[0])
        self.asked.append(first)
        body = self.data[first:]
        if isinstance(fault, tuple):
            return http(fault[1].encode(), fault[0], length=fault[2] if len(fault) > 2 else None)
        if fault == "whole":
            return http(self.data)
        head = http(b"", "206 Partial Content", length=len(body))
        body = body[:fault] if isinstance(fault, int) else body
        self.sent += len(body)
        return head + body
