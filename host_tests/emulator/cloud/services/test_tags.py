"""Tags, a device's own and an SDK's (application.md 9), and the time over MQTT (8)."""

import json

import pytest

from host_tests.support.cloud.asker import START
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import DN, PK
from tools.emulator.cloud.codec import Publish

UPDATE, DELETE = "thing/deviceinfo/update", "thing/deviceinfo/delete"
SDK = [
    {"attrKey": "SYS_SDK_LANGUAGE", "attrValue": "Python", "domain": "SYSTEM"},
    {"attrKey": "SYS_LP_SDK_VERSION", "attrValue": "1.2.13", "domain": "SYSTEM"},
    {"attrKey": "SYS_SDK_IF_INFO", "attrValue": "Eth|03ACDEFF0032", "domain": "SYSTEM"},
]


def tag(key, value="1", **more):
    return {"attrKey": key, "attrValue": value, **more}


def test_tags_are_merged_deleted_and_kept(world, call):
    found = world()
    assert found.device.ask(UPDATE, [tag("Temperature", "36.8"), tag("city", "杭州-1")])["data"] == {}
    assert found.device.ask(UPDATE, [tag("city", "b"), *SDK])["code"] == 200
    assert found.device.messages(UPDATE)[0]["value"] == [tag("Temperature", "36.8"), tag("city", "杭州-1")]
    assert len(found.device.messages(UPDATE)) == 2
    found = world()
    assert call(found, "QueryDeviceProp")["Data"] == {
        "Props": {"Temperature": "36.8", "city": "b"},
        "SystemProps": {one["attrKey"]: one["attrValue"] for one in SDK},
    }
    assert found.device.ask(DELETE, [{"attrKey": "city"}, {"attrKey": "nobody"}])["code"] == 200
    assert found.device.ask(DELETE, [{"attrKey": "SYS_SDK_LANGUAGE"}])["code"] == 200
    assert call(found, "SaveDeviceProp", Props={"room": "5"})["Success"]
    assert call(found, "DeleteDeviceProp", PropKey="Temperature")["Success"]
    data = call(found, "QueryDeviceProp")["Data"]
    assert data["Props"] == {"room": "5"} and len(data["SystemProps"]) == 3


WRONG = [
    {},
    [],
    "x",
    None,
    [1],
    [{}],
    [tag(5)],
    [tag("1a")],
    [tag("a b")],
    [tag("a" * 65)],
    [tag("é")],
    [tag("a\n")],
    [tag("a", 36.8)],
    [tag("a", "")],
    [tag("a", "a b")],
    [tag("a", "b\n")],
    [tag("a", None)],
    [tag("a"), tag("b", "|")],
    [tag("a"), tag("SYS_X", 5, domain="SYSTEM")],
    [tag(f"a{n}") for n in range(101)],
    [tag("a")] * 201,
]


@pytest.mark.parametrize("params", WRONG)
def test_a_message_with_one_wrong_entry_changes_nothing(world, call, params):
    found = world()
    assert found.device.ask(UPDATE, params)["code"] == 460
    assert call(found, "QueryDeviceProp")["Data"]["Props"] == {}
    assert len(found.instance.journal.select_events(event="refused request")) == 1


@pytest.mark.parametrize("params", [{}, [], [1], [{"attrKey": None}], [{}]])
def test_a_wrong_deletion(world, params):
    assert world().device.ask(DELETE, params)["code"] == 460


@pytest.mark.parametrize("props", [{}, {"1": "a"}, {"a": 5}, {"a": "x y"}])
def test_an_application_is_checked_as_a_device_is(world, call, props):
    assert call(world(), "SaveDeviceProp", Props=props)["Code"] == 460


def test_a_device_has_a_hundred_tags(world):
    found = world()
    assert found.device.ask(UPDATE, [tag(f"a{n}") for n in range(100)])["code"] == 200
    assert found.device.ask(UPDATE, [tag("a0", "2")])["code"] == 200
    assert found.device.ask(UPDATE, [tag("b")])["code"] == 460
    assert found.device.ask(UPDATE, SDK)["code"] == 200


NOW = int(START * 1000)
TIMES = [
    (
        {"deviceSendTime": "100"},
        {"deviceSendTime": "100", "serverRecvTime": str(NOW), "serverSendTime": str(NOW)},
    ),
    ({"deviceSendTime": 100}, {"deviceSendTime": 100, "serverRecvTime": NOW, "serverSendTime": NOW}),
]


@pytest.mark.parametrize(("sent", "answer"), TIMES)
def test_the_time_comes_in_the_type_that_asked(world, sent, answer):
    packets = world().device.publish(f"/ext/ntp/{PK}/{DN}/request", json.dumps(sent).encode())
    assert [(one.topic, json.loads(one.payload)) for one in packets] == [
        (f"/ext/ntp/{PK}/{DN}/response", answer)
    ]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_json_has_no_time(world, payload):
    found = world()
    assert found.device.publish(f"/ext/ntp/{PK}/{DN}/request", payload) == []
    assert len(found.instance.journal.select_events(event="refused request")) == 1


def test_tags_over_mqtt(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    cloud.arm("mqtt_tcp", "reply", "wrong_id", topic=UPDATE + "_reply")
    for number in ("1", "5"):
        client.send(Publish(T + UPDATE, json.dumps({"id": number, "params": SDK}).encode()))
    assert [json.loads(client.read().payload)["id"] for _ in range(2)] == ["2", "5"]
