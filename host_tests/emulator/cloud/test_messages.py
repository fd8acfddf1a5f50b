"""Topics, QoS, limits, sessions and timers of a connected device (direct.md 1.5, 1.6, 7)."""

import json

import pytest

from host_tests.support.cloud.client import (
    DN,
    PK,
    connect_packet,
    read_all,
    register_packet,
    registered,
    unit_packet,
)
from tools.emulator.cloud import codec, topics
from tools.emulator.cloud.codec import Ack, Publish, Suback, Subscribe, Unsubscribe

T = f"/sys/{PK}/{DN}/"
USER = f"/{PK}/{DN}/user/"
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


@pytest.fixture
def device(run):
    """`device(**settings)` gives (cloud, a connected client), closed at the end of the test."""
    opened = []

    def start(packet=None, where="mqtt_tcp", **changes):
        cloud = run(**changes).__enter__()
        client = cloud.mqtt(where)
        opened.append((client, cloud))
        return cloud, client.online(packet or connect_packet(mode="3"))

    yield start
    for client, cloud in opened:
        client.link.close()
        cloud.__exit__(None, None, None)


def publish(cloud, topic, payload="hello", qos=0):
    return cloud.admin("POST", "/publish", {"topic": topic, "payload": payload, "qos": qos})


# ---- scope

OWN = [
    USER + "get",
    USER + "#",
    USER + "a/+/c",
    T + "thing/#",
    T + "thing/service/property/set",
    f"/shadow/get/{PK}/{DN}",
    f"/ota/device/upgrade/{PK}/{DN}",
    f"/ext/ntp/{PK}/{DN}/response",
    f"/ext/error/{PK}/{DN}",
    "/ext/rrpc/+/#",
    f"/broadcast/{PK}/news",
]
FOREIGN = [
    "#",
    "+",
    "/#",
    f"/{PK}/+/user/get",
    f"/+/{DN}/user/get",
    f"/{PK}/dev_0002/user/get",
    f"/sys/{PK}/dev_0002/#",
    f"/sys/{PK}/#",
    "/sys/#",
    f"/shadow/get/{PK}/+",
    "/ext/#",
    "/ext/register",
    "/broadcast/other/news",
    f"/{PK}/{DN}/get",
    f"/{PK}/{DN}/#",
    "user/get",
    "$SYS/#",
    f"/ext/ntp/{PK}/{DN}/request",
]


@pytest.mark.parametrize("switch, foreign", [("refuse", 0x80), ("grant", 0)])
def test_subscriptions_stay_inside_the_device(device, switch, foreign):
    cloud, client = device(switches={"foreign_subscribe": switch})
    for topic in OWN:
        assert client.subscribe(topic) == (0,), topic
    for topic in FOREIGN:
        assert client.subscribe(topic) == (foreign,), topic
    assert {entry["topic"] for entry in cloud.log(event="foreign topic", code=9236)} == set(FOREIGN)
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["dev_0002"]})
    assert publish(cloud, f"/{PK}/dev_0002/user/get")["sent"] == 0
    client.nothing()


@pytest.mark.parametrize("switch", ["drop", "close"])
def test_publishing_to_a_foreign_topic(device, switch):
    cloud, client = device(switches={"foreign_publish": switch})
    client.send(Publish(f"/{PK}/dev_0002/user/update", b"x", 1, 9))
    assert client.read() == Ack("puback", 9)
    if switch == "close":
        assert client.closed() == "fin"
    else:
        client.nothing()
    (entry,) = cloud.log(event="foreign topic")
    assert (entry["code"], entry["pk"], entry["dn"]) == (9236, PK, DN)
    assert cloud.messages() == []


@pytest.mark.parametrize(
    "topic_filter, topic, match",
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("+", "", True),
        ("a/+/c", "a//c", True),
        ("/a", "a", False),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter, topic, match):
    assert topics.matches(topic_filter, topic) is match


@pytest.mark.parametrize(
    "topic, found",
    [
        (USER + "get", (PK, DN)),
        (T + "thing/x", (PK, DN)),
        (f"/shadow/get/{PK}/{DN}", (PK, DN)),
        (f"/ota/device/upgrade/{PK}/{DN}", (PK, DN)),
        (f"/ext/ntp/{PK}/{DN}/response", (PK, DN)),
        ("user/get", None),
        ("/sys/x", None),
        ("", None),
        ("/", None),
    ],
)
def test_which_device_a_topic_names(topic, found):
    assert topics.device_of(topic) == found


# ---- limits


def test_eight_topics_in_a_subscribe_and_a_hundred_subscriptions(device):
    cloud, client = device()
    assert client.subscribe(*(f"{USER}t{n}" for n in range(10))) == (0,) * 8 + (0x80,) * 2
    for start in range(8, 96, 8):
        assert client.subscribe(*(f"{USER}t{n}" for n in range(start, start + 8))) == (0,) * 8
    assert client.subscribe(*(f"{USER}t{n}" for n in range(96, 102))) == (0,) * 4 + (0x80,) * 2
    assert client.subscribe(f"{USER}t5") == (0,)  # one that is there already
    assert client.ask(codec.Unsubscribe(2, (f"{USER}t5",))) == Ack("unsuback", 2)
    assert client.subscribe(f"{USER}t101") == (0,)
    assert len(cloud.device()["sessions"][0]["subscriptions"]) == 100


def test_length_and_slashes_of_a_topic(device):
    cloud, client = device()
    longest = USER + "x" * (128 - len(USER))
    for topic, code in (
        (longest, 0),
        (longest + "x", 0x80),
        (USER + "1/2/3/4", 0),
        (USER + "1/2/3/4/5", 0x80),
        (USER + "é" * ((128 - len(USER)) // 2), 0),
        (USER + "é" * ((130 - len(USER)) // 2), 0x80),
    ):
        assert client.subscribe(topic) == (code,), topic
        client.send(Publish(topic, b"x", 1, 3))
        assert client.read() == Ack("puback", 3)
        assert bool(cloud.messages(topic=topic, direction="up")) == (code == 0)
        if not code:
            assert client.read().topic == topic


@pytest.mark.parametrize("switch", ["close", "drop"])
def test_the_largest_payload(device, switch):
    cloud, client = device(switches={"oversize_publish": switch})
    client.send(Publish(USER + "big", bytes(256 * 1024), 1, 5))
    assert client.read() == Ack("puback", 5)
    client.send(Publish(USER + "big", bytes(256 * 1024 + 1), 1, 6))
    if switch == "close":
        assert client.closed() in ("fin", "reset")
    else:
        client.nothing()
    assert [len(one["payload"]) for one in cloud.messages()] == [256 * 1024]


def test_a_packet_far_above_the_limit_is_not_read_to_its_end(device):
    cloud, client = device()
    client.send(b"\x30\xff\xff\xff\x7f" + bytes(1000))
    assert client.closed() in ("fin", "reset")
    assert "too large" in cloud.log(event="closed by the platform")[0]["reason"]


@pytest.mark.parametrize("switch, code", [("refuse", 0x80), ("grant_1", 1)])
def test_a_subscription_with_qos_2(device, switch, code):
    _, client = device(switches={"qos2_subscribe": switch})
    assert client.subscribe(USER + "get", qos=2) == (code,)


@pytest.mark.parametrize("switch", ["close", "drop"])
def test_a_message_with_qos_2(device, switch):
    cloud, client = device(switches={"qos2_publish": switch})
    client.send(Publish(USER + "up", b"x", 2, 5))
    if switch == "close":
        assert client.closed() in ("fin", "reset")
    else:
        client.nothing()
    assert cloud.messages() == []


@pytest.mark.parametrize("switch", ["ignored", "close"])
def test_a_message_with_retain(device, switch):
    cloud, client = device(switches={"retain": switch})
    client.subscribe(USER + "up")
    client.send(Publish(USER + "up", b"x", 0, None, True))
    if switch == "close":
        assert client.closed() in ("fin", "reset")
        return
    assert client.read() == Publish(USER + "up", b"x")
    client.subscribe(USER + "up")
    client.nothing()  # nothing was kept for a new subscription


@pytest.mark.parametrize("switch, taken", [("off", (8, 8)), ("drop", (3, 2))])
def test_uplink_rates(device, switch, taken):
    """Above the rate there is no answer at all; which second a message falls into cannot be known."""
    cloud, client = device(switches={"uplink_rate": switch}, limits={"uplink_qos0": 3, "uplink_qos1": 2})
    client.send(*(Publish(USER + "0", b"x") for _ in range(8)))
    client.send(*(Publish(USER + "1", b"x", 1, 1 + n) for n in range(8)))
    client.send(codec.Pingreq())
    answers = []
    while not answers or answers[-1] != codec.Pingresp():
        answers.append(client.read())
    counts = tuple(len(cloud.messages(topic=USER + level)) for level in "01")
    assert len(answers) - 1 == counts[1]
    assert counts == taken or switch == "drop" and taken[0] <= counts[0] <= 6 and taken[1] <= counts[1] <= 4


def test_a_subscription_takes_effect_after_its_time(run):
    with run(timing={"subscribe_seconds": 3600}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        assert client.subscribe(USER + "get") == (0,)
        assert publish(cloud, USER + "get")["dropped"] == 1
        cloud.instance.sessions.monotonic = lambda: 1e12
        assert publish(cloud, USER + "get")["sent"] == 1


# ---- QoS and sessions


@pytest.mark.parametrize("asked", [0, 1])
@pytest.mark.parametrize("sent", [0, 1])
def test_delivery_follows_the_publisher(device, asked, sent):
    cloud, client = device()
    assert client.subscribe(USER + "get", qos=asked) == (asked,)
    assert publish(cloud, USER + "get", "hello", sent) == {"sent": 1, "kept": 0, "dropped": 0}
    assert client.read() == Publish(USER + "get", b"hello", sent, 1 if sent else None)


def test_qos_1_for_a_device_that_is_offline_waits_in_a_kept_session(run):
    with run() as cloud:
        packet = connect_packet(clean_session=False)
        with cloud.mqtt() as client:
            assert client.ask(packet) == codec.Connack(0, False)
            client.subscribe(USER + "get")
            client.send(codec.Disconnect())
            client.closed()
        assert publish(cloud, USER + "get", "one", 1) == {"sent": 0, "kept": 1, "dropped": 0}
        assert publish(cloud, USER + "get", "zero", 0)["dropped"] == 1
        assert publish(cloud, USER + "other", "else", 1)["dropped"] == 1
        assert publish(cloud, USER + "get", "two", 1)["kept"] == 1
        with cloud.mqtt() as client:
            assert client.ask(packet) == codec.Connack(0, True)
            got = [client.read(), client.read()]
            assert [one.payload for one in got] == [b"one", b"two"] and not any(one.dup for one in got)
            client.send(Ack("puback", got[0].packet_id))
            client.nothing()
        with cloud.mqtt() as client:  # what was not acknowledged comes again
            assert client.ask(packet) == codec.Connack(0, True)
            again = client.read()
            assert (again.payload, again.packet_id, again.dup) == (b"two", got[1].packet_id, True)
            client.send(Ack("puback", again.packet_id))
            client.nothing()
            assert cloud.device()["sessions"][0]["unacknowledged"] == 0
        publish(cloud, USER + "get", "three", 1)
        with cloud.mqtt() as client:  # clean session: all is forgotten
            assert client.ask(connect_packet()) == codec.Connack(0, False)
            client.nothing()
            assert publish(cloud, USER + "get", "four", 1)["dropped"] == 1


@pytest.mark.parametrize("switch", ["session", "permanent"])
def test_subscriptions_of_a_clean_session(run, switch):
    def sent():
        return publish(cloud, USER + "get")["sent"]

    with run(switches={"subscriptions": switch}) as cloud:
        with cloud.mqtt() as client:
            client.online(connect_packet())
            client.subscribe(USER + "get", USER + "b")
            assert sent() == 1
        with cloud.mqtt() as client:
            assert client.ask(connect_packet()) == codec.Connack(0, False)
            assert sent() == (switch == "permanent")
    with run(switches={"subscriptions": switch}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        assert sent() == (switch == "permanent")
        if switch == "permanent":
            assert client.read().topic == USER + "get"
        assert client.ask(codec.Unsubscribe(2, (USER + "get",))) == Ack("unsuback", 2)
        assert sent() == 0


def test_what_waits_longer_than_seven_days_is_gone(run):
    with run() as cloud:
        with cloud.mqtt() as client:
            client.online(connect_packet(clean_session=False))
            client.subscribe(USER + "get")
        wall = cloud.instance.sessions.wall
        cloud.instance.sessions.wall = lambda: wall() - 7 * 86400 - 5
        wait_offline(cloud)
        publish(cloud, USER + "get", "old", 1)
        cloud.instance.sessions.wall = lambda: wall() - 7 * 86400 + 60
        publish(cloud, USER + "get", "younger", 1)
        cloud.instance.sessions.wall = wall
        with cloud.mqtt() as client:
            client.online(connect_packet(clean_session=False))
            assert client.read().payload == b"younger"
            client.nothing()


def wait_offline(cloud, dn=DN):
    """Returns once the cloud has seen the device's socket end."""
    import time

    limit = time.monotonic() + 20
    while cloud.device(dn)["status"] == "online":
        assert time.monotonic() < limit


def test_unacknowledged_messages_are_bounded_and_the_rest_waits(device):
    cloud, client = device(limits={"unacknowledged": 3})
    client.subscribe(USER + "get")
    for number in range(5):
        publish(cloud, USER + "get", str(number), 1)
    first = [client.read() for _ in range(3)]
    client.nothing()
    client.send(Ack("puback", first[1].packet_id))
    assert client.read().payload == b"3"
    client.nothing()


def test_packet_ids_wrap_past_those_in_flight(device):
    cloud, client = device()
    client.subscribe(USER + "get")
    publish(cloud, USER + "get", "first", 1)
    assert client.read().packet_id == 1
    cloud.instance.sessions.of(PK, DN)[0].next_id = 65535
    ids = []
    for _ in range(2):
        publish(cloud, USER + "get", "next", 1)
        ids.append(client.read().packet_id)
    assert ids == [65535, 2]


def test_a_puback_nobody_waits_for_does_no_harm(device):
    _, client = device()
    client.send(Ack("puback", 77))
    client.nothing()


@pytest.mark.parametrize(
    "packet",
    [
        codec.Connack(),
        Suback(1, (0,)),
        codec.Pingresp(),
        Ack("pubrec", 1),
        Ack("pubrel", 1),
        connect_packet(mode="3"),
        b"\x00\x00",
        b"\xf0\x00",
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_what_a_client_may_not_send_ends_the_connection(device, packet):
    _, client = device()
    client.send(packet)
    assert client.closed() in ("fin", "reset")


@pytest.mark.parametrize(
    "first",
    [codec.Pingreq(), Publish("a"), Subscribe(1, (("a", 0),)), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["ping", "publish", "subscribe", "http"],
)
def test_a_connection_begins_with_connect(cloud, first):
    with cloud.mqtt("mqtt_tcp") as client:
        client.send(first)
        assert client.closed() in ("fin", "reset")


def test_a_registration_connection_takes_no_requests(run):
    with run() as cloud:
        with cloud.mqtt() as client:
            registered(client, register_packet())
            client.nothing()
            client.send(Publish(USER + "up", b"x"))
            assert client.closed()
        with cloud.mqtt() as client:
            registered(client, register_packet())
            client.send(codec.Disconnect())
            assert client.closed() == "goodbye"
        assert cloud.messages() == [] and cloud.device()["status"] == "inactive"


# ---- timers


@pytest.mark.parametrize(
    "packet",
    [codec.Pingreq(), Publish(USER + "up", b"x", 0), Subscribe(1, ((USER + "a", 0),)), Ack("puback", 1)],
    ids=lambda packet: type(packet).__name__,
)
def test_silence_of_one_and_a_half_keep_alives_ends_the_link_and_four_packets_restart_the_time(run, packet):
    """UNSUBSCRIBE, not one of the four, tells that the cloud has dealt with the packet before it."""

    def sync():
        client.send(codec.Unsubscribe(9, (USER + "never",)))
        while client.read() != Ack("unsuback", 9):
            pass

    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=30))
        for _ in range(3):
            cloud.advance(44)
            client.send(packet)
            sync()
        cloud.advance(44)
        sync()
        assert cloud.device()["status"] == "online"
        cloud.advance(2)
        assert client.closed() == "goodbye"
        assert cloud.log(event="closed by the platform")[-1]["reason"] == "keep alive ran out"
        wait_offline(cloud)


def test_the_keep_alive_that_counts_is_the_clamped_one_and_the_factor_a_figure(run):
    with run(timing={"keep_alive_factor": 2}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=60_000))
        cloud.advance(2399)
        assert cloud.device()["status"] == "online"
        cloud.advance(2)
        assert client.closed() == "goodbye"


def test_a_periodic_check_lets_a_link_live_longer(run):
    with run(timing={"keep_alive_check_seconds": 30}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=30))
        cloud.advance(20)
        client.nothing()
        cloud.advance(30)  # the check at 45 s finds 25 s of silence, the next comes 30 s later
        cloud.advance(20)
        assert cloud.device()["status"] == "online"
        cloud.advance(6)
        assert client.closed() == "goodbye"


def test_a_connection_that_says_nothing_is_closed(run):
    with run() as cloud:
        links = [cloud.open(where) for where in ("mqtt_tcp", "mqtt_tls", "https")]
        cloud.advance(29)
        assert cloud.log(event="expired") == []
        cloud.advance(2)
        for link in links:
            with link:
                assert read_all(link) == b""
        assert len(cloud.log(event="expired")) == 3


def test_a_device_that_is_online_is_not_closed_for_saying_nothing(run):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=1200))
        cloud.advance(1000)
        client.nothing()


# ---- Alink


def test_property_post_is_answered_with_its_id_verbatim(device):
    cloud, client = device()
    client.subscribe(POST + "_reply")
    for request_id in ("1", "4294967295", "1|exp-topic|/sys/x_reply", 123, ""):
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
        (b"not JSON", 400),
        (b"[1]", 400),
        (b"\xff", 400),
        (b'{"id":"1"}', 460),
        (property_post(params=[1]), 460),
        (property_post(params={f"p{n}": n for n in range(201)}), 460),
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
        ("thing/property/desired/get", "thing.property.desired.get"),
        ("thing/deviceinfo/update", "thing.deviceinfo.update"),
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
        "version": "1.0",
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
        client.read()
        cloud.advance(9)
        assert "in time" in late.result()["error"]


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
    T + "thing/event/property/history/post": "nothing answers",
    T + "thing/config/get": "nothing answers",
    T + "thing/file/upload/mqtt/init": "nothing answers",
    T + "thing/deviceinfo/get": "nothing answers",
    f"/ota/device/inform/{PK}/{DN}": "nothing answers",
    f"/shadow/update/{PK}/{DN}": "nothing answers",
    T + "thing/deviceinfo/update": "it is answered, and nothing is kept",
    T + "thing/property/desired/get": "it is answered, and nothing is kept",
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
        said = [
            (one["topic"], one["reason"]) for one in cloud.log(event="not emulated", after=0, pk=PK, dn=DN)
        ]
        assert ((topic, reason) in said) == (reason is not None), topic
    assert len(said) == len([reason for reason in MISSING.values() if reason])


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
