"""Faults of what a reply says and when it comes, on a connection and as a table."""

import json

import pytest

from host_tests.support.cloud.client import DN, PK, T, connect_packet
from tools.emulator.cloud import faults, message_faults
from tools.emulator.cloud.codec import Publish

POST = T + "thing/event/property/post"
REPLY = b'{"code":200,"data":{"a":1},"id":"7"}'


def fault(kind, **parameters):
    return faults.read({"where": "mqtt_tcp", "when": "reply", "kind": kind, **parameters})


# kind, parameters, payload -> (seconds, payload) of what goes out
SPOILED = [
    ("late", {"ms": 1500}, REPLY, [(1.5, REPLY)]),
    ("twice", {}, REPLY, [(0, REPLY), (0, REPLY)]),
    ("twice", {"count": 3}, b"x", [(0, b"x")] * 3),
    ("number_id", {}, REPLY, [(0, b'{"code":200,"data":{"a":1},"id":7}')]),
    ("number_id", {}, b'{"id":"x"}', [(0, b'{"id":"x"}')]),
    ("number_id", {}, b"[1]", [(0, b"[1]")]),
    ("number_id", {}, b"\xff", [(0, b"\xff")]),
    ("wrong_id", {}, REPLY, [(0, b'{"code":200,"data":{"a":1},"id":"8"}')]),
    ("wrong_id", {}, b'{"id":7}', [(0, b'{"id":8}')]),
    ("wrong_id", {}, b'{"id":"7|x"}', [(0, b'{"id":"1"}')]),
    ("wrong_id", {"id": "99"}, REPLY, [(0, b'{"code":200,"data":{"a":1},"id":"99"}')]),
    ("code", {"code": 429}, REPLY, [(0, b'{"code":429,"data":{},"id":"7","message":"a fault"}')]),
    (
        "code",
        {"code": 409},
        b'{"method":"reply","payload":{"status":"success","version":2},"timestamp":1}',
        [
            (
                0,
                b'{"method":"reply","payload":{"status":"error","content":{"errorcode":"409",'
                b'"errormessage":"a fault"}},"timestamp":1}',
            )
        ],
    ),
    ("code", {"message": "m"}, REPLY, [(0, b'{"code":500,"data":{},"id":"7","message":"m"}')]),
]


@pytest.mark.parametrize(("kind", "parameters", "payload", "expected"), SPOILED)
def test_a_message_is_spoiled(kind, parameters, payload, expected):
    assert message_faults.deliveries(Publish(POST, payload), fault(kind, **parameters)) == expected


@pytest.mark.parametrize(
    "values", [{"kind": "twice", "count": 1}, {"kind": "set", "params": []}, {"kind": "late", "x": 1}]
)
def test_a_fault_that_is_wrong(values):
    with pytest.raises(ValueError):
        faults.read({"where": "mqtt_tcp", "when": "reply", **values})


def post(client, number):
    client.send(Publish(POST, json.dumps({"id": number, "params": {"Temp": 1}}).encode()))


def test_faults_strike_replies_on_a_connection(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    for values in (
        {"kind": "silent", "topic": "property/post_reply"},
        {"kind": "code", "code": 6304},
        {"kind": "twice"},
        {"kind": "late", "ms": 60_000},
    ):
        cloud.arm("mqtt_tcp", "reply", **values)
    client.send(Publish(f"/ext/ntp/{PK}/{DN}/request", b"{}"))
    assert client.read().topic.endswith("response"), "the first fault is for another topic"
    assert [one["kind"] for one in cloud.admin("GET", "/faults")] == ["silent", "twice", "late"]


def test_a_reply_is_lost_doubled_or_overtaken(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    cloud.arm("mqtt_tcp", "reply", "silent")
    cloud.arm("mqtt_tcp", "reply", "twice")
    cloud.arm("mqtt_tcp", "reply", "late", ms=60_000)
    for number in "123":
        post(client, number)
    post(client, "4")
    assert [json.loads(client.read().payload)["id"] for _ in range(3)] == ["2", "2", "4"]
    cloud.advance(61)
    assert json.loads(client.read().payload)["id"] == "3"
    assert cloud.device()["properties"] == {"Temp": 1}


def test_a_set_comes_before_the_reply_to_a_post(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    cloud.arm("mqtt_tcp", "reply", "set", params={"Switch": 1})
    post(client, "1")
    first, second = client.read(), client.read()
    assert first.topic == T + "thing/service/property/set" and json.loads(first.payload)["params"] == {
        "Switch": 1
    }
    assert second.topic == POST + "_reply"


def test_by_a_switch_posts_above_the_rate_are_refused(device):
    cloud, client = device(
        connect_packet(mode="3", extra="_ss=1,"),
        switches={"uplink_rate": "refuse"},
        limits={"uplink_qos0": 2},
    )
    for number in range(9):
        post(client, str(number))
    codes = [json.loads(client.read().payload)["code"] for _ in range(9)]
    assert set(codes) == {200, 429} and codes.count(429) >= 3
