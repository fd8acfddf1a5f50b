"""Broadcasts, what an application publishes, and RRPC by the cloud's own calls (application.md 7, 13, 15)."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.support.cloud.asker import Asker
from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import connect_packet
from host_tests.support.cloud.thing import DN, GDN, GPK, OTHER, PK
from tools.emulator.cloud.codec import Publish


def encoded(data):
    return base64.b64encode(data).decode()


def broadcast(call, world, data=b"\x00news", **values):
    return call(world, "PubBroadcast", MessageContent=encoded(data), **values)


def test_all_devices_of_a_product_that_are_on_line(world, call):
    found = world()
    other, stranger = Asker(found.instance, PK, OTHER), Asker(found.instance, GPK, GDN)
    found.device.session.system = False
    data = broadcast(call, found)["Data"]
    assert data["sent"] == 2 and stranger.came == []
    for asker, name in ((found.device, DN), (other, OTHER)):
        (packet,) = asker.came
        assert packet.topic == f"/sys/{PK}/{name}/broadcast/request/{data['MessageId']}"
        assert (packet.payload, packet.qos) == (b"\x00news", 0)
    found.now += 59
    assert broadcast(call, found)["Code"] == 429
    found.now += 1
    assert broadcast(call, found)["Success"]


def test_those_that_have_subscribed_a_topic(world, call):
    found = world(limits={"broadcast_devices": 1}, switches={"broadcast_qos": 1})
    topic, other = f"/broadcast/{PK}/news", Asker(found.instance, PK, OTHER)
    assert broadcast(call, found, TopicFullName=topic)["Data"]["sent"] == 0
    assert broadcast(call, found, TopicFullName=topic)["Code"] == 429
    assert broadcast(call, found, TopicFullName=topic + "/more")["Success"], "each topic has its own pace"
    for asker in (found.device, other):
        found.instance.sessions.subscribe(asker.session, topic)
    found.now += 1
    assert broadcast(call, found, TopicFullName=topic)["Data"]["sent"] == 1
    assert [(one.topic, one.qos) for one in (*found.device.came, *other.came)] == [(topic, 1)]


CALLS = [
    ("PubBroadcast", {"MessageContent": "é"}, "ParameterError"),
    ("PubBroadcast", {}, "ParameterError"),
    ("PubBroadcast", {"MessageContent": encoded(b"x" * 65_537)}, 460),
    ("PubBroadcast", {"MessageContent": "", "TopicFullName": "/broadcast/other/news"}, "ParameterError"),
    ("PubBroadcast", {"MessageContent": "", "TopicFullName": f"/broadcast/{PK}/+"}, "ParameterError"),
    ("PubBroadcast", {"MessageContent": "", "ProductKey": "other"}, "iot.product.NotExistProduct"),
    ("Pub", {"MessageContent": "", "TopicFullName": "x"}, "ParameterError"),
    ("Pub", {"MessageContent": "", "TopicFullName": f"/{PK}/{DN}/user/#"}, "ParameterError"),
    ("Pub", {"MessageContent": "", "TopicFullName": f"/{PK}/{DN}/user/get", "Qos": 2}, "ParameterError"),
    ("Pub", {"MessageContent": "", "TopicFullName": f"/{PK}/nobody/user/get"}, "iot.device.NotExistedDevice"),
    ("RRpc", {"RequestBase64Byte": "", "Timeout": 999}, "ParameterError"),
    ("RRpc", {"RequestBase64Byte": "", "Timeout": 8001}, "ParameterError"),
    ("RRpc", {"RequestBase64Byte": "", "Timeout": 1000, "Topic": "x"}, "ParameterError"),
]


@pytest.mark.parametrize(("name", "values", "code"), CALLS)
def test_a_call_that_fails_sends_nothing(world, call, name, values, code):
    found = world()
    assert call(found, name, **values)["Code"] == code
    assert found.device.came == []


@pytest.mark.parametrize("qos", [0, 1])
def test_an_application_publishes_to_a_device(world, call, qos):
    found, topic = world(), f"/{PK}/{DN}/user/get"
    found.instance.sessions.subscribe(found.device.session, topic)
    answer = call(found, "Pub", TopicFullName=topic, MessageContent=encoded(b"\xff"), Qos=qos)
    assert answer["Data"]["sent"] == 1
    assert [(one.topic, one.payload, one.qos) for one in found.device.came] == [(topic, b"\xff", qos)]


@pytest.mark.parametrize("topic", ["", f"/{PK}/{DN}/user/get"])
def test_a_question_waits_for_its_answer(world, call, monkeypatch, topic):
    found = world()
    send = found.device.send

    def answer(packet, stage):
        send(packet, stage)
        place = packet.topic.replace("rrpc/request", "rrpc/response")
        asyncio.get_running_loop().call_soon(found.device.publish, place, b"\x01" + packet.payload)

    monkeypatch.setattr(found.device, "send", answer)
    data = call(found, "RRpc", RequestBase64Byte=encoded(b"\xfe"), Timeout=8000, Topic=topic)["Data"]
    assert data == {"RrpcCode": "SUCCESS", "PayloadBase64Byte": encoded(b"\x01\xfe")}
    place = found.device.came[0].topic
    assert place.startswith("/ext/rrpc/" if topic else f"/sys/{PK}/{DN}/rrpc/request/") and place.endswith(
        topic
    )


def test_a_device_that_is_offline_does_not_answer(world, call):
    found = world()
    found.instance.sessions.close(found.device.session)
    assert call(found, "RRpc", RequestBase64Byte="", Timeout=1000)["Code"] == "OFFLINE"


def test_calls_over_mqtt(device):
    """A broadcast that is sent twice, a question in time, one too late, one on a half-open connection."""
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    names = {"ProductKey": CPK, "DeviceName": CDN}
    cloud.arm("mqtt_tcp", "deliver", "twice")
    cloud.admin("POST", "/api/PubBroadcast", {"ProductKey": CPK, "MessageContent": encoded(b"hi")})
    assert [client.read().payload for _ in range(2)] == [b"hi", b"hi"]
    question = {**names, "RequestBase64Byte": encoded(b"?"), "Timeout": 8000}
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(cloud.admin, "POST", "/api/RRpc", question)
        place = client.read().topic.replace("/request/", "/response/")
        client.send(Publish(place, b"!"))
        assert asked.result()["Data"]["PayloadBase64Byte"] == encoded(b"!")
        asked = pool.submit(cloud.admin, "POST", "/api/RRpc", question)
        client.read()
        cloud.advance(8)
        assert asked.result()["Code"] == "TIMEOUT"
        cloud.arm("mqtt_tcp", "deliver", "half_open")
        assert cloud.admin("POST", "/api/RRpc", question | {"Timeout": 1000})["Code"] == "HALFCONN"
