"""Messages of sub-devices through their gateway (gateway.md 6, 9)."""

import json

import pytest

from host_tests.support.cloud.gateway import (
    GDN2,
    GPK,
    ONE,
    POST,
    SYS,
    TWO,
    USER,
    Gateway,
    act,
    pair,
    send,
    status,
    subdevice,
    topology,
)
from tools.emulator.cloud import codec


def test_a_sub_device_posts_and_is_answered_without_a_subscription(gateway):
    client = gateway().bring(ONE)
    client.publish(POST, {"id": "7", "params": {"Temp": 21}, "method": "thing.event.property.post"})
    reply = client.read()
    assert reply.topic == POST + "_reply" and json.loads(reply.payload)["code"] == 200
    assert subdevice(client.cloud, ONE)["properties"] == {"Temp": 21}
    assert client.cloud.messages(dn=ONE[1], direction="up")[0]["topic"] == POST


def test_every_topic_of_a_sub_device_is_its_gateways_to_use(gateway):
    client = gateway().bring(ONE)
    topics = [
        SYS + "thing/deviceinfo/update",
        USER + "up",
        f"/shadow/update/{'/'.join(ONE)}",
        f"/ota/device/inform/{'/'.join(ONE)}",
        f"/ext/ntp/{'/'.join(ONE)}/request",
    ]
    for topic in topics:
        client.publish(topic, {"id": "1", "params": []})
    client.ping()
    assert [one["topic"] for one in client.cloud.messages(dn=ONE[1], direction="up")] == topics
    assert client.errors() == []


def test_the_system_topics_come_by_ss_and_others_by_subscription(gateway):
    client = gateway().bring(ONE)
    assert act(client.cloud, ONE, "property", {"params": {"on": 1}})["sent"] == 1
    assert client.read().topic == SYS + "thing/service/property/set"
    assert send(client.cloud, USER + "get")["dropped"] == 1
    assert client.subscribe(USER + "get", USER + "+") == (0, 0)
    assert send(client.cloud, USER + "get", qos=1)["sent"] == 1
    packet = client.read()
    client.send(codec.Ack("puback", packet.packet_id))
    assert packet.payload == b"hi" and packet.qos == 1
    client.ask(codec.Unsubscribe(2, (USER + "get", USER + "+")))
    assert send(client.cloud, USER + "get")["dropped"] == 1


@pytest.mark.parametrize(
    "switch, own, whole, sent",
    [
        ("either", True, "", 1),
        ("either", False, "_ss=1,", 1),
        ("either", False, "", 0),
        ("own", True, "", 1),
        ("own", False, "_ss=1,", 0),
        ("gateway", True, "", 0),
        ("gateway", False, "_ss=1,", 1),
    ],
)
def test_whose_ss_counts_for_system_topics(gateway, switch, own, whole, sent):
    client = gateway(extra_keys=whole, switches={"system_topics": switch, "replies_need_subscription": False})
    client.add(ONE)
    client.log_in(ONE, client_id="c|_ss=1,_v=x|" if own else "c")
    assert act(client.cloud, ONE, "property", {"params": {}})["sent"] == sent
    client.ping()
    client.subscribe(SYS + "#")
    assert act(client.cloud, ONE, "property", {"params": {}})["sent"] == 1


def test_without_a_session_nothing_is_taken_and_520_comes(gateway):
    client = gateway()
    client.add(ONE)
    client.publish(POST, {"id": "1", "params": {"Temp": 1}})
    client.publish(USER + "up", b"x", 1)
    assert client.errors() == [(520, ONE), (520, ONE)] and subdevice(client.cloud, ONE)["properties"] == {}
    assert client.subscribe(USER + "get", SYS + "#") == (0x80, 0x80)
    assert send(client.cloud, USER + "get")["sent"] == 0
    act(client.cloud, ONE, "rrpc", {"payload": "x"}, status=504)


def test_a_session_of_another_gateway_is_none(gateway):
    client = gateway().bring(ONE)
    with Gateway(client.cloud, GDN2) as other:
        other.publish(POST, {"id": "1", "params": {"Temp": 1}})
        assert other.errors() == [(520, ONE)]
        assert other.subscribe(USER + "get") == (0x80,)
    assert subdevice(client.cloud, ONE)["properties"] == {}


def test_topics_of_devices_that_are_no_sub_devices_stay_foreign(gateway):
    client = gateway()
    for topic in (
        "/sys/a1DirectPkX/direct/thing/event/property/post",
        f"/sys/{GPK}/{GDN2}/thing/topo/get",
        f"/ext/session/{GPK}/{GDN2}/combine/login",
        "/nowhere",
    ):
        client.publish(topic, {"id": "1"})
        assert client.subscribe(topic) == (0x80,)
    assert client.heard() == [] and len(client.cloud.log(event="foreign topic", action="publish")) == 4


def test_rrpc_reaches_a_sub_device(gateway):
    from concurrent.futures import ThreadPoolExecutor

    client = gateway().bring(ONE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(act, client.cloud, ONE, "rrpc", {"payload": "ask"})
        packet = client.read()
        client.publish(packet.topic.replace("request", "response"), b"answer")
        assert asked.result()["payload"] == "answer"


def test_qos_1_messages_of_a_kept_session_wait_for_the_next_login(gateway):
    client = gateway()
    client.bring(ONE, cleanSession="false")
    client.subscribe(USER + "get")
    send(client.cloud, USER + "get", "unacknowledged", 1)
    assert client.read().payload == b"unacknowledged"
    client.good("combine/logout", pair(ONE))
    assert send(client.cloud, USER + "get", "kept", 1)["kept"] == 1
    client.log_in(ONE, cleanSession="false")
    assert [packet.payload for packet in (client.read(), client.read())] == [b"unacknowledged", b"kept"]
    client.good("combine/logout", pair(ONE))
    client.log_in(ONE, cleanSession="true")
    client.nothing()


def test_a_full_window_of_unacknowledged_messages_is_shared_and_empties(gateway):
    client = gateway(limits={"unacknowledged": 2}).bring(ONE, TWO)
    other = USER.replace(ONE[1], TWO[1])
    client.subscribe(USER + "get", other + "get")
    for number, topic in enumerate((USER, USER, other, USER)):
        send(client.cloud, topic + "get", str(number), 1)
    got = []
    for _ in range(4):
        packet = client.read()
        got.append(packet.payload)
        client.send(codec.Ack("puback", packet.packet_id))
    assert sorted(got) == [b"0", b"1", b"2", b"3"]


def test_sessions_end_with_the_connection_of_the_gateway(gateway):
    client = gateway().bring(ONE, TWO)
    client.link.close()
    with Gateway(client.cloud) as again:
        assert {status(client.cloud, key) for key in (ONE, TWO)} == {"offline"}
        assert topology(client.cloud) == [ONE, TWO]
        again.publish(POST, {"id": "1", "params": {}})
        assert again.errors() == [(520, ONE)]
        with Gateway(client.cloud) as newer:
            newer.log_in(ONE)
            assert again.closed() in ("fin", "reset") and status(client.cloud, ONE) == "online"
