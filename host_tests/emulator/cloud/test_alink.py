"""Alink requests and replies, properties, services, NTP, RRPC and broadcasts (direct.md 7)."""

import json

import pytest

from host_tests.support.cloud.client import (
    DN,
    PK,
    USER,
    T,
    connect_packet,
    publish,
    register_packet,
    registered,
    unit_packet,
)
from tools.emulator.cloud import alink
from tools.emulator.cloud.codec import Ack, Publish, Unsubscribe

POST = T + "thing/event/property/post"


def property_post(request_id="1", params=None, **more):
    return json.dumps(
        {
            "id": request_id,
            "version": "1.0",
            "params": {"Temp": 20} if params is None else params,
            "method": "thing.event.property.post",
            **more,
        }
    ).encode()


def test_property_post_is_answered_with_its_id_verbatim(device):
    cloud, client = device()
    client.subscribe(POST + "_reply")
    for request_id in ("1", "4294967295", "1|exp-topic|/sys/x_reply", 123, "", 1.5, None):
        client.send(Publish(POST, property_post(request_id)))
        assert json.loads(client.read().payload) == {
            "code": 200,
            "data": {},
            "id": request_id,
            "message": "success",
            "method": "thing.event.property.post",
            "version": "1.0",
        }
    client.send(
        Publish(POST, property_post(params={"Temp": {"value": 21, "time": 1524448722000}, "Switch": 1}))
    )
    client.read()
    assert cloud.device()["properties"] == {"Temp": 21, "Switch": 1}


@pytest.mark.parametrize(
    "payload, code",
    [
        (b"not JSON", 6207),
        (b"[1]", 6207),
        (b'{"id":"1","params":{"Temp":1e999}}', 6207),
        (b"\xff", 6207),
        (b'{"id":"1"}', 460),
        (property_post(params=[1]), 460),
        (property_post(params={f"p{n}": n for n in range(201)}), 6106),
        (property_post(params={f"p{n}": n for n in range(200)}), 200),
        (property_post(params={}), 200),
    ],
)
def test_property_post_that_is_wrong(device, payload, code):
    _, client = device()
    client.subscribe(POST + "_reply")
    client.send(Publish(POST, payload))
    assert json.loads(client.read().payload)["code"] == code


def test_ack_0_asks_for_no_reply(device):
    cloud, client = device()
    client.subscribe(POST + "_reply")
    client.send(Publish(POST, property_post(sys={"ack": 0})))
    client.nothing()
    client.send(Publish(POST, property_post(sys={"ack": 1})))
    assert client.read().topic == POST + "_reply"


@pytest.mark.parametrize(
    "tail, method",
    [
        ("thing/event/Alarm/post", "thing.event.Alarm.post"),
        ("thing/property/desired/delete", "thing.property.desired.delete"),
        ("thing/awss/enrollee/match", "thing.awss.enrollee.match"),
    ],
)
def test_other_requests_have_their_reply(device, tail, method):
    _, client = device()
    client.subscribe(T + "#")
    client.send(Publish(T + tail, b'{"id":"5","params":{"value":{}}}', 1, 7))
    assert client.read() == Ack("puback", 7)
    while (packet := client.read()).topic != T + tail + "_reply":
        pass
    answer = json.loads(packet.payload)
    assert (answer["id"], answer["code"], answer["method"]) == ("5", 200, method)


def test_replies_need_a_subscription_or_the_platforms_own(run):
    with run() as cloud:
        with cloud.mqtt() as client:
            client.online(connect_packet())
            client.send(Publish(POST, property_post()))
            client.nothing()
        with cloud.mqtt() as client:
            client.online(connect_packet(extra="_ss=1,ext=3,"))
            client.send(Publish(POST, property_post()))
            assert client.read().topic == POST + "_reply"
            assert publish(cloud, T + "thing/service/property/set")["sent"] == 1
            assert publish(cloud, f"/ota/device/upgrade/{PK}/{DN}")["sent"] == 1
            assert publish(cloud, USER + "get")["dropped"] == 1  # custom topics are no system topics
            assert publish(cloud, f"/broadcast/{PK}/news")["sent"] == 0
    with run(switches={"replies_need_subscription": False}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        client.send(Publish(POST, property_post()))
        assert client.read().topic == POST + "_reply"


@pytest.mark.parametrize("switch", [True, False])
def test_a_device_that_subscribed_hears_itself_on_a_custom_topic(device, switch):
    _, client = device(switches={"custom_echo": switch})
    client.subscribe(USER + "#")
    client.send(Publish(USER + "chat", b"hello"))
    if switch:
        assert client.read() == Publish(USER + "chat", b"hello")
    client.nothing()


def test_property_set_and_services_come_down_and_their_replies_are_noted(device):
    cloud, client = device()
    client.subscribe(T + "thing/service/#")
    sent = cloud.admin("POST", f"/devices/{PK}/{DN}/property", {"params": {"Switch": 1}})
    packet = client.read()
    assert packet.topic == T + "thing/service/property/set"
    assert json.loads(packet.payload) == {
        "id": sent["id"],
        "version": "1.0.0",
        "params": {"Switch": 1},
        "method": "thing.service.property.set",
    }
    client.send(
        Publish(packet.topic + "_reply", json.dumps({"id": sent["id"], "code": 200, "data": {}}).encode())
    )
    client.nothing()
    assert cloud.messages(topic=T + "thing/service/property/set_reply", direction="up")
    cloud.admin("POST", f"/devices/{PK}/{DN}/service/reboot", {"params": {"in": 5}, "qos": 1})
    packet = client.read()
    assert (packet.topic, packet.qos, json.loads(packet.payload)["method"]) == (
        T + "thing/service/reboot",
        1,
        "thing.service.reboot",
    )


@pytest.mark.parametrize("sent, kind", [("1571724098000", str), (1571724098000, int)])
def test_ntp_topic_mirrors_the_type(device, sent, kind):
    cloud, client = device()
    client.subscribe(f"/ext/ntp/{PK}/{DN}/response")
    client.send(Publish(f"/ext/ntp/{PK}/{DN}/request", json.dumps({"deviceSendTime": sent}).encode()))
    packet = client.read()
    answer = json.loads(packet.payload)
    assert packet.qos == 0 and answer["deviceSendTime"] == sent
    import time

    for key in ("serverRecvTime", "serverSendTime"):
        assert type(answer[key]) is kind and abs(int(answer[key]) / 1000 - time.time()) < 60


@pytest.mark.parametrize("action", ["disable", "delete"])
def test_disable_and_delete_are_announced_and_the_device_thrown_off(device, action):
    cloud, client = device()
    client.subscribe(T + f"thing/{action}")
    cloud.admin("POST", f"/devices/{PK}/{DN}/{action}")
    packet = client.read()
    assert packet.topic == T + f"thing/{action}"
    assert json.loads(packet.payload).items() >= {"params": {}, "method": f"thing.{action}"}.items()
    assert client.closed() == "fin"
    assert cloud.log(event="kicked")[0]["code"] == 400


def test_enable_brings_a_device_back(device):
    cloud, client = device()
    cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
    assert cloud.device()["status"] == "disabled"
    cloud.admin("POST", f"/devices/{PK}/{DN}/enable")
    assert cloud.device()["status"] == "offline"
    with cloud.mqtt() as again:
        again.online(connect_packet())
        assert cloud.device()["status"] == "online"


def test_rrpc_and_its_time_limit(device):
    from concurrent.futures import ThreadPoolExecutor

    cloud, client = device(connect_packet(mode="3", extra="ext=1,"))
    client.subscribe(T + "rrpc/request/+", "/ext/rrpc/+/" + USER.lstrip("/") + "call", "/ext/rrpc/#")
    with ThreadPoolExecutor() as pool:
        for body, prefix in (
            ({"payload": "ask"}, T + "rrpc/request/"),
            ({"payload": "ask", "topic": USER + "call"}, "/ext/rrpc/"),
        ):
            asked = pool.submit(cloud.admin, "POST", f"/devices/{PK}/{DN}/rrpc", body)
            packet = client.read()
            assert packet.topic.startswith(prefix) and packet.payload == b"ask"
            client.send(Publish(packet.topic.replace("/rrpc/request/", "/rrpc/response/"), b"answer"))
            assert asked.result()["payload"] == "answer"
        late = pool.submit(cloud.admin, "POST", f"/devices/{PK}/{DN}/rrpc", {"payload": "x"}, 504)
        packet = client.read()
        cloud.advance(9)
        assert "in time" in late.result()["error"]
        client.send(Publish(packet.topic.replace("/request/", "/response/"), b"too late"))
        client.nothing()
        assert [one["reason"] for one in cloud.log(event="reply dropped")] == ["nobody waits for it"]


@pytest.mark.parametrize(
    "extra, rrpc, error", [("", 0, 0), ("ext=1,", 1, 0), ("ext=2,", 0, 1), ("ext=3,", 1, 1)]
)
@pytest.mark.parametrize("system", ["", "_ss=1,"])
def test_custom_rrpc_and_error_notices_go_to_those_whose_ext_says_so(device, extra, rrpc, error, system):
    cloud, client = device(connect_packet(mode="3", extra=extra + system), switches={"error_notices": "ext"})
    if not system:
        client.subscribe("/ext/rrpc/#", f"/ext/error/{PK}/{DN}")
    assert publish(cloud, f"/ext/error/{PK}/{DN}")["sent"] == error
    sent = cloud.instance.send_down(PK, DN, f"/ext/rrpc/1{USER}call", b"x", 0)
    assert sent["sent"] == rrpc


def test_a_subscription_brings_error_notices_without_the_bit_as_old_clients_have_it(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    assert publish(cloud, f"/ext/error/{PK}/{DN}")["sent"] == 0
    client.subscribe(f"/ext/error/{PK}/{DN}")
    assert publish(cloud, f"/ext/error/{PK}/{DN}")["sent"] == 1


def test_broadcast_goes_to_those_who_subscribed(run):
    with run(device=[{"device_name": f"dev_{n}", "device_secret": "s" * 32} for n in range(3)]) as cloud:
        clients = [cloud.mqtt().online(connect_packet(dn=f"dev_{n}", secret="s" * 32)) for n in range(3)]
        for client in clients[:2]:
            client.subscribe(f"/broadcast/{PK}/news")
        assert publish(cloud, f"/broadcast/{PK}/news", "all")["sent"] == 2
        for client in clients[:2]:
            assert client.read().payload == b"all"
        clients[2].nothing()
        for client in clients:
            client.link.close()


def test_a_message_to_a_name_reaches_each_of_its_units_and_a_reply_only_the_one_that_asked(run):
    with run() as cloud:
        units = []
        for _ in range(2):
            with cloud.mqtt() as client:
                units.append(registered(client, register_packet("regnwl", dn="unit"))[0])
        with cloud.mqtt() as first, cloud.mqtt() as second:
            for client, unit in ((first, units[0]), (second, units[1])):
                client.online(unit_packet(unit, dn="unit"))
                client.subscribe(f"/{PK}/unit/user/get", f"/sys/{PK}/unit/thing/event/property/post_reply")
            assert publish(cloud, f"/{PK}/unit/user/get")["sent"] == 2
            first.send(Publish(f"/sys/{PK}/unit/thing/event/property/post", property_post()))
            assert [first.read().topic.split("/")[-1] for _ in range(2)] == ["get", "post_reply"]
            assert second.read().topic == f"/{PK}/unit/user/get"
            second.nothing()


# ---- the platform's own topics, and what is missing here of what they ask


EIGHT = [f"thing/event/property/{name}/post" for name in ("batch", "history", "pack")]

EIGHT += ["thing/file/upload/mqtt/" + name for name in ("init", "send", "cancel")]


@pytest.mark.parametrize("tail", EIGHT)
def test_seven_slashes_bind_custom_topics_only(device, tail):
    cloud, client = device()
    assert (T + tail).count("/") >= 8 or "file" in tail
    assert client.subscribe(T + tail + "_reply", T + tail + "/a/b/c") == (0, 0)
    client.send(Publish(T + tail, b'{"id":"1","params":{}}', 1, 7))
    assert client.read() == Ack("puback", 7)
    assert [one["topic"] for one in cloud.messages(direction="up")] == [T + tail]
    assert cloud.log(event="topic too long") == []


MISSING = {
    T + "_thing/diag/post": "nothing answers",
    T + "codec/topic/update": "nothing answers",
    T + "secure_tunnel/proxy/request": "nothing answers",
    T + "thing/config/get": None,
    T + "thing/file/upload/mqtt/init": None,
    T + "thing/deviceinfo/get": "nothing answers",
    f"/ota/device/inform/{PK}/{DN}": None,
    f"/shadow/update/{PK}/{DN}": None,
    T + "thing/deviceinfo/update": None,
    T + "thing/reset": "it is answered, and nothing is kept",
    T + "thing/property/desired/get": None,
    POST: None,
    T + "thing/event/alarm/post": None,
    T + "thing/service/property/set_reply": None,
    T + "rrpc/response/1": None,
    f"/ext/ntp/{PK}/{DN}/request": None,
    USER + "update": None,
}


def test_what_is_not_emulated_is_said_in_the_log_at_once(device):
    cloud, client = device()
    for topic, reason in MISSING.items():
        client.send(Publish(topic, property_post()))
        client.nothing()
        missing = [
            (one["topic"], one["reason"]) for one in cloud.log(event="not emulated", after=0, pk=PK, dn=DN)
        ]
        assert ((topic, reason) in missing) == (reason is not None), topic
    assert len(missing) == len([reason for reason in MISSING.values() if reason])


@pytest.mark.parametrize("switch", ["honoured", "ignored"])
def test_an_unsubscribe_of_what_the_device_gets_by_itself(device, switch):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"), switches={"implied_unsubscribe": switch})
    for left in (T + "thing/service/property/set", T + "rrpc/request/+"):
        assert client.ask(Unsubscribe(5, (left,))) == Ack("unsuback", 5)
    after = 0 if switch == "honoured" else 1
    assert publish(cloud, T + "thing/service/property/set")["sent"] == after
    assert publish(cloud, T + "rrpc/request/17")["sent"] == after
    assert publish(cloud, T + "thing/service/reset")["sent"] == 1
    while client.packets or not client.silent():
        client.read()
    client.subscribe(T + "thing/service/property/set")
    assert publish(cloud, T + "thing/service/property/set")["sent"] == 1
    client.link.close()
    with cloud.mqtt("mqtt_tcp") as again:
        again.online(connect_packet(mode="3", extra="_ss=1,"))
        assert publish(cloud, T + "rrpc/request/17")["sent"] == 1


# what is posted -> (code, whether the first name is kept)
REPORTS = [
    ({"Temp": 1}, 200),
    ({"module:Temp": {"value": 2, "time": 1}}, 200),
    ({"x" * 50: 1}, 200),
    ({"x" * 51: 1}, 6304),
    ({"": 1}, 6304),
    ({"a b": 1}, 6304),
    ({"é": 1}, 6304),
    ({"Text": "é" * 10_240}, 200),
    ({"Text": "é" * 10_241}, 6310),
    ({"Text": {"value": "x" * 10_241}}, 6310),
]


@pytest.mark.parametrize("params, code", REPORTS)
def test_properties_that_no_thing_model_could_have_are_refused_and_not_kept(device, params, code):
    cloud, client = device()
    client.subscribe(POST + "_reply")
    client.send(Publish(POST, property_post(params=params)))
    assert json.loads(client.read().payload)["code"] == code
    assert set(cloud.device()["properties"]) == (set(params) if code == 200 else set())


def test_a_device_has_as_many_properties_as_a_model_and_its_answer_comes_whole(device):
    """The console's answer is larger than what may pile up for a slow client (8 MB)."""
    cloud, client = device(limits={"features": 900})
    client.subscribe(POST + "_reply")
    for first in range(0, 900, 20):
        params = {f"p{first + number}": "x" * 10_240 for number in range(20)}
        client.send(Publish(POST, property_post(params=params)))
        assert json.loads(client.read().payload)["code"] == 200
    client.send(Publish(POST, property_post(params={"p0": "kept", "one_more": 1})))
    answer = json.loads(client.read().payload)
    assert (answer["code"], answer["message"]) == (6304, "tsl parse: params not exist -> one_more")
    assert len(cloud.device()["properties"]) == 900 and cloud.device()["properties"]["p0"] == "x" * 10_240


@pytest.mark.parametrize(
    "written", ["1e3", "-0", "1.0", '"\\u0031\\/"', '"é"', "[1, 2]", "123456789012345678901", '{"a" :1}']
)
def test_an_id_is_echoed_byte_for_byte(written):
    for payload in (f'{{"id":{written},"params":{{}}}}', f' {{ "id" : 5 , "x":[{{}}], "id" : {written} }} '):
        answer = alink.reply(alink.parse(payload.encode()))
        assert f'"id":{written},'.encode() in answer and json.loads(answer)["code"] == 200
