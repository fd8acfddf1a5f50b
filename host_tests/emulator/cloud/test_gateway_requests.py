"""What a gateway may ask, and each code that it may get (gateway.md 2 to 8, 13)."""

import json

import pytest

from host_tests.support.cloud.client import connect_packet, read_all
from host_tests.support.cloud.gateway import (
    GDN,
    GDN2,
    GPK,
    ONE,
    SECRETS,
    SPK,
    TWO,
    Gateway,
    gateway_settings,
    name,
    pair,
    proxied,
    signed,
    status,
    subdevice,
    topology,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.faults import GATEWAY_STAGES
from tools.emulator.cloud.gateway.codes import MESSAGES
from tools.emulator.cloud.gateway.gateways import REQUESTS

REGISTER, PROXY = "thing/sub/register", "thing/proxy/provisioning/product_register"
ADD, DELETE, GET = "thing/topo/add", "thing/topo/delete", "thing/topo/get"
LOGIN, BATCH, LOGOUT, BATCH_OUT = (
    "combine/login",
    "combine/batch_login",
    "combine/logout",
    "combine/batch_logout",
)
FOUND, PACK, UNREGISTER = "thing/list/found", "thing/event/property/pack/post", "thing/sub/unregister"
GONE, OFF = (SPK, "sensor-99"), ("a1SwitchOff", "sensor-off")
DIRECT = ("a1DirectPkX", "direct")


@pytest.fixture
def gateway(run):
    """`gateway(**settings)` gives a gateway that is online; its cloud is `gateway.cloud`."""
    opened = []

    def start(**changes):
        cloud = run(gateway_settings(**changes))
        cloud.__enter__()
        opened.append((Gateway(cloud), cloud))
        return opened[-1][0]

    yield start
    for client, cloud in opened:
        client.link.close()
        cloud.__exit__(None, None, None)


def act(cloud, key, action, body=None, **more):
    return cloud.admin("POST", f"/devices/{'/'.join(key)}/{action}", body, **more)


def proxy(*items):
    return {"proxieds": list(items)}


def listed(*items, **more):
    return {"deviceList": list(items), **more}


def bound(gateway, key):
    gateway.cloud.admin(
        "POST",
        f"/devices/{GPK}/{GDN2}/topology",
        {"subdevices": [{"product_key": key[0], "device_name": key[1]}]},
    )


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


# ---- registration


def test_each_registration_makes_the_secret_before_it_void(gateway):
    client = gateway()
    (first,) = client.good(REGISTER, [pair(ONE)])
    (second,) = client.good(REGISTER, [pair(ONE)])
    assert first["iotId"] == second["iotId"] and len(second["deviceSecret"]) == 32
    assert len({SECRETS[ONE], first["deviceSecret"], second["deviceSecret"]}) == 3
    assert client.code(ADD, [signed(ONE, secret_=first["deviceSecret"])]) == 401
    assert client.code(ADD, [signed(ONE, secret_=second["deviceSecret"])]) == 200


def test_the_secret_of_a_sub_device_is_issued_when_it_is_active_too(gateway):
    client = gateway().bring(ONE)
    assert subdevice(client.cloud, ONE)["activated_at"]
    assert client.code(REGISTER, [pair(ONE)]) == 200


def test_dynamic_registration_switched_off_refuses_new_ones_and_leaves_active_ones(gateway):
    client = gateway().bring(ONE)
    client.cloud.admin("POST", f"/products/{SPK}/dynamic_registration", {"enabled": False})
    assert client.code(REGISTER, [pair(TWO)]) == 6288
    client.log_in(ONE)


def test_of_a_mixed_batch_those_that_work_are_registered(gateway):
    client = gateway()
    data = client.good(REGISTER, [pair(GONE), pair(ONE), pair(OFF)])
    assert [one["deviceName"] for one in data] == [ONE[1]]
    assert client.code(REGISTER, [pair(OFF), pair(GONE)]) == 6288


def test_the_proxy_gives_the_secret_of_a_device_that_another_gateway_has(gateway):
    client = gateway()
    bound(client, ONE)
    data = client.good(
        PROXY,
        proxy(
            proxied(ONE),
            proxied(GONE),
            proxied(TWO, "wrong"),
            proxied(OFF),
            {**proxied((SPK, "other")), "signMethod": "Sha256"},
        ),
    )
    assert data["successes"] == [{**pair(ONE), "deviceSecret": SECRETS[ONE]}]
    assert [one["errorDetail"]["code"] for one in data["failures"]] == [6100, 6600, 6288, 6292]


@pytest.mark.parametrize("method, upper", [("hmacsha1", False), ("hmacSha256", True), ("HmacMD5", True)])
def test_methods_and_digits_go_by_no_case(gateway, method, upper):
    client = gateway()
    item = proxied(ONE, method=method)
    item["sign"] = item["sign"].upper() if upper else item["sign"]
    assert client.good(PROXY, proxy(item))["successes"]


def test_removal_by_the_gateway(gateway):
    client = gateway().bring(ONE)
    assert client.good(UNREGISTER, [pair(ONE)]) == {}
    client.cloud.admin("GET", f"/devices/{'/'.join(ONE)}", status=404)
    assert topology(client.cloud) == [] and client.code(LOGIN, signed(ONE)) == 521


# ---- topology and sessions


def test_of_a_batch_with_one_bad_item_nothing_is_attached(gateway):
    client = gateway()
    assert client.code(ADD, [signed(ONE), signed(TWO, secret_="x")]) == 401 and topology(client.cloud) == []
    client.add(ONE)
    assert client.code(DELETE, [pair(ONE), pair(TWO)]) == 6401 and topology(client.cloud) == [ONE]


def test_detaching_what_is_online_ends_its_session(gateway):
    client = gateway().bring(ONE, TWO)
    assert client.good(DELETE, [pair(ONE)]) == [pair(ONE)]
    assert client.errors() == [(6401, ONE)]
    assert (status(client.cloud, ONE), status(client.cloud, TWO)) == ("offline", "online")


@pytest.mark.parametrize("shape", ["beside", "inside"])
def test_the_sign_method_of_a_batch_is_taken_from_both_places(gateway, shape):
    client = gateway()
    client.add(ONE, TWO)
    items = [signed(ONE, method="hmacSha1"), signed(TWO, method="hmacSha1")]
    if shape == "beside":
        for item in items:
            del item["signMethod"]
    params = listed(*items, **({"signMethod": "hmacSha1"} if shape == "beside" else {}))
    assert client.good(BATCH, params) == [pair(ONE), pair(TWO)]


@pytest.mark.parametrize("key", ["signmethod", "signMethod"])
@pytest.mark.parametrize("timestamp", [1704067200123, "2523", None])
def test_the_spellings_and_timestamps_of_the_sdks(gateway, key, timestamp):
    client = gateway()
    item = signed(ONE, timestamp=timestamp, label=key)
    assert client.code(ADD, [item]) == 200 and client.code(LOGIN, item) == 200


def test_an_extension_in_the_client_id_is_signed_with_it(gateway):
    client = gateway()
    client.add(ONE)
    whole = "a.b|lan=Python,_v=2.2.1,_ss=1|"
    assert client.code(LOGIN, signed(ONE, client_id=whole)) == 200
    assert client.code(LOGIN, {**signed(ONE, client_id="a.b"), "clientId": whole}) == 6287


def test_login_and_logout(gateway):
    client = gateway()
    client.add(ONE, TWO)
    assert client.good(LOGIN, signed(ONE)) == pair(ONE)
    assert status(client.cloud, ONE) == "online" and subdevice(client.cloud, ONE)["activated_at"]
    assert client.good(BATCH, listed(signed(ONE), signed(TWO))) == [pair(ONE), pair(TWO)]
    assert client.cloud.device(GDN, GPK)["subdevices_online"] == 2
    assert client.good(LOGOUT, pair(ONE)) == pair(ONE) and client.good(BATCH_OUT, [pair(TWO)]) == [pair(TWO)]
    assert client.code(LOGOUT, pair(ONE)) == 520
    assert [status(client.cloud, key) for key in (ONE, TWO)] == ["offline"] * 2
    assert client.errors() == []


def test_a_refused_login_or_logout_names_the_sub_device(gateway):
    client = gateway()
    client.add(ONE)
    assert client.request(LOGIN, signed(TWO))["data"] == pair(TWO)
    assert client.request(LOGOUT, pair(ONE))["data"] == pair(ONE)
    assert client.request(BATCH, listed(signed(ONE), signed(TWO)))["data"] == [pair(TWO)]
    assert client.request(BATCH_OUT, [pair(ONE)])["data"] == [pair(ONE)]


def test_found_devices_need_not_exist(gateway):
    client = gateway()
    assert client.good(FOUND, [pair(GONE), pair(ONE)]) == {}
    found = client.cloud.admin("GET", f"/devices/{GPK}/{GDN}/found")
    assert found == [{"product_key": SPK, "device_name": dn} for dn in (GONE[1], ONE[1])]


def test_a_pack_sets_properties_of_the_gateway_and_its_sub_devices(gateway):
    client = gateway()
    client.add(ONE)
    part = {"identity": pair(ONE), "properties": {"t": [{"value": 1}, {"value": 2}], "on": True}}
    assert (
        client.good(
            PACK,
            {
                "properties": {"uptime": {"value": 5, "time": 1}},
                "events": {"e": [{"value": {}}]},
                "subDevices": [part],
            },
        )
        == {}
    )
    assert client.cloud.device(GDN, GPK)["properties"] == {"uptime": 5}
    assert subdevice(client.cloud, ONE)["properties"] == {"t": 2, "on": True}


# ---- faults at the replies

STEPS = {  # stage: (request, params, what is brought about before, whether it took effect)
    "sub_register": (REGISTER, [pair(ONE)], None, lambda c: subdevice(c, ONE)["registrations"] == 1),
    "proxy_register": (PROXY, proxy(proxied(ONE)), None, None),
    "topo_add": (ADD, [signed(ONE)], None, lambda c: topology(c) == [ONE]),
    "topo_delete": (DELETE, [pair(ONE)], lambda g: g.add(ONE), lambda c: topology(c) == []),
    "topo_get": (GET, {}, None, None),
    "list_found": (FOUND, [pair(ONE)], None, lambda c: c.admin("GET", f"/devices/{GPK}/{GDN}/found") != []),
    "pack_post": (
        PACK,
        {"properties": {"x": 1}},
        None,
        lambda c: c.device(GDN, GPK)["properties"] == {"x": 1},
    ),
    "sub_login": (LOGIN, signed(ONE), lambda g: g.add(ONE), lambda c: subdevice(c, ONE)["activated_at"]),
    "sub_batch_login": (
        BATCH,
        listed(signed(ONE)),
        lambda g: g.add(ONE),
        lambda c: subdevice(c, ONE)["activated_at"],
    ),
    "sub_logout": (
        LOGOUT,
        pair(ONE),
        lambda g: g.bring(ONE),
        lambda c: c.log(event="offline", reason="logged out"),
    ),
    "sub_batch_logout": (
        BATCH_OUT,
        [pair(ONE)],
        lambda g: g.bring(ONE),
        lambda c: c.log(event="offline", reason="logged out"),
    ),
    "sub_unregister": (
        UNREGISTER,
        [pair(ONE)],
        lambda g: g.add(ONE),
        lambda c: ONE[1] not in [one["device_name"] for one in c.admin("GET", "/devices")],
    ),
}


def test_there_is_a_stage_for_each_request_and_a_step_for_each_stage():
    assert set(STEPS) == set(GATEWAY_STAGES) == {stage for stage, _ in REQUESTS.values()}


@pytest.mark.parametrize("processed", [True, False])
@pytest.mark.parametrize("stage", STEPS)
def test_a_reply_lost_at_each_step_and_the_connection_goes_on(gateway, stage, processed):
    tail, params, before, effect = STEPS[stage]
    client = gateway()
    before and before(client)
    client.cloud.arm("mqtt_tcp", stage, "silent", processed=processed, dn=GDN)
    client.tell(tail, params)
    client.ping()
    assert client.notices == [] and client.cloud.admin("GET", "/faults") == []
    assert effect is None or bool(effect(client.cloud)) is processed
    assert client.code(tail, params) in (
        (200,)
        if not processed or stage not in ("topo_delete", "sub_logout", "sub_batch_logout", "sub_unregister")
        else (6401, 520, 6100)
    )


@pytest.mark.parametrize("stage", STEPS)
def test_a_step_refused_with_a_code_takes_no_effect(gateway, stage):
    tail, params, before, effect = STEPS[stage]
    client = gateway()
    before and before(client)
    client.cloud.arm("mqtt_tcp", stage, "refuse", code=6760)
    client.cloud.arm("mqtt_tcp", stage, "refuse", message="busy")
    assert (reply := client.request(tail, params))["code"] == 6760 and reply["message"] == "system exception"
    assert (reply := client.request(tail, params))["code"] == 500 and reply["message"] == "busy"
    assert effect is None or not effect(client.cloud)
    assert client.code(tail, params) == 200


@pytest.mark.parametrize("kind", ["close", "reset"])
@pytest.mark.parametrize("stage", STEPS)
def test_a_connection_lost_at_each_step(gateway, stage, kind):
    tail, params, before, effect = STEPS[stage]
    client = gateway()
    before and before(client)
    client.cloud.arm("mqtt_tcp", stage, kind)
    client.tell(tail, params)
    assert client.closed() in ("fin", "reset")
    assert effect is None or effect(client.cloud)


def test_a_late_reply_and_a_torn_one(gateway):
    client = gateway()
    client.cloud.arm("mqtt_tcp", "topo_get", "delay", ms=3_600_000)
    client.tell(GET, {})
    assert client.silent(0.05)
    client.cloud.advance(3601)
    assert json.loads(client.read().payload)["code"] == 200
    with Gateway(client.cloud, GDN2) as other:
        client.cloud.arm("mqtt_tcp", "topo_get", "cut", bytes=9, dn=GDN2)
        other.tell(GET, {})
        assert len(read_all(other.link)) == 9


def test_a_request_on_its_way_at_qos_1_is_acknowledged_first(gateway):
    client = gateway()
    client.tell(ADD, [signed(ONE)], qos=1)
    assert client.read() == codec.Ack("puback", 1) and json.loads(client.read().payload)["code"] == 200
