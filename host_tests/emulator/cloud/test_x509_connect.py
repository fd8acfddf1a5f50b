"""CONNECT behind a client certificate, the identity push, and each switch of both (x509.md 4)."""

import json

import pytest

from host_tests.support.cloud.client import Client, Closed, connect_packet
from host_tests.support.cloud.gateway import signed
from host_tests.support.cloud.x509 import (
    CA,
    PUSH,
    SUB,
    SUB_SECRET,
    VECTORS,
    XDN,
    XDN2,
    XPK,
    again,
    client,
    first,
    pushed,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Connack

SERIAL = 0x9DC60FB736F3AD
OTHER = 0x2BC5C2D8


def code(factory, packet, pair=None):
    """The CONNACK's code; "close" without one."""
    with client(factory.cloud, pair or factory.files()) as device:
        try:
            return device.login(packet)
        except Closed:
            return "close"


def vector(one, **fields):
    return codec.Connect(
        **{
            "client_id": one["clientId"],
            "username": one["username"],
            "password": one["password"].encode(),
            "keep_alive": 300,
            **fields,
        }
    )


@pytest.mark.parametrize("one", VECTORS["connect"], ids=lambda one: one["id"])
def test_every_vector_is_let_in_and_told_who_it_is(factory, one):
    with client(factory.cloud, factory.ready()) as device:
        assert device.ask(vector(one)) == Connack(0)
        push = device.read()
        payload = json.dumps(PUSH["payload"], separators=(",", ":"))
        assert push == codec.Publish(PUSH["topic"], payload.encode())
        device.nothing()
    (online,) = factory.cloud.log(event="online")
    assert (online["pk"], online["dn"], online["code"]) == (XPK, XDN, 200)


FORMS = {
    "neither user name nor password": first(username=None, password=None),
    "empty user name": first(username="", password=b""),
    "the user name &": first(username="&", password=b"x"),
    "no list": first(client_id="anything"),
    "no clientId": first(client_id=""),
    "64 characters": first(client_id="c" * 64),
    "a list without securemode": first(client_id="c|timestamp=1|"),
    "another signmethod": first(client_id="c|securemode=2,signmethod=sha3|"),
    "another device in the clientId": first(client_id="a1X509Other.sensor-02|securemode=2|"),
    "a password that is not looked at": again(password=b"\xff\x00"),
    "MQTT 3.1": first(protocol="MQIsdp", level=3),
    "30 s": first(keep_alive=30),
    "1200 s": first(keep_alive=1200),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_else_is_let_in(factory, name):
    with client(factory.cloud, factory.ready()) as device:
        assert device.ask(FORMS[name]) == Connack(0)
        assert pushed(device.read()) == PUSH["payload"]


# name -> (CONNECT, code, switches under which it has another code)
REFUSED = {
    "securemode 3": (
        first(client_id="c|securemode=3|"),
        2,
        {("bad_client_id", 4): 4, ("x509_securemode", "ignored"): 0},
    ),
    "empty securemode": (first(client_id="c|securemode=|"), 2, {}),
    "securemode -2": (first(client_id="c|securemode=-2|"), 2, {("x509_securemode", "required"): 2}),
    "a list without an end": (first(client_id="c|securemode=2"), 2, {("bad_client_id", 1): 1}),
    "65 characters": (first(client_id="c" * 65), 2, {}),
    "65 characters before a list": (first(client_id="c" * 65 + "|securemode=2|"), 2, {}),
    "an authType": (first(client_id="c|securemode=2,authType=x509|"), 2, {("x509_auth_type", "ignored"): 0}),
    "a registration": (first(client_id="c|securemode=2,authType=register,random=1|"), 2, {}),
    "keep alive 29": (first(keep_alive=29), 2, {("x509_keep_alive", 5): 5, ("x509_keep_alive", "clamp"): 0}),
    "keep alive 1201": (first(keep_alive=1201), 2, {("x509_keep_alive", "clamp"): 0}),
    "no keep alive": (first(keep_alive=0), 2, {}),
    "another device": (again(dn=XDN2), 5, {("x509_identity", 4): 4, ("x509_identity", "ignored"): 0}),
    "another product": (again(pk="a1X509Other"), 5, {}),
    "a device that is not": (again(dn="nobody"), 5, {}),
    "half a user name": (first(username=f"{XDN}&"), 5, {("x509_identity", "ignored"): 0}),
    "a user name of another kind": (first(username=XDN), 5, {}),
    "MQTT 5": (first(level=5), 1, {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(maker, name):
    packet, expected, others = REFUSED[name]
    with maker() as factory:
        factory.ready()
        assert code(factory, packet) == expected
        (refused,) = factory.cloud.log(event="refused")
        assert (refused["pk"], refused["dn"], refused["ca"]) == (XPK, XDN, CA)
        assert factory.cloud.device(XDN, XPK)["status"] == "inactive"
    for (switch, value), other in others.items():
        with maker(switches={switch: value}) as factory:
            assert code(factory, packet) == other, (switch, value)


def test_a_keep_alive_that_is_clamped(maker):
    with maker(switches={"x509_keep_alive": "clamp"}) as factory:
        pair = factory.ready()
        for asked in (0, 65535):
            with client(factory.cloud, pair) as device:
                device.online(first(keep_alive=asked))
                device.read()
                device.nothing()
        assert [entry["keep_alive"] for entry in factory.cloud.log(event="online")] == [30, 1200]


def test_what_a_switch_refuses_and_the_default_does_not(maker):
    with maker(switches={"x509_securemode": "required"}) as factory:
        factory.ready()
        assert [code(factory, packet) for packet in (FORMS["no list"], first())] == [2, 0]


# name -> (what the console does, switch)
GONE = {
    "no binding": (None, "x509_unknown"),
    "a disabled binding": (f"/cas/{CA}/bindings/{SERIAL:X}/disable", "x509_revoked"),
    "a disabled device": (f"/devices/{XPK}/{XDN}/disable", "x509_disabled"),
    "a deleted device": (f"/devices/{XPK}/{XDN}/delete", "x509_disabled"),
}


@pytest.mark.parametrize("name", GONE)
def test_certificates_that_open_nothing(maker, name):
    path, switch = GONE[name]
    for choice in (5, 4, "close"):
        with maker(switches={switch: choice} if choice != 5 else {}) as factory:
            if choice == 5:
                factory.register()
                if path:
                    factory.bind(SERIAL)
                    factory.cloud.admin("POST", path)
            assert code(factory, first()) == choice
            assert code(factory, again()) == choice


def test_a_certificate_that_is_disabled_while_it_is_connected(factory):
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        factory.cloud.admin("POST", GONE["a disabled binding"][0])
        assert device.closed() == "goodbye"
    (kicked,) = factory.cloud.log(event="kicked")
    assert kicked["reason"] == "its certificate was disabled"
    factory.cloud.admin("POST", f"/cas/{CA}/bindings/{SERIAL:X}/enable")
    assert code(factory, first()) == 0


@pytest.mark.parametrize("action", ["disable", "delete"])
def test_a_device_that_is_disabled_or_deleted_while_it_is_connected(factory, action):
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        factory.cloud.admin("POST", f"/devices/{XPK}/{XDN}/{action}")
        assert device.closed() == "goodbye"
    assert code(factory, first()) == 5


def test_a_second_certificate_of_a_device_and_the_first_disabled(factory):
    old, new = factory.ready(), factory.files(OTHER)
    factory.bind(OTHER)
    assert [code(factory, first(), pair) for pair in (old, new)] == [0, 0]
    with client(factory.cloud, new) as device:
        device.online(first())
        device.read()
        factory.cloud.admin("POST", f"/cas/{CA}/bindings/{SERIAL:X}/disable")
        device.nothing()  # the connection is that of the other certificate
    assert [code(factory, first(), pair) for pair in (old, new)] == [5, 0]


def test_a_binding_that_is_replaced(factory):
    old, new = factory.ready(), factory.files(OTHER)
    with client(factory.cloud, old) as device:
        device.online(first())
        factory.cloud.admin("POST", f"/cas/{CA}/bindings/{SERIAL:X}/replace", {"serial": "2b:c5:c2:d8"})
        assert device.closed() == "goodbye"
    assert [code(factory, first(), pair) for pair in (old, new)] == [5, 0]


def test_a_device_that_comes_again_under_its_name_has_no_certificate(factory):
    pair = factory.ready()
    factory.cloud.admin("POST", f"/devices/{XPK}/{XDN}/delete")
    factory.cloud.admin("POST", f"/products/{XPK}/devices", {"device_names": [XDN]})
    assert code(factory, first(), pair) == 5
    factory.bind(SERIAL)  # the serial is free again
    assert code(factory, first(), pair) == 0


def test_two_connections_of_one_certificate(factory):
    pair = factory.ready()
    with client(factory.cloud, pair) as older, client(factory.cloud, pair) as newer:
        older.online(first())
        newer.online(again())
        assert older.closed() == "goodbye"
        newer.read()
        newer.nothing()


def test_connects_that_come_too_often(maker):
    with maker(switches={"connect_rate": 3}, limits={"connects_per_minute": 2}) as factory:
        pair = factory.ready()
        assert [code(factory, first(), pair) for _ in range(3)] == [0, 0, 3]


@pytest.mark.parametrize("where", ["mqtt_tls", "mqtt_tcp"])
def test_an_x509_device_has_no_secret_to_connect_with(factory, where):
    factory.ready()
    secret = factory.cloud.device(XDN, XPK)["device_secret"]
    mode = "3" if where == "mqtt_tcp" else "2"
    with Client(factory.cloud.open(where)) as device:
        assert device.login(connect_packet(XDN, XPK, secret, mode=mode)) == 4


def test_an_ordinary_device_from_then_on(factory):
    user = f"/{XPK}/{XDN}/user/"
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        device.read()
        assert device.subscribe(user + "get", qos=1) == (1,)
        sent = factory.cloud.admin("POST", "/publish", {"topic": user + "get", "payload": "hi", "qos": 1})
        assert sent["sent"] == 1 and device.read().payload == b"hi"
        device.send(codec.Publish(user + "update", b"hello"))
        device.nothing()
    assert factory.cloud.messages(pk=XPK, dn=XDN, topic=user + "update")[0]["payload"] == "hello"
    shown = factory.cloud.device(XDN, XPK)
    assert shown["traffic"]["tls_handshakes"] == 1 and shown["activated_at"]
    assert shown["certificates"] == [{"ca": CA, "serial": f"{SERIAL:X}", "state": "active"}]


def test_a_gateway_with_a_certificate_takes_its_sub_devices_along(maker):
    with maker(node="gateway") as factory:
        pair, cloud = factory.ready(), factory.cloud
        cloud.admin(
            "POST",
            f"/devices/{XPK}/{XDN}/topology",
            {"subdevices": [{"product_key": SUB[0], "device_name": SUB[1]}]},
        )
        cloud.admin("POST", f"/devices/{SUB[0]}/{SUB[1]}/kick", {}, 409)  # its session is there first
        login = {"id": "1", "params": signed(SUB, secret_=SUB_SECRET)}
        with client(factory.cloud, pair) as gateway:
            gateway.online(first(client_id=".|_ss=1,securemode=2|"))
            gateway.read()
            gateway.send(codec.Publish(f"/ext/session/{XPK}/{XDN}/combine/login", json.dumps(login).encode()))
            assert json.loads(gateway.read().payload)["code"] == 200
            cloud.admin("POST", f"/cas/{CA}/bindings/{SERIAL:X}/disable")
            assert gateway.closed() == "goodbye"
        assert cloud.device(SUB[1], SUB[0])["status"] == "offline"
        assert [entry["dn"] for entry in cloud.log(event="kicked")] == [XDN]
        (offline,) = cloud.log(event="offline", dn=SUB[1])
        assert offline["reason"] == "the gateway is offline"


# ---- the identity push


def test_the_push_comes_before_the_messages_that_wait(factory):
    pair, topic = factory.ready(), f"/{XPK}/{XDN}/user/get"
    with client(factory.cloud, pair) as device:
        device.online(first(clean_session=False))
        device.read()
        device.subscribe(topic, qos=1)
        factory.cloud.admin("POST", f"/devices/{XPK}/{XDN}/kick")
    factory.cloud.admin("POST", "/publish", {"topic": topic, "payload": "kept", "qos": 1})
    with client(factory.cloud, pair) as device:
        assert device.ask(first(clean_session=False)) == Connack(0, True)
        assert [device.read().topic for _ in range(2)] == [PUSH["topic"], topic]


def test_the_push_by_its_switches(maker):
    with maker(switches={"x509_push": "unknown", "x509_push_qos": 1}) as factory:
        pair = factory.ready()
        with client(factory.cloud, pair) as device:
            device.online(first(username="&"))
            push = device.read()
            assert pushed(push) == PUSH["payload"] and (push.qos, push.packet_id) == (1, 1)
            device.send(codec.Ack("puback", 1))
            device.nothing()
        with client(factory.cloud, pair) as device:
            device.online(again())
            device.nothing()


def test_the_push_is_among_the_messages(factory):
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        device.read()
    (message,) = factory.cloud.messages(topic=PUSH["topic"])
    assert json.loads(message["payload"]) == PUSH["payload"] and message["direction"] == "down"


def test_no_device_subscribes_or_publishes_on_the_push_s_topic(factory):
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        device.read()
        assert device.subscribe(PUSH["topic"]) == (0x80,)
        device.send(codec.Publish(PUSH["topic"], b"{}"))
        device.nothing()


FAULTS = {
    "wrong_device": ({}, {"productKey": XPK, "deviceName": "somebody_else"}),
    "oversize": ({"bytes": 1000}, {**PUSH["payload"], "padding": "x" * 1000}),
    "wrong_json": ({"body": "{}"}, {}),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_push_that_says_something_else(factory, kind):
    parameters, reason = FAULTS[kind]
    pair = factory.ready()
    factory.cloud.arm("x509", "push", kind, dn=XDN, **parameters)
    with client(factory.cloud, pair) as device:
        device.online(first())
        assert pushed(device.read()) == reason


def test_a_push_that_is_lost_and_one_that_is_cut(factory):
    pair = factory.ready()
    factory.cloud.arm("x509", "push", "silent")
    with client(factory.cloud, pair) as device:
        device.online(first())
        device.nothing()
    factory.cloud.arm("x509", "push", "cut", bytes=10)
    with client(factory.cloud, pair) as device:
        device.online(first())
        assert device.closed() == "fin"


def test_a_fault_strikes_the_device_of_the_certificate_at_a_connect_without_a_name(factory):
    pair = factory.ready()
    factory.cloud.arm("x509", "connect", "refuse", code=3, pk=XPK, dn=XDN)
    assert [code(factory, first(), pair) for _ in range(2)] == [3, 0]
