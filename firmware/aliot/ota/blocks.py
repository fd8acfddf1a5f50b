"""A package in blocks over the MQTT connection that stands; application.md 5.6."""

import json
import os

from aliot import alink
from aliot.errors import AliotError, TimedOut
from aliot.services.crc16 import crc16
from aliot.ticks import uptime
from micropython import const

_TOPIC = "thing/file/download"
_BLOCK = const(1024)
_ANSWER = const(10000)  # ms
_PACE = const(125)  # ms between two requests: eight a second; 5.6 has ten
_TRIES = const(3)  # in a row, as the C SDK


class Source:
    """See aliot.ota.update. AliotError `download.block` for what the platform refuses; LinkError."""

    client = None  # the connection that the request went over
    asked = after = 0  # uptime when its answer is overdue, 0 while none is; when the next one may go
    faults = 0
    problem = None

    def __init__(self, device, update):
        self.device = device
        self.update = update  # aliot.ota.update: its task may be renewed
        self.data = memoryview(b"")
        self.at = 0  # of the data, or of what was asked for
        device.subscribe(_TOPIC + "_reply")
        self.entry = (_TOPIC + "_reply", self._reply)
        device.handlers.append(self.entry)

    def read(self, at):
        if self.at <= at < self.at + len(self.data):
            return self.data[at - self.at :]
        if self.problem:
            raise self.problem
        now = uptime()
        if self.asked and (now >= self.asked or self.client is not self.device.client):
            self.asked = 0
            self.faults += 1
            if self.faults > _TRIES:
                raise TimedOut("block at %d" % at)
        if not self.asked and now >= self.after:
            self._ask(at, now)
        return self.data[:0]

    def close(self):
        if self.entry in self.device.handlers:
            self.device.handlers.remove(self.entry)

    def _ask(self, at, now):
        self.at = at
        self.data = self.data[:0]
        self.asked = now + _ANSWER
        self.after = now + _PACE
        self.client = self.device.client
        task = self.update.task
        size = min(_BLOCK, task["size"] - at)
        body = (
            '{"id":"%d","version":"1.0","params":{"fileToken":"default","fileInfo":{"streamId":%d,"fileId":%d},'
            '"fileBlock":{"size":%d,"offset":%d}}}'
        )
        id = int.from_bytes(os.urandom(3), "little")
        self.device.publish(_TOPIC, body % (id, task["stream"], task["file"], size, at))

    def _reply(self, topic, payload):
        """Take a block that was asked for; one that was spoiled on its way is asked for anew."""
        begin = 2 + int.from_bytes(payload[:2], "big")
        message = alink.parsed(payload[2:begin]) or {}
        code = alink.number(message.get("code"))
        found = message.get("data")
        if not self.asked:
            return
        if code not in (-1, 200):
            text = "code %d %s" % (code, message.get("msg", ""))
            self.problem = AliotError(text, "download.block", "later")
        elif isinstance(found, dict) and alink.number(found.get("bOffset")) == self.at:
            block = memoryview(payload)[begin:-2]
            if alink.number(found.get("fileLength")) != self.update.task["size"]:
                self.problem = AliotError("of %s bytes" % found.get("fileLength"), "download.size", "later")
            elif (
                0 < len(block) == alink.number(found.get("bSize"))
                and crc16(block).to_bytes(2, "little") == payload[-2:]
            ):
                self.data = block
                self.asked = self.faults = 0
            else:
                self.asked = 1  # as if none had come
        elif code < 0:
            self.asked = 1
