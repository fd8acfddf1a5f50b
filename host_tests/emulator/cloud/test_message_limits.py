"""Limits of messages and subscriptions, QoS, kept sessions and broken packets (direct.md 1.5, 1.6, 7)."""

import pytest

from host_tests.support.cloud.client import (
    DN,
    PK,
    USER,
    connect_packet,
    publish,
    register_packet,
    registered,
    wait_offline,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Ack, Publish, Suback, Subscribe


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
