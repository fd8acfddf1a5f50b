"""The platform's side of uploads, strictly by application.md 12, and a device that sends."""

import json
from struct import unpack

from aliot.services.crc import Crc64
from aliot.services.crc16 import crc16
from aliot.services.upload import Upload
from device_peer import DevicePeer

TOPIC = "thing/file/upload/mqtt/"


def crc64(data):
    made = Crc64()
    made.update(data)
    return made.text()


class Platform(DevicePeer):
    """`files` {name: bytes} that are complete; `codes` are answered in turn to blocks, None for silence, 0 as it is."""

    def __init__(self):
        super().__init__(self.reply)
        self.files = {}
        self.open = {}  # upload id -> [name, bytes, init params]
        self.codes = []
        self.inits = []
        self.blocks = []  # (offset, size) as they came
        self.count = 0

    def reply(self, topic, message):
        if topic == TOPIC + "init":
            return self.init(message)
        if topic == TOPIC + "send":
            return self.block(message)
        if topic == TOPIC + "cancel":
            del self.open[message["params"]["uploadId"]]
            return 200, {}

    def init(self, message):
        params = message["params"]
        self.inits.append(params)
        name = params["fileName"]
        assert params["ficMode"] == "crc64" and params["extraParams"] == {"ossOwnerType": "iot-platform"}
        found = [id for id in self.open if self.open[id][0] == name]
        if params["conflictStrategy"] == "append" and found:
            id = found[0]
        elif params["conflictStrategy"] == "reject" and name in self.files:
            return 78123, {}
        else:
            for old in found:
                del self.open[old]
            self.count += 1
            id = "upload-%d" % self.count
            self.open[id] = [name, b"", params]
        data = dict(params)
        data.update({"uploadId": id, "offset": len(self.open[id][1])})
        return 200, data

    def block(self, frame):
        size = unpack(">H", frame[:2])[0]
        message = json.loads(frame[2 : 2 + size])
        params = message["params"]
        code, data = self.stored(params, frame[2 + size :])
        if code is None:
            return None
        reply = {"id": message["id"], "code": code, "message": "m", "data": data}
        return [(TOPIC + "send_reply", reply)]

    def stored(self, params, rest):
        body, crc = rest[:-2], unpack("<H", rest[-2:])[0]
        code = self.codes.pop(0) if self.codes else 0
        if code != 0:
            return code, {}
        id = params["uploadId"]
        if id not in self.open:
            return 78122, {}
        name, held, first = self.open[id]
        self.blocks.append((params["offset"], len(body)))
        if params["offset"] != len(held):
            return 78119, {}
        if crc != crc16(body) or params["bSize"] != len(body):
            return 78121, {}
        if len(body) < 256 and not params["isComplete"]:
            return 78120, {}
        held += body
        self.open[id][1] = held
        data = {"uploadId": id, "offset": params["offset"], "bSize": len(body)}
        if params["isComplete"]:
            del self.open[id]
            if len(held) != first["fileSize"] or crc64(held) != first["ficValue"]:
                return 78125, {}
            self.files[name] = held
            data["complete"] = True
        return 200, data


def write(data, path="/log.txt"):
    with open(path, "wb") as file:
        file.write(data)


def content(size):
    return bytes([(at * 7 + (at >> 8)) & 255 for at in range(size)])


def made(peer, block=256):
    """(Upload, list that its ends go to) of a device that is connected."""
    ends = []
    uploads = Upload(peer, lambda name, problem: ends.append((name, problem and problem.code)), block)
    if peer.client:
        peer.connect()
    return uploads, ends
