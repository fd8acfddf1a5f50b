"""What a gateway may ask, each code that it may get, and the envelope (gateway.md 2, 13)."""

import json

import pytest

from host_tests.support.cloud.client import connect_packet
from host_tests.support.cloud.gateway import (
    ADD,
    BATCH,
    BATCH_OUT,
    DELETE,
    FOUND,
    GDN,
    GDN2,
    GET,
    GONE,
    GPK,
    LOGIN,
    LOGOUT,
    OFF,
    ONE,
    PACK,
    PROXY,
    REGISTER,
    SECRETS,
    SPK,
    TWO,
    UNREGISTER,
    Gateway,
    bound,
    listed,
    name,
    pair,
    proxied,
    proxy,
    signed,
    topology,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codes import MESSAGES

DIRECT = ("a1DirectPkX", "direct")


def act(cloud, key, action, body=None, **more):
    return cloud.admin("POST", f"/devices/{'/'.join(key)}/{action}", body, **more)


# (what it is, request, params, code, what happens before)
CODES = [
    # shape
    *[
        (f"{tail} of {params!r}", tail, params, 460, None)
        for tail in (REGISTER, ADD, DELETE, FOUND, UNREGISTER, BATCH_OUT)
        for params in (
            None,
            {},
            [],
            "x",
            [1],
            [{}],
            [{"productKey": SPK}],
            [pair((SPK, ""))],
            [{**pair(ONE), "clientId": {}}],
        )
    ],
    *[
        (f"{tail} of {params!r}", tail, params, 460, None)
        for tail, params in (
            (PROXY, []),
            (PROXY, {}),
            (PROXY, {"proxieds": {}}),
            (PROXY, proxy()),
            (PROXY, proxy(pair(ONE))),
            (LOGIN, None),
            (LOGIN, []),
            (LOGIN, pair(ONE)),
            (LOGIN, {**signed(ONE), "cleanSession": "maybe"}),
            (LOGIN, {**signed(ONE), "timestamp": 1.5}),
            (LOGIN, {**signed(ONE), "timestamp": True}),
            (LOGIN, signed(ONE, client_id="")),
            (BATCH, []),
            (BATCH, {}),
            (BATCH, listed()),
            (BATCH, listed(pair(ONE))),
            (BATCH, {"deviceList": {}}),
            (LOGOUT, []),
            (LOGOUT, None),
            (LOGOUT, {}),
            (GET, []),
            (GET, "x"),
            (GET, {"a": 1}),
            (PACK, None),
            (PACK, {"subDevices": {}}),
            (PACK, {"subDevices": [1]}),
            (PACK, {"subDevices": [{}]}),
            (PACK, {"properties": []}),
        )
    ],
    # sign methods
    ("plain Sha256", ADD, [signed(ONE, method="Sha256")], 460, None),
    ("plain Sha256 at a login", LOGIN, signed(ONE, method="Sha256"), 460, lambda g: g.add(ONE)),
    (
        "an unknown method at product_register",
        PROXY,
        proxy({**proxied(ONE), "signMethod": "Sha256"}),
        200,
        None,
    ),
    # the sizes of batches
    ("31 to register", REGISTER, [pair((SPK, name(n))) for n in range(31)], 460, None),
    ("30 to register", REGISTER, [pair((SPK, name(n))) for n in range(30, 60)], 200, None),
    ("31 proxied", PROXY, proxy(*(proxied((SPK, name(n))) for n in range(31))), 460, None),
    ("30 proxied", PROXY, proxy(*(proxied((SPK, name(n))) for n in range(30))), 200, None),
    ("30 to attach", ADD, [signed((SPK, name(n))) for n in range(30)], 200, None),
    ("31 to detach", DELETE, [pair((SPK, name(n))) for n in range(31)], 460, None),
    ("51 to log out", BATCH_OUT, [pair((SPK, name(n))) for n in range(51)], 460, None),
    # register
    ("register in an unknown product", REGISTER, [pair(("a1Nothing11", "sensor"))], 5005, None),
    ("register with the switch off", REGISTER, [pair(OFF)], 6288, None),
    ("register the gateway", REGISTER, [pair((GPK, GDN))], 6402, None),
    ("register a direct device", REGISTER, [pair(DIRECT)], 6288, None),
    ("register an unknown name", REGISTER, [pair(GONE)], 6100, None),
    ("register another gateway's", REGISTER, [pair(ONE)], 6619, lambda g: bound(g, ONE)),
    ("register one's own", REGISTER, [pair(ONE)], 200, lambda g: g.add(ONE)),
    # topology
    ("attach a disabled one", ADD, [signed(ONE)], 6204, lambda g: act(g.cloud, ONE, "disable")),
    ("attach a direct device", ADD, [signed(DIRECT)], 6100, None),
    ("attach a deleted one", ADD, [signed(ONE)], 6100, lambda g: act(g.cloud, ONE, "delete")),
    ("attach another time", ADD, [signed(ONE)], 200, lambda g: g.add(ONE)),
    ("detach an unknown one", DELETE, [pair(GONE)], 6100, None),
    ("detach what is not attached", DELETE, [pair(ONE)], 6401, None),
    ("detach another gateway's", DELETE, [pair(ONE)], 6401, lambda g: bound(g, ONE)),
    # found
    ("found in an unknown product", FOUND, [pair(("a1Nothing11", "sensor"))], 6250, None),
    ("found with a short name", FOUND, [pair((SPK, "abc"))], 6280, None),
    ("found with a name of other characters", FOUND, [pair((SPK, "sensor 1"))], 6280, None),
    ("found", FOUND, [pair(GONE)], 200, None),
    # login
    ("log an unknown one in", LOGIN, signed(GONE), 6100, None),
    ("log another gateway's in", LOGIN, signed(ONE), 6401, lambda g: bound(g, ONE)),
    (
        "a label that lies",
        LOGIN,
        {**signed(ONE, method="hmacSha1"), "signMethod": "hmacSha256"},
        6287,
        lambda g: g.add(ONE),
    ),
    (
        "a sign without the timestamp that is sent",
        LOGIN,
        {**signed(ONE, timestamp=None), "timestamp": "1"},
        6287,
        lambda g: g.add(ONE),
    ),
    (
        "a batch of which one is not attached",
        BATCH,
        listed(signed(ONE), signed(TWO)),
        6401,
        lambda g: g.add(ONE),
    ),
    (
        "a batch of which one is deleted",
        BATCH,
        listed(signed(ONE), signed(TWO)),
        521,
        lambda g: (g.add(ONE), act(g.cloud, TWO, "delete")),
    ),
    # logout
    ("log out without a session", LOGOUT, pair(ONE), 520, None),
    (
        "log out a batch of which one is offline",
        BATCH_OUT,
        [pair(ONE), pair(TWO)],
        520,
        lambda g: g.bring(ONE),
    ),
    # removal
    ("unregister an unknown one", UNREGISTER, [pair(GONE)], 6100, None),
    ("unregister what is not attached", UNREGISTER, [pair(ONE)], 6401, None),
    ("unregister", UNREGISTER, [pair(ONE)], 200, lambda g: g.add(ONE)),
    # packs
    ("a pack of an unattached one", PACK, {"subDevices": [{"identity": pair(ONE)}]}, 6401, None),
    ("a pack of 21", PACK, {"subDevices": [{"identity": pair(ONE)}] * 21}, 6357, None),
    ("a pack of 201 properties", PACK, {"properties": {f"p{n}": n for n in range(201)}}, 6106, None),
    ("a pack of 201 values", PACK, {"properties": {"p": [{"value": n} for n in range(201)]}}, 6106, None),
    ("a pack of 201 events", PACK, {"events": {"e": [{"value": {}}] * 201}}, 6356, None),
    ("a topic nobody knows", "thing/topo/exchange", {}, 6203, None),
]


def test_the_code_of_each_request(gateway):
    client = gateway(extra=60)
    for what, tail, params, code, before in CODES:
        if before is None:
            reply = client.request(tail, params)
            assert reply["code"] == code, what
            assert reply["message"] == MESSAGES[code], what
            assert code == 200 or reply["data"] in ({}, pair(ONE), pair(GONE)), what
            if topology(client.cloud):
                client.good(DELETE, [pair(key) for key in topology(client.cloud)])


@pytest.mark.parametrize("case", [case for case in CODES if case[4]], ids=lambda case: case[0])
def test_the_code_of_a_request_after_something_has_happened(gateway, case):
    _, tail, params, code, before = case
    client = gateway()
    before(client)
    assert client.code(tail, params) == code


# ---- the envelope


@pytest.mark.parametrize("number", ["4294967295", 123, "1|exp-topic|/sys/x_reply"])
def test_the_id_comes_back_as_it_was_sent(gateway, number):
    client = gateway()
    client.publish(client.topic(GET), {"id": number, "params": {}})
    assert json.loads(client.read().payload)["id"] == number


def test_what_is_no_json_gets_460(gateway):
    client = gateway()
    for payload in (b"", b"{", b"[]", b"\xff"):
        client.publish(client.topic(ADD), payload)
        assert json.loads(client.read().payload)["code"] == 460


@pytest.mark.parametrize("ack, answered", [(0, False), (1, True)])
def test_a_request_may_do_without_a_reply(gateway, ack, answered):
    client = gateway()
    client.publish(client.topic(ADD), {"id": "1", "params": [signed(ONE)], "sys": {"ack": ack}})
    client.ping()
    assert (len(client.notices) == 1) is answered and topology(client.cloud) == [ONE]


@pytest.mark.parametrize("params", [{}, None, "{}"])
def test_topo_get_takes_what_the_sdks_send(gateway, params):
    client = gateway()
    client.add(ONE, TWO)
    assert client.good(GET, params) == [pair(ONE), pair(TWO)]


def test_replies_come_by_subscription_or_by_ss_and_not_else(gateway):
    client = gateway()
    with Gateway(client.cloud, GDN2, extra="") as other:
        other.publish(other.topic(GET), {"id": "1"})
        other.nothing()
        other.subscribe(other.topic(GET) + "_reply")
        assert other.good(GET, {}) == []


def test_a_device_that_is_no_gateway_is_not_answered(gateway):
    cloud = gateway().cloud
    with cloud.mqtt("mqtt_tcp") as device:
        device.online(
            connect_packet(dn="direct", pk=DIRECT[0], secret="fedcba9876543210" * 2, mode="3", extra="_ss=1,")
        )
        for topic in (f"/sys/{'/'.join(DIRECT)}/{ADD}", f"/ext/session/{'/'.join(DIRECT)}/{LOGIN}"):
            device.send(codec.Publish(topic, json.dumps({"id": "1", "params": [signed(ONE)]}).encode()))
        device.nothing()
    assert topology(cloud) == []


def test_a_sub_device_cannot_connect_by_itself(gateway):
    cloud = gateway().cloud
    with cloud.mqtt("mqtt_tcp") as device:
        assert device.login(connect_packet(dn=ONE[1], pk=SPK, secret=SECRETS[ONE], mode="3")) == 4
