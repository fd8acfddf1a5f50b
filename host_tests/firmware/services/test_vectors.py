"""The vectors of application.md with the services: the platform's time, versions of shadows, blocks of files."""

import json
import os
from binascii import unhexlify

from aliot.services.crc import Crc64
from aliot.services.crc16 import crc16
from aliot.services.ntp import Ntp
from aliot.services.shadow import Shadow
from device_peer import NAMES, DevicePeer
from upload_platform import TOPIC, made, write

HEAP = "256K"
VECTORS = {
    "test_time_is_what_the_page_computes": ("vectors_application.json/ntp", "board-"),
    "test_a_shadow_goes_beyond_the_stored_version": ("vectors_application.json/shadow_versions", ""),
    "test_check_values_are_the_vectors": ("vectors_application.json/checks", ""),
    "test_a_block_goes_out_byte_for_byte": ("vectors_application.json/blocks", "file-"),
}


def test_time_is_what_the_page_computes(vector):
    """The device sends and receives when the vector says, by its own uptime; the platform's times are text."""

    def answer(topic, message):
        assert message == {"deviceSendTime": str(vector["deviceSendTime"])}
        peer.ms = vector["deviceRecvTime"]
        reply = {name: str(vector[name]) for name in ("deviceSendTime", "serverRecvTime", "serverSendTime")}
        return [("/ext/ntp/%s/response" % NAMES, reply)]

    peer = DevicePeer(answer)
    ntp = Ntp(peer)
    peer.ms = vector["deviceSendTime"]
    assert abs(ntp.time() - vector["now"]) <= 1


def test_a_shadow_goes_beyond_the_stored_version(vector):
    """Whatever version the platform has stored, the next report's is one that it takes."""
    sent = []

    def answer(topic, message):
        sent.append(message)
        body = {"status": "success"}
        reply = {"method": "reply", "payload": body, "timestamp": 1469564576}
        if message["method"] == "get":
            body["state"] = {"reported": {}, "desired": {}}
            reply["version"] = vector["after"]
        else:
            body["version"] = message["version"]
        return [("/shadow/get/" + NAMES, reply)]

    Shadow(DevicePeer(answer)).report({"color": "red"})
    version = vector["after"] + 1
    assert sent == [
        {"method": "get"},
        {"method": "update", "state": {"reported": {"color": "red"}}, "version": version},
    ]


def test_check_values_are_the_vectors(vector):
    data = unhexlify(vector["data"])
    assert crc16(data) == vector["crc16"]
    crc = Crc64()
    crc.update(data[:7])
    crc.update(data[7:])
    assert crc.text() == vector["crc64"]


def test_a_block_goes_out_byte_for_byte(vector):
    """The block of a file at the offset that the platform names, under the vector's id."""
    head = json.loads(vector["json"])
    params = head["params"]
    data = unhexlify(vector["block"])
    frames = []
    if "upload" in os.listdir("/"):  # of the vector before
        os.remove("/upload")

    def answer(topic, message):
        if topic == TOPIC + "init":
            peer.last_id = int(head["id"]) - 1
            return 200, {"uploadId": params["uploadId"], "offset": params["offset"]}
        frames.append(message)

    peer = DevicePeer(answer)
    write(bytes(params["offset"]) + data + (b"" if params["isComplete"] else b"more"))
    uploads, _ = made(peer, max(256, len(data)))
    uploads.start("/log.txt")
    peer.run(uploads, 1000)
    assert frames == [unhexlify(vector["message"])]
