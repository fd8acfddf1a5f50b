"""Download over MQTT, byte for byte: the vector, requests of the C SDK, errors, faults (application.md 5.6)."""

import json

import pytest

from host_tests.support.cloud.ota import DN, FILE, NAMES
from tools.emulator.cloud import alink, faults
from tools.emulator.cloud.ota import blocks
from tools.emulator.cloud.ota.blocks import crc, tolerant

DOWNLOAD = "thing/file/download"
HELLO = b"hello world"
VECTOR = (
    "00447b226964223a2231222c22636f6465223a3230302c2264617461223a7b2266696c654c656e677468223a31312c"
    "226253697a65223a352c22624f6666736574223a367d7d776f726c6465ef"
)


class Stream:
    """A device whose task goes over MQTT."""

    def __init__(self, cloud, data=FILE, name=DN):
        self.device = cloud.online(name, "1.0.0")
        firmware = cloud.package(data=data)
        self.job = cloud.static(
            firmware, DownloadProtocol="MQTT", TargetSelection="SPECIFIC", TargetDeviceName=[name]
        )
        self.stream = self.device.pushes()[-1]["data"]["streamId"]

    def ask(self, payload):
        """The payload of the answer to a request's bytes, None if none came."""
        found = self.device.publish(DOWNLOAD, payload)
        assert all(one.topic == self.device.topic(DOWNLOAD + "_reply") for one in found)
        return found[0].payload if found else None

    def request(self, size, offset, stream=None, file=1, **more):
        info = {"streamId": stream or self.stream, "fileId": file}
        params = {"fileInfo": info, "fileBlock": {"size": size, "offset": offset}, **more}
        return json.dumps({"id": "1", "params": params}).encode()

    def block(self, size, offset, **more):
        return parsed(self.ask(self.request(size, offset, **more)))


def parsed(payload):
    """(JSON, block, CRC) of a reply."""
    size = int.from_bytes(payload[:2], "big")
    return json.loads(payload[2 : 2 + size]), payload[2 + size : -2], payload[-2:]


def test_the_vector_of_the_page(campaign):
    stream = Stream(campaign(), HELLO)
    assert stream.ask(stream.request(5, 6)).hex() == VECTOR


@pytest.mark.parametrize("data, value", [(b"", 0), (b"123456789", 0xBB3D), (b"\0", 0), (b"a", 0xE8C1)])
def test_the_crc_comes_low_byte_first(data, value):
    assert crc(data) == value.to_bytes(2, "little")


# what a client writes -> (id as it must come back, fileToken)
REQUESTS = [
    # the C SDK 4.2: a comma before the bracket
    (
        b'{"id":"1","version":"1.0","params":{"fileToken":"default","fileInfo":{"streamId":%d,"fileId":1,},'
        b'"fileBlock":{"size":5,"offset":6}}}',
        b'"1"',
        "default",
    ),
    (
        b'{"id":7, "params":{"fileInfo":{"streamId":%d,"fileId":1, \r\n\t},"fileBlock":{"size":5,"offset":6},}, }',
        b"7",
        None,
    ),
    # a live client: no version, no token
    (
        b'{"id":"17","params":{"fileInfo":{"streamId":%d,"fileId":1},"fileBlock":{"size":5,"offset":6}}}',
        b'"17"',
        None,
    ),
    (
        b'{"id":"a,}","params":{"fileToken":",]","fileInfo":{"streamId":%d,"fileId":1,},'
        b'"fileBlock":{"size":5,"offset":6}}}',
        b'"a,}"',
        ",]",
    ),
    (
        b'{"id":"\\",}","params":{"fileInfo":{"streamId":%d,"fileId":1},"fileBlock":{"size":5,"offset":6}}}',
        b'"\\",}"',
        None,
    ),
]


@pytest.mark.parametrize("text, identifier, token", REQUESTS)
def test_requests_as_clients_write_them(campaign, text, identifier, token):
    stream = Stream(campaign(), HELLO)
    payload = stream.ask(text % stream.stream)
    head, block, check = parsed(payload)
    assert payload[2:].startswith(b'{"id":' + identifier + b',"code":200,')
    assert (block, check) == (b"world", bytes.fromhex("65ef"))
    assert head["data"].get("fileToken") == token


COMMAS = [
    (b'{"a":1,}', b'{"a":1}'),
    (b'{"a":[1, \r\n\t]}', b'{"a":[1 \r\n\t]}'),
    (b'{"a":1,,}', b'{"a":1,}'),  # still no JSON
    (b'{"a":",}"}', b'{"a":",}"}'),
    (b'{"\\",}":1}', b'{"\\",}":1}'),
    (b'{"a":",}', b'{"a":"}'),
    (b'{"a":1},', b'{"a":1},'),
    (b"", b""),
]


@pytest.mark.parametrize("text, expected", COMMAS)
def test_one_comma_before_a_bracket_is_passed_over(text, expected):
    assert tolerant(text) == expected


@pytest.mark.parametrize("size", [100, 256, 300, 2048, 2049, 255 * 1024])
def test_blocks_make_up_the_file(campaign, size):
    stream = Stream(campaign())
    whole = b""
    while len(whole) < len(FILE):
        head, block, check = stream.block(size, len(whole))
        assert head["data"] == {"fileLength": len(FILE), "bSize": len(block), "bOffset": len(whole)}
        assert check == crc(block) and len(block) == min(size, len(FILE) - len(whole))
        whole += block
    assert whole == FILE


BAD = [
    ({"size": 0, "offset": 0}, 460),
    ({"size": 255 * 1024 + 1, "offset": 0}, 460),
    ({"size": -1, "offset": 0}, 460),
    ({"size": 1, "offset": len(FILE)}, 460),
    ({"size": 1, "offset": -1}, 460),
    ({"size": "1", "offset": 0}, 460),
    ({"size": 1.0, "offset": 0}, 460),
    ({"size": True, "offset": 0}, 460),
    ({"size": 1, "offset": 0, "file": 2}, 404),
    ({"size": 1, "offset": 0, "stream": 1}, 404),
]


@pytest.mark.parametrize("fields, code", BAD)
def test_a_request_that_does_not_fit_gets_an_error_without_a_block(campaign, fields, code):
    stream = Stream(campaign())
    head, block, check = stream.block(**fields)
    assert (head["id"], head["code"], block, check) == ("1", code, b"", b"\0\0")
    assert head["msg"]


@pytest.mark.parametrize("switch, tail", [("empty", b"\0\0"), ("json", b""), ("silent", None)])
def test_the_form_of_an_error_is_a_switch(campaign, switch, tail):
    stream = Stream(campaign(switches={"ota_block_error": switch}))
    payload = stream.ask(stream.request(1, len(FILE)))
    assert (payload is None) == (tail is None)
    assert payload is None or payload[2 + int.from_bytes(payload[:2], "big") :] == tail
    assert stream.ask(b"no JSON") is None


def test_a_stream_is_its_devices_own_and_ends_with_the_task(campaign):
    cloud = campaign()
    one, other = Stream(cloud), Stream(cloud, name=NAMES[1])
    assert other.block(1, 0, stream=one.stream)[0]["code"] == 404
    one.device.step("50")
    assert one.block(1, 0)[0]["code"] == 200
    one.device.inform("2.0.0")
    assert one.block(1, 0)[0]["code"] == 404
    cloud.static(cloud.package("3.0.0"))
    assert one.block(1, 0)[0]["code"] == 404, "over HTTPS there is no stream"


def test_a_file_that_was_removed_by_hand(campaign):
    cloud = campaign()
    stream = Stream(cloud)
    (file,) = (cloud.folder / "ota").iterdir()
    file.unlink()
    assert stream.block(1, 0)[0]["code"] == 404


def test_a_stream_outlives_the_process(campaign):
    cloud = campaign()
    stream = Stream(cloud)
    cloud.restart()
    stream.device = cloud.online()
    assert stream.device.pushes()[0]["data"]["streamId"] == stream.stream
    assert stream.block(2, 2)[1] == FILE[2:4]


def test_by_a_switch_too_many_requests_in_a_second_get_no_answer(campaign):
    cloud = campaign(switches={"ota_block_rate": "drop"}, limits={"ota_blocks_a_second": 3})
    stream = Stream(cloud)
    answered = lambda: [stream.ask(stream.request(1, n)) is not None for n in range(5)]
    assert answered() == [True] * 3 + [False] * 2
    cloud.later(1)
    assert answered()[0]


FAULTS = [
    ({"kind": "wrong_crc"}, lambda head, block, check: check == bytes(one ^ 0xFF for one in crc(FILE[:9]))),
    ({"kind": "damage", "at": 4}, lambda head, block, check: block != FILE[:9] and check == crc(block)),
    ({"kind": "wrong_offset", "offset": 77}, lambda head, block, check: head["data"]["bOffset"] == 77),
]


@pytest.mark.parametrize("fault, spoiled", FAULTS)
def test_faults_of_a_block_leave_the_rest_as_it_is(fault, spoiled):
    head = {"code": 200, "data": {"fileLength": 99, "bSize": 9, "bOffset": 0}}
    good = blocks.frame(alink.parse(b'{"id":"1"}'), head, FILE[:9], crc(FILE[:9]))
    made = faults.read({"where": "mqtt_tls", "when": "reply", "topic": "download_reply", **fault})
    found = parsed(blocks.spoiled(good, made))
    assert spoiled(*found)
    assert sum(a != b for a, b in zip(parsed(good), found)) == (2 if fault["kind"] == "damage" else 1)
    assert blocks.spoiled(b"", made) == b"" and blocks.spoiled(b"\0\2{}\0\0", made) == b"\0\2{}\0\0"
