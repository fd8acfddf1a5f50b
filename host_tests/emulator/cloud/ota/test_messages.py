"""What goes over the topics, key by key: pushes, answers, reports of official SDKs (application.md 5.2 to 5.4)."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from host_tests.support.cloud.asker import START
from host_tests.support.cloud.ota import DN, FILE, GET, PK, UPGRADE
from tools.emulator.cloud.ota import console

MD5, SHA256 = hashlib.md5(FILE).hexdigest(), hashlib.sha256(FILE).hexdigest()
URL = "https://iotx-ota.oss-cn-shanghai.aliyuncs.com/ota/"


def pushed(cloud, firmware, **job):
    device = cloud.online(version="1.0.0")
    cloud.static(firmware, **job)
    (push,) = device.pushes()
    return push


def test_a_push_over_https(campaign):
    cloud = campaign()
    push = pushed(cloud, cloud.package())
    url = push["data"].pop("url")
    assert push == {
        "code": "1000",
        "data": {"size": len(FILE), "version": "2.0.0", "signMethod": "Md5", "sign": MD5, "md5": MD5},
        "id": int(START * 1000),
        "message": "success",
    }
    assert url.startswith(URL) and 850 <= len(url) <= 950
    (packet,) = [one for one in cloud.devices[DN].came if one.topic == UPGRADE.format(PK, DN)]
    assert packet.qos == 0 and b" " not in packet.payload


def test_a_push_over_mqtt_has_the_members_of_the_live_one(campaign):
    cloud = campaign()
    data = pushed(cloud, cloud.package(), DownloadProtocol="MQTT")["data"]
    assert type(data["streamId"]) is int
    assert data == {
        "size": len(FILE),
        "streamId": data["streamId"],
        "sign": MD5,
        "dProtocol": "mqtt",
        "version": "2.0.0",
        "signMethod": "Md5",
        "streamFileId": 1,
        "md5": MD5,
    }


def test_a_push_of_several_files_has_nothing_of_one_at_its_top(campaign):
    cloud = campaign()
    files = [{"Url": cloud.upload(bytes([n]) * (n + 1)), "Name": f"part{n}.bin"} for n in range(3)]
    push = pushed(cloud, cloud.package(MultiFiles=files, ModuleName="default", SignMethod="SHA256"))
    assert set(push["data"]) == {"version", "signMethod", "files"}
    for n, one in enumerate(push["data"]["files"]):
        assert one.pop("fileUrl").startswith(URL)
        sign = hashlib.sha256(bytes([n]) * (n + 1)).hexdigest()
        assert one == {"fileName": f"part{n}.bin", "fileSize": n + 1, "fileSign": sign}


def test_a_list_of_one_file_is_a_package_of_one_file(campaign):
    cloud = campaign()
    firmware = cloud.package(MultiFiles=[{"Url": cloud.upload(FILE), "Name": "one.bin"}])
    data = pushed(cloud, firmware)["data"]
    assert "files" not in data and data["size"] == len(FILE) and "one.bin?" in data["url"]


def test_tags_and_the_text_of_a_package_go_along(campaign):
    cloud = campaign()
    push = pushed(cloud, cloud.package(Udi='{"ota_notice":"new"}'), Tag={"key1": "value1"})
    assert push["data"]["extData"] == {"key1": "value1", "_package_udi": '{"ota_notice":"new"}'}


SPELLED = [
    ({}, "MD5", "Md5", int),
    ({"ota_md5": "MD5"}, "MD5", "MD5", int),
    ({"ota_push_id": "text"}, "SHA256", "SHA256", str),
    ({"ota_sha256": "Sha256"}, "SHA256", "Sha256", int),
]


@pytest.mark.parametrize("switches, method, spelled, kind", SPELLED)
def test_what_the_pages_disagree_on_is_a_switch(campaign, switches, method, spelled, kind):
    cloud = campaign(switches=switches)
    push = pushed(cloud, cloud.package(SignMethod=method))
    assert (push["data"]["signMethod"], type(push["id"])) == (spelled, kind)
    assert push["data"]["sign"] == (MD5 if method == "MD5" else SHA256)
    assert ("md5" in push["data"]) == (method == "MD5")


@pytest.mark.parametrize("method", ["MD5", "SHA256"])
@pytest.mark.parametrize("switch", ["pkcs1v15", "pss"])
def test_digestsign_is_over_the_bytes_of_the_digest(campaign, method, switch):
    cloud = campaign(switches={"ota_digestsign_padding": switch}, secure_upgrade=True)
    data = pushed(cloud, cloud.package(SignMethod=method))["data"]
    signature = base64.b64decode(data["digestsign"], validate=True)
    shown = console.show_key(cloud.app, None, PK)
    public = serialization.load_pem_public_key(shown["pem"].encode())
    chosen = padding.PKCS1v15() if switch == "pkcs1v15" else padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public.verify(signature, bytes.fromhex(data["sign"]), chosen, hashes.SHA256())
    assert len(signature) == 256 and int(shown["modulus"], 16) == public.public_numbers().n
    cloud.restart()
    assert console.show_key(cloud.app, None, PK) == shown, "the key stays"


def test_a_product_without_secure_upgrade_has_no_digestsign(campaign):
    cloud = campaign(secure_upgrade=True)
    cloud.instance.ota.keys.enable(PK, False)
    assert "digestsign" not in pushed(cloud, cloud.package())["data"]
    assert console.show_key(cloud.app, None, PK) == {"enabled": False}


# ---- up


def test_an_answer_has_the_requests_id_and_a_url_of_its_own(campaign):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    cloud.static()
    # as the official Python SDK writes it, without version and method
    (packet,) = device.publish(GET, b'{"id": 5, "params": {}}')
    answer = json.loads(packet.payload)
    assert (answer["id"], answer["code"], answer["data"]["version"]) == (5, 200, "2.0.0")
    assert answer["data"]["url"] != device.pushes()[0]["data"]["url"]
    device.inform("2.0.0")
    assert device.ask(GET, {})["data"] == {}


@pytest.mark.parametrize("code", ["1000", 200])
def test_the_older_request_is_answered_on_its_own_topic(campaign, code):
    cloud = campaign(switches={"ota_request_code": code})
    device = cloud.online(version="1.0.0")
    cloud.static(NeedPush=False)
    (packet,) = device.publish(device.of("request"), b'{"id":"9","params":{}}')
    answer = json.loads(packet.payload)
    assert (answer["id"], answer["code"], answer["data"]["version"]) == ("9", code, "2.0.0")
    (packet,) = device.publish(device.of("request"), b"no JSON")
    assert json.loads(packet.payload)["code"] == 500


INFORMS = [
    (b'{"id": 1,"params": {"version":"1.0","module": "MCU"}}', {"MCU": "1.0"}),  # the Python SDK
    (b'{"id": 1, "params": {"version": "1.0"}}', {"default": "1.0"}),
    (b'{"id":"123","params":{"version":"1.0.1","module":"default"}}', {"default": "1.0.1"}),
    (b'{"id":1, "params":{"version":"1.0"}}', {"default": "1.0"}),  # C: a blank after the comma
    (b'{"params":{"version":"' + b"v" * 64 + b'"}}', {"default": "v" * 64}),
    (b'{"params":{"version":"' + b"v" * 65 + b'"}}', {}),
    (b'{"params":{"version":""}}', {}),
    (b'{"params":{"version":"1 0"}}', {}),
    (b'{"params":{"version":1.0}}', {}),
    (b'{"params":{"version":"1.0","module":""}}', {}),
    (b'{"params":{"version":"1.0","module":7}}', {}),
    (b'{"params":["1.0"]}', {}),
    (b'{"version":"1.0"}', {}),
    (b"1.0", {}),
]


@pytest.mark.parametrize("payload, versions", INFORMS)
def test_a_version_is_kept_or_dropped_and_never_answered(campaign, payload, versions):
    cloud = campaign()
    device = cloud.online()
    assert device.publish(device.of("inform"), payload) == []
    assert cloud.instance.ota.campaigns.versions(device.key) == versions
    assert bool(cloud.instance.journal.select_events(event="dropped version")) == (not versions)


STEPS = [
    (b'{"id":"1","params":{"step":"45","desc":"","module":"default"}}', "IN_PROGRESS", "45"),
    (b'{"id":1, "params":{"step":"0"}}', "IN_PROGRESS", "0"),
    (b'{"id":1,"params":{"step":"100","desc":"done"}}', "IN_PROGRESS", "100"),
    *((b'{"params":{"step":"-%d","desc":""}}' % step, "FAILED", f"-{step}") for step in (1, 2, 3, 4)),
    *(
        (b'{"params":{"step":%b}}' % step, "NOTIFIED", "")
        for step in (
            b'"-5"',
            b'"101"',
            b'"1.5"',
            b'""',
            b'" 1"',
            b"45",
            b"null",
            b"-1",
            b"true",
            '"٣"'.encode(),
        )
    ),
    (b'{"params":{"step":"1","module":"MCU"}}', "NOTIFIED", ""),
    (b'{"step":"1"}', "NOTIFIED", ""),
    (b"45", "NOTIFIED", ""),
]


@pytest.mark.parametrize("payload, status, progress", STEPS)
def test_a_step_is_taken_or_dropped_and_never_answered(campaign, payload, status, progress):
    cloud = campaign()
    device = cloud.online(version="1.0.0")
    job = cloud.static()
    assert device.publish(device.of("progress"), payload) == []
    task = cloud.tasks(job)[DN]
    assert (task["TaskStatus"], task["Progress"]) == (status, progress)
    assert bool(cloud.instance.journal.select_events(event="dropped progress")) == (status == "NOTIFIED")


def test_by_a_switch_a_step_may_be_a_number(campaign):
    cloud = campaign(switches={"ota_step_number": "take"})
    device = cloud.online(version="1.0.0")
    job = cloud.static()
    device.step(45)
    assert cloud.tasks(job)[DN]["Progress"] == "45"


def test_a_report_without_a_task_has_no_effect(campaign):
    cloud = campaign()
    cloud.online().step("5")
    assert cloud.instance.journal.select_events(event="dropped progress")
