"""Files over MQTT: blocks, checks, resume, what is kept, limits and their codes (application.md 12)."""

import http.client
import json
import os
import random
import shutil
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import DN, NOW, PK
from host_tests.support.paths import VECTORS
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.ota.blocks import crc as crc16
from tools.emulator.cloud.services.blocks import crc64, read_block

FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
BASE = "thing/file/upload/mqtt/"
INIT, SEND, CANCEL = BASE + "init", BASE + "send", BASE + "cancel"
CONTENT = random.Random(12).randbytes(1024)
SEEN = [256, 256, 512]  # sizes of its blocks in these tests


def framed(params, data, crc=None, number="2"):
    header = json.dumps({"id": number, "params": params}).encode()
    check = crc16(data) if crc is None else crc
    return len(header).to_bytes(2, "big") + header + data + check


def asked(name="log.txt", content=CONTENT, **more):
    check = {"ficMode": "crc64", "ficValue": f"{crc64(content):016x}"}
    return {"fileName": name, "fileSize": len(content), **check, **more}


def begin(world, **more):
    """The `data` of an init's reply."""
    return world.device.ask(INIT, asked(**more))["data"]


def send(world, upload_id, offset, data, complete=False, **changed):
    """(code, data) of the reply to one block."""
    crc = changed.pop("crc", None)
    params = {"uploadId": upload_id, "offset": offset, "bSize": len(data), "isComplete": complete, **changed}
    (packet,) = world.device.publish(SEND, framed(params, data, crc))
    assert packet.topic == f"/sys/{PK}/{DN}/{SEND}_reply"
    reply = json.loads(packet.payload)
    assert reply["id"] == "2"
    return reply["code"], reply["data"]


def upload(world, content=CONTENT, name="log.txt", **more):
    """The id of a file that was sent whole."""
    data = begin(world, name=name, content=content, **more)
    assert send(world, data["uploadId"], data["offset"], content[data["offset"] :], True)[0] == 200
    return data["uploadId"]


def listed(world):
    device = world.instance.registry.find(PK, DN)
    uploads = world.instance.services.uploads
    return {
        one.name: uploads.files.read(one.upload_id)
        for one in uploads.of(device)
        if one.finished_at is not None
    }


def names(world):
    """The files in the run directory."""
    folder = world.instance.services.files.folder
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("vector", FOUND["checks"], ids=lambda one: one["name"])
def test_the_checks_are_those_of_the_vectors(vector):
    data = bytes.fromhex(vector["data"])
    assert int.from_bytes(crc16(data), "little") == vector["crc16"]
    assert f"{crc64(data):016x}" == vector["crc64"]
    half = len(data) // 2
    assert crc64(data[half:], crc64(data[:half])) == crc64(data)


@pytest.mark.parametrize("vector", FOUND["blocks"], ids=lambda one: one["name"])
def test_a_block_is_read_as_the_vectors_have_it(vector):
    message = bytes.fromhex(vector["message"])
    block = read_block(message)
    assert (block.header, block.data.hex()) == (json.loads(vector["json"]), vector["block"])
    right = vector["name"] != "wrong-crc"
    assert (block.crc == crc16(block.data)) or not right
    for length in range(len(message) - len(block.data)):
        cut = read_block(message[:length])
        assert cut is None or cut.data != block.data


def test_a_file_comes_block_by_block_is_checked_and_kept(world, call):
    found = world()
    data = begin(found)
    assert data == {
        "fileName": "log.txt",
        "uploadId": data["uploadId"],
        "offset": 0,
        "fileSize": 1024,
        "conflictStrategy": "overwrite",
        "ficMode": "crc64",
        "ficValue": f"{crc64(CONTENT):016x}",
    }
    upload_id, offset = data["uploadId"], 0
    for size in SEEN:
        last = offset + size == len(CONTENT)
        code, answer = send(found, upload_id, offset, CONTENT[offset : offset + size], last)
        expected = {"uploadId": upload_id, "offset": offset, "bSize": size}
        assert (code, answer) == (200, {**expected, "complete": True} if last else expected)
        offset += size
        found = world()
    assert listed(found) == {"log.txt": CONTENT}
    path = found.instance.services.files.path(upload_id)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    (summary,) = call(found, "QueryDeviceFileList")["Data"]["FileSummary"]
    assert summary == {"FileId": upload_id, "Name": "log.txt", "Size": 1024, "UtcCreatedOn": NOW}
    file = call(found, "QueryDeviceFile", FileId=upload_id)["Data"]["File"]
    assert file["DownloadUrl"].startswith("https://") and upload_id in file["DownloadUrl"]
    assert call(found, "DeleteDeviceFile", FileId=upload_id)["Success"]
    assert call(found, "QueryDeviceFile", FileId=upload_id)["Code"] == "iot.file.NotExisted"
    assert names(found) == set() and found.instance.services.uploads.used() == 0


# what an init asks beside a good one -> code
INITS = [
    ({}, 200),
    ({"fileSize": -1}, 200),
    ({"fileSize": 16 * 1024 * 1024}, 200),
    ({"fileSize": 16 * 1024 * 1024 + 1}, 78117),
    ({"fileSize": -2}, 460),
    ({"fileSize": "1024"}, 460),
    ({"fileSize": 10.5}, 460),
    ({"fileName": None}, 460),
    ({"fileName": ""}, 460),
    ({"fileName": ".hidden"}, 460),
    ({"fileName": "../etc"}, 460),
    ({"fileName": "a/b"}, 460),
    ({"fileName": "a" * 100}, 200),
    ({"fileName": "a" * 101}, 460),
    ({"fileName": "log.txt\n"}, 460),
    ({"fileName": "é.txt"}, 460),
    ({"conflictStrategy": "merge"}, 460),
    ({"conflictStrategy": ["append"]}, 460),
    ({"ficMode": "md5"}, 460),
    ({"ficValue": "995dc9bbdf1939f"}, 460),
    ({"ficValue": 5}, 460),
    ({"ficMode": None}, 200),
    ({"initUid": 5}, 460),
    ({"initUid": "x" * 257}, 460),
    ({"extraParams": {"ossOwnerType": "iot-platform"}}, 200),
    ({"extraParams": {"ossOwnerType": "device-user"}}, 460),
    ({"extraParams": {"ossOwnerType": "device-user", "serviceId": "s", "fileTag": {"a": "b"}}}, 200),
    ({"extraParams": {"ossOwnerType": "somebody"}}, 460),
    ({"extraParams": []}, 460),
]


@pytest.mark.parametrize(("more", "code"), INITS)
def test_what_an_init_may_ask(world, more, code):
    found = world()
    assert found.device.ask(INIT, asked() | more)["code"] == code
    assert len(names(found)) == (code == 200)


# what a block is beside a good first one of 256 bytes -> code
BLOCKS = [
    ({}, 200),
    ({"uploadId": "nobody"}, 78122),
    ({"uploadId": 5}, 78122),
    ({"uploadId": "\ud800"}, 78122),
    ({"uploadId": None}, 78122),
    ({"offset": 256}, 78119),
    ({"offset": -1}, 78119),
    ({"offset": "0"}, 460),
    ({"bSize": 255}, 460),
    ({"isComplete": 1}, 460),
    ({"data": b"x" * 255}, 78120),
    ({"data": b""}, 78120),
    ({"data": b"x" * (128 * 1024 + 1)}, 78118),
    ({"data": b"x" * 1025}, 460),
    ({"crc": b"\0\0"}, 78121),
    ({"isComplete": True}, 78125),
]


@pytest.mark.parametrize(("changed", "code"), BLOCKS)
def test_each_code_of_a_block(world, changed, code):
    found = world()
    upload_id, values = begin(found)["uploadId"], dict(changed)
    data, offset = values.pop("data", CONTENT[:256]), values.pop("offset", 0)
    assert send(found, upload_id, offset, data, **values)[0] == code
    refused = found.instance.journal.select_events(event="refused request")
    assert [one["code"] for one in refused] == ([] if code == 200 else [code])
    after = 78122 if code == 78125 else 78126 if code == 200 else 200
    assert send(found, upload_id, 0, CONTENT[:256])[0] == after, "a refused block leaves the upload as it was"


def test_a_block_that_is_there_already_and_one_after_the_end(world):
    found = world()
    upload_id = begin(found)["uploadId"]
    assert send(found, upload_id, 0, CONTENT[:512])[0] == 200
    assert send(found, upload_id, 256, CONTENT[256:512])[0] == 78126
    assert send(found, upload_id, 256, CONTENT[256:768])[0] == 78119
    assert send(found, upload_id, 512, CONTENT[512:], True) == (
        200,
        {"uploadId": upload_id, "offset": 512, "bSize": 512, "complete": True},
    )
    assert send(found, upload_id, 512, CONTENT[512:], True)[0] == 78124
    assert found.device.ask(CANCEL, {"uploadId": upload_id})["code"] == 78124


@pytest.mark.parametrize("wrong", [{"ficValue": "0" * 16}, {"fileSize": 1025}])
def test_a_whole_file_that_is_not_what_was_announced_is_forgotten(world, wrong):
    found = world()
    upload_id = found.device.ask(INIT, asked() | wrong)["data"]["uploadId"]
    assert send(found, upload_id, 0, CONTENT, True)[0] == 78125
    assert send(found, upload_id, 0, CONTENT, True)[0] == 78122
    assert names(found) == set() and found.instance.services.uploads.used() == 0


def test_an_upload_goes_on_after_a_restart(world):
    found = world()
    first = begin(found, initUid="7")
    send(found, first["uploadId"], 0, CONTENT[:300])
    found = world()
    for more in ({"conflictStrategy": "append"}, {"initUid": "7"}):
        data = begin(found, **more)
        assert (data["uploadId"], data["offset"]) == (first["uploadId"], 300)
    path = found.instance.services.files.path(first["uploadId"])
    path.write_bytes(path.read_bytes() + b"a block that was written, but not answered")
    assert send(found, first["uploadId"], 300, CONTENT[300:], True)[0] == 200
    assert listed(found) == {"log.txt": CONTENT}


@pytest.mark.parametrize("more", [{}, {"initUid": "8"}, {"conflictStrategy": "append", "fileSize": -1}])
def test_another_init_of_the_same_name_begins_anew(world, more):
    found = world()
    first = begin(found, initUid="7")
    send(found, first["uploadId"], 0, CONTENT[:300])
    data = begin(found, **more)
    assert data["uploadId"] != first["uploadId"] and data["offset"] == 0
    assert send(found, first["uploadId"], 300, CONTENT[300:], True)[0] == 78122
    assert names(found) == {data["uploadId"]}


def test_what_becomes_of_a_file_of_the_same_name(world):
    found = world()
    upload(found, b"a" * 300)
    assert found.device.ask(INIT, asked(conflictStrategy="reject"))["code"] == 78123
    assert found.device.ask(INIT, asked("other", conflictStrategy="reject"))["code"] == 200
    upload(found, b"b" * 400)
    assert listed(found) == {"log.txt": b"b" * 400}
    whole = b"b" * 400 + b"c" * 300
    data = begin(found, content=whole, conflictStrategy="append")
    assert data["offset"] == 400 and listed(found) == {"log.txt": b"b" * 400}
    assert send(found, data["uploadId"], 400, b"c" * 300, True)[0] == 200
    assert listed(found) == {"log.txt": whole} and len(names(found)) == 2


def test_a_cancelled_upload_is_gone(world):
    found = world()
    upload_id = begin(found)["uploadId"]
    assert found.device.ask(CANCEL, {"uploadId": upload_id})["code"] == 200
    assert names(found) == set()
    for params in ({"uploadId": upload_id}, {}, {"uploadId": [1]}):
        assert found.device.ask(CANCEL, params)["code"] == 78122
    assert found.device.ask(CANCEL, [])["code"] == 460


@pytest.mark.parametrize("code", [460, 500])
def test_the_limits_of_files_and_bytes(world, code):
    found = world(
        switches={"upload_full": code},
        limits={"upload_files": 2, "upload_bytes_of_all": 1500, "upload_bytes": 1100},
    )
    upload(found)
    data = begin(found, name="two", content=b"x" * 600)
    assert send(found, data["uploadId"], 0, b"x" * 600, True)[0] == code
    assert found.device.ask(INIT, asked("three"))["code"] == code
    assert begin(found, name="two")["offset"] == 0, "that of the same name takes the place of the first"
    assert found.device.ask(INIT, asked(content=b"x" * 1101))["code"] == 78117
    assert found.instance.services.uploads.used() == 1024


def test_an_upload_of_unknown_size_ends_at_its_limit(world):
    found = world(limits={"upload_bytes": 600})
    upload_id = found.device.ask(INIT, {"fileName": "a", "fileSize": -1})["data"]["uploadId"]
    assert send(found, upload_id, 0, b"x" * 500)[0] == 200
    assert send(found, upload_id, 500, b"x" * 101, True)[0] == 78117
    assert send(found, upload_id, 500, b"x" * 100, True)[0] == 200
    assert listed(found) == {"a": b"x" * 600}


def test_by_a_switch_too_many_messages_are_refused(world):
    found = world(switches={"upload_rate": "refuse"}, limits={"upload_messages": 2})
    upload_id = begin(found)["uploadId"]
    assert send(found, upload_id, 0, CONTENT[:256])[0] == 200
    assert send(found, upload_id, 256, CONTENT[256:512])[0] == 78127
    found.now += 1
    assert send(found, upload_id, 256, CONTENT[256:512])[0] == 200


def test_a_disk_that_refuses_is_the_platforms_error(world, call):
    found = world()
    upload_id = begin(found)["uploadId"]
    folder = found.instance.services.files.folder
    (folder / upload_id).unlink()
    (folder / upload_id).mkdir()
    assert send(found, upload_id, 0, CONTENT[:256])[0] == 500
    shutil.rmtree(folder)
    folder.write_bytes(b"a file in the place of the folder")
    assert found.device.ask(INIT, asked("other"))["code"] == 500
    assert call(found, "CreateJob", JobFile="YQ==")["Code"] == 500
    assert [one["code"] for one in found.instance.journal.select_events(event="refused request")] == [
        500,
        500,
    ]


def test_the_files_of_a_deleted_device_are_gone(world):
    found = world()
    upload(found)
    found.instance.delete(found.instance.registry.find(PK, DN))
    assert names(found) == set() and found.instance.services.uploads.used() == 0


DAMAGED = [b"", b"\x00", b"\xff\xff", b"\x00\x02{}", b"\x00\x02{}\x00", b"\x00\x03{}x\x00\x00", b"{}" * 40]


@pytest.mark.parametrize("payload", DAMAGED)
def test_what_is_no_block_is_refused_in_one_event(world, payload):
    found = world()
    (packet,) = found.device.publish(SEND, payload)
    assert json.loads(packet.payload)["code"] == 460
    assert len(found.instance.journal.select_events(event="refused request")) == 1


def test_whatever_comes_as_a_block_has_one_answer(world):
    found = world()
    upload_id = begin(found, content=b"x" * 4096)["uploadId"]
    values = st.none() | st.integers(-300, 5000) | st.booleans() | st.text(max_size=3) | st.just(upload_id)
    params = st.dictionaries(st.sampled_from(["uploadId", "offset", "bSize", "isComplete"]), values)

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=40) | st.builds(framed, params | values, st.binary(max_size=600)))
    def play(payload):
        (packet,) = found.device.publish(SEND, payload)
        assert json.loads(packet.payload)["code"] in (200, 460, *range(78117, 78128))

    play()


def test_a_file_over_mqtt_with_a_lost_and_a_cut_answer(run):
    with run() as cloud:
        path = f"/devices/{CPK}/{CDN}/files/"

        def online():
            client = cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3", extra="_ss=1,"))
            client.subscribe(*(T + tail + "_reply" for tail in (INIT, SEND, CANCEL)))
            return client

        def init(client, **more):
            client.send(Publish(T + INIT, json.dumps({"id": "1", "params": asked(**more)}).encode()))
            return json.loads(client.read().payload)["data"]

        def block(client, upload_id, offset, data, complete=False):
            params = {"uploadId": upload_id, "offset": offset, "bSize": len(data), "isComplete": complete}
            client.send(Publish(T + SEND, framed(params, data)))

        with online() as client:
            upload_id = init(client)["uploadId"]
            cloud.arm("mqtt_tcp", "reply", "silent", topic=SEND + "_reply")
            cloud.arm("mqtt_tcp", "reply", "cut", topic=SEND + "_reply", bytes=5)
            block(client, upload_id, 0, CONTENT[:512])
            block(client, upload_id, 0, CONTENT[:512])
            assert client.closed() == "fin"
        with online() as client:
            assert init(client, conflictStrategy="append")["offset"] == 512
            block(client, upload_id, 512, CONTENT[512:], True)
            assert json.loads(client.read().payload)["data"]["complete"] is True
        (file,) = cloud.admin("POST", "/api/QueryDeviceFileList", {"ProductKey": CPK, "DeviceName": CDN})[
            "Data"
        ]["FileSummary"]
        link = http.client.HTTPConnection("127.0.0.1", cloud.ports["admin"])
        link.request("GET", path + file["FileId"])
        assert link.getresponse().read() == CONTENT
        link.close()
        cloud.admin("GET", path + "nobody", status=404)
