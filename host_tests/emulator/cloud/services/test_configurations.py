"""Remote configuration: versions, get, push, and the signed address with its digest (application.md 10)."""

import hashlib
import json
import os
import stat
from urllib.parse import parse_qsl, urlsplit

import pytest

from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import DN, OTHER, PK
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.web import Request

GET, PUSH = "thing/config/get", "thing/config/push"
ASK = {"configScope": "product", "getType": "file"}
CONTENT = b'{"interval": 60}'


def configured(world, *contents, **settings):
    found = world(**settings)
    for content in contents:
        found.instance.services.configurations.add(PK, content)
    return found


def fetch(world, url, method="GET", **headers):
    """The `Response` to a request for an address."""
    parts, downloads = urlsplit(url), world.instance.ota.downloads
    request = Request(method, parts.path, dict(parse_qsl(parts.query)), headers)
    return downloads.asked(request)[1] or downloads.answer(request)


def test_the_newest_version_comes_with_its_address_and_digest(world):
    configured(world, b'{"old": 1}', CONTENT)
    found = world()
    data = found.device.ask(GET, ASK)["data"]
    assert set(data) == {"configId", "configSize", "sign", "signMethod", "url", "getType"}
    assert (data["configSize"], data["signMethod"], data["getType"]) == (len(CONTENT), "Sha256", "file")
    assert data["sign"] == hashlib.sha256(CONTENT).hexdigest()
    assert data["url"].startswith("https://iotx-ota.oss-cn-shanghai.aliyuncs.com/files/")
    answer = fetch(found, data["url"])
    assert (answer.status, answer.body) == (200, CONTENT)
    (path, *_) = found.instance.services.files.folder.iterdir()
    assert (
        stat.S_IMODE(os.stat(path).st_mode) == 0o600 and stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    )


# params -> code
REFUSED = [
    (ASK, 6710),
    ({**ASK, "configScope": "device"}, 460),
    ({**ASK, "getType": "content"}, 460),
    ({}, 460),
    ([], 460),
    (None, 460),
    ("file", 460),
]


@pytest.mark.parametrize(("params", "code"), REFUSED)
def test_a_get_that_is_refused(world, params, code):
    assert world().device.ask(GET, params)["code"] == code


def test_switched_off_wins_over_what_is_there(world):
    found = configured(world, CONTENT)
    found.instance.services.configurations.enable(PK, False)
    assert found.device.ask(GET, ASK)["code"] == 6713
    with pytest.raises(Refused) as refusal:
        found.instance.services.configurations.push(found.instance.registry.products[PK], None)
    assert refusal.value.code == 6713


def test_five_versions_are_kept_and_their_files_only(world):
    found = configured(world, *(b'{"n":%d}' % n for n in range(7)))
    versions = found.instance.services.configurations.of(PK)["versions"]
    files = found.instance.services.files
    assert [files.read(one["name"]) for one in versions] == [b'{"n":%d}' % n for n in range(2, 7)]
    assert {path.name for path in files.folder.iterdir()} == {one["name"] for one in versions}
    assert found.device.ask(GET, ASK)["data"]["configId"] == versions[-1]["name"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"{}" + b" " * 65_535])
def test_what_is_no_configuration_is_not_kept(world, content):
    with pytest.raises(ValueError, match="a configuration"):
        configured(world, content)
    assert world().device.ask(GET, ASK)["code"] == 6710


# change of the address -> status
ADDRESSES = [
    (lambda url: url, 200),
    (lambda url: url.replace("Signature=", "Signature=x"), 403),
    (lambda url: url.split("&Signature")[0], 403),
    (lambda url: url.replace("Expires=17", "Expires=18"), 403),
    (lambda url: url.replace("/files/", "/files/../"), 403),
    (lambda url: url.replace("/files/", "/files/0"), 403),
]


@pytest.mark.parametrize(("change", "status"), ADDRESSES)
def test_only_the_address_as_it_was_given_is_answered(world, change, status):
    found = configured(world, CONTENT)
    assert fetch(found, change(found.device.ask(GET, ASK)["data"]["url"])).status == status


def test_an_address_is_good_for_half_an_hour(world):
    found = configured(world, CONTENT)
    url = found.device.ask(GET, ASK)["data"]["url"]
    found.now += 1800
    assert fetch(found, url).status == 200
    part = fetch(found, url, range="bytes=2-4")
    assert (part.status, part.body) == (206, CONTENT[2:5])
    found.now += 1
    assert fetch(found, url).status == 403
    url = found.device.ask(GET, ASK)["data"]["url"]
    found.instance.services.files.remove(urlsplit(url).path.rsplit("/", 1)[-1])
    assert fetch(found, url).status == 404


def test_a_push_to_one_or_once_an_hour_to_all(world, call):
    found = configured(world, CONTENT)
    assert len(call(found, "PushConfig")["Data"]["MessageIds"]) == 1
    body = json.loads(found.device.came[-1].payload)
    assert found.device.came[-1].topic == f"/sys/{PK}/{DN}/{PUSH}" and body["method"] == "thing.config.push"
    assert set(body["params"]) == {"configId", "configSize", "sign", "signMethod", "url", "getType"}
    assert fetch(found, body["params"]["url"]).body == CONTENT
    found.device.publish(PUSH + "_reply", json.dumps({"id": body["id"], "code": 200, "data": {}}).encode())
    assert found.instance.journal.select_events(event="push answered")[0]["id"] == body["id"]
    push, product = found.instance.services.configurations.push, found.instance.registry.products[PK]
    assert len(push(product, None)) == len({DN, OTHER})
    found = world(now=found.now + 3599)
    again, product = found.instance.services.configurations.push, found.instance.registry.products[PK]
    with pytest.raises(Refused) as refusal:
        again(product, None)
    assert refusal.value.code == 429
    found.now += 1
    assert len(again(product, None)) == 2


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"id":"1"}', b'{"code":"200"}', b"\xff"])
def test_a_damaged_reply_to_a_push_is_one_event(world, payload):
    found = world()
    assert found.device.publish(PUSH + "_reply", payload) == []
    assert [one["event"] for one in found.instance.journal.events if "reply" in one["event"]] == [
        "reply dropped"
    ]


def test_over_mqtt_and_https_with_faults_at_the_file(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    kept = cloud.admin("POST", f"/products/{CPK}/config", {"content": {"interval": 5}})
    assert kept["versions"][0]["size"] == 14 and kept["enabled"]
    cloud.admin("POST", f"/products/{CPK}/config", {"content": "[]"}, status=400)
    cloud.admin("POST", f"/products/{CPK}/config", {"contents": {}}, status=400)
    client.send(Publish(T + GET, json.dumps({"id": "1", "params": ASK}).encode()))
    data = json.loads(client.read().payload)["data"]
    parts = urlsplit(data["url"])
    request = (
        f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n"
    )
    for values in ({"kind": "damage", "at": 3}, {"kind": "status", "status": 503}):
        cloud.arm("https", "download", **values)
    damaged = cloud.https_raw(request, parts.hostname)[2]
    assert (
        len(damaged) == 14 and damaged[:3] == b'{"i' and hashlib.sha256(damaged).hexdigest() != data["sign"]
    )
    assert cloud.https_raw(request, parts.hostname)[0] == 503
    status, head, body = cloud.https_raw(request, parts.hostname)
    assert (status, json.loads(body)) == (200, {"interval": 5})
    assert hashlib.sha256(body).hexdigest() == data["sign"] == kept["versions"][0]["sign"]
    answer = cloud.admin("POST", "/api/PushConfig", {"ProductKey": CPK, "DeviceName": CDN})
    assert json.loads(client.read().payload)["id"] == answer["Data"]["MessageIds"][0]
    assert cloud.admin("GET", f"/products/{CPK}/config") == kept
