"""A package in blocks over the MQTT connection that stands; application.md 5.6."""

import os

from aliot.errors import AliotError, TimedOut
from aliot.ota.updates import number, parsed
from aliot.services.crc16 import crc16
from aliot.ticks import uptime
from micropython import const

_TOPIC = "thing/file/download"
_BLOCK = const(1024)
_ANSWER = const(10000)  # ms
_PACE = const(125)  # ms between two requests: eight a second; 5.6 has ten
_TRIES = const(3)  # in a row, as the C SDK
_HELD = const(3)  # answers that wait
_BODY = (
    '{"id":"%d","version":"1.0","params":{"fileToken":"default","fileInfo":{"streamId":%d,"fileId":%d},'
    '"fileBlock":{"size":%d,"offset":%d}}}'
)


def source(update):
    """See aliot.ota.update. AliotError `download.block` for what the platform refuses; LinkError."""
    device = update.device
    answers = []
    handler = _TOPIC + "_reply", lambda topic, payload: len(answers) < _HELD and answers.append(payload)
    device.subscribe(handler[0])
    device.handlers.append(handler)
    asked = after = tries = (
        0  # uptime when an answer is overdue, 0 while none is; when the next request may go
    )
    client = None  # the connection that it went over
    try:
        while True:
            at = yield
            now = uptime()
            task = update.task
            if answers:
                data = block(answers, at, task["size"])
                if data:
                    asked = tries = 0
                    update.data = data
                elif data is None:  # it was spoiled on its way
                    asked = min(asked, 1)
                data = None  # a frame that waits holds what lies on its stack: 1 KB until then
            elif asked and (now >= asked or client is not device.client):
                asked = 0
                tries += 1
                if tries > _TRIES:
                    raise TimedOut("block at %d" % at)
            elif not asked and now >= after:
                asked = now + _ANSWER
                after = now + _PACE
                client = device.client
                id = int.from_bytes(os.urandom(3), "little")
                size = min(_BLOCK, task["size"] - at)
                device.publish(_TOPIC, _BODY % (id, task["stream"], task["file"], size, at))
    finally:
        device.handlers.remove(handler)


def block(answers, at, size):
    """The block of the first answer, b"" when it is not the one at `at`, None when it was spoiled. AliotError."""
    payload = answers.pop(0)
    begin = 2 + int.from_bytes(payload[:2], "big")
    message = parsed(payload[2:begin]) or {}
    code = number(message.get("code"))
    found = message.get("data")
    if code not in (-1, 200):
        raise AliotError("code %d, %s" % (code, message.get("msg")), "download.block", "later")
    if not isinstance(found, dict) or number(found.get("bOffset")) != at:
        return None if code < 0 else b""
    if number(found.get("fileLength")) != size:
        raise AliotError("it has %s bytes" % found.get("fileLength"), "download.size", "later")
    data = memoryview(payload)[begin:-2]
    right = 0 < len(data) == number(found.get("bSize"))
    return data if right and crc16(data).to_bytes(2, "little") == payload[-2:] else None
