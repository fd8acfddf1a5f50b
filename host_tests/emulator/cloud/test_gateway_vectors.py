"""The gateway vectors against the cloud: what is genuine is taken, every negative case refused."""

import json

import pytest

from host_tests.support.cloud.gateway import (
    GDN,
    GDN2,
    GPK,
    ONE,
    SPK,
    SUBS,
    TWO,
    VECTORS,
    Gateway,
    gateway_settings,
    name,
    pair,
    proxied,
    signed,
    status,
)

SIGNS = {vector["id"]: vector for vector in VECTORS["sign_vectors"]}
DEVICE_SIGNS = [
    key
    for key, vector in SIGNS.items()
    if vector["key_role"].endswith("DeviceSecret") and not key.startswith("historic")
]
PRODUCT_SIGNS = [key for key, vector in SIGNS.items() if vector["key_role"].endswith("ProductSecret")]
NEGATIVE = {case["id"]: case for case in VECTORS["negative_cases"]}


def cloud_of(run, vector, **changes):
    """A cloud in which the vector's sub-device exists, with the vector's key."""
    item, config = item_of(vector), gateway_settings(**changes)
    seed = {"device_name": item["deviceName"], "device_secret": vector["key"]}
    product = {"product_key": item["productKey"], "node": "subdevice", "device": [seed]}
    others = [one for one in config["product"] if one["product_key"] != item["productKey"]]
    config["product"] = [*others, product]
    return run(config)


def item_of(vector):
    """The item of a request; where the vector has none, out of the signed text."""
    wire = dict(vector.get("wire", {}))
    rest = vector["content"]
    for field in () if wire else ("timestamp", "productKey", "deviceName", "clientId"):
        rest, _, wire[field] = rest.rpartition(field)
    label = {} if "signmethod" in wire else {"signMethod": vector["sign_method"]}
    return {**wire, **label, "sign": vector["sign"]}


def spoiled(item):
    return {**item, "sign": ("1" if item["sign"][0] != "1" else "2") + item["sign"][1:]}


@pytest.mark.parametrize("vector", DEVICE_SIGNS)
def test_every_genuine_sign_attaches_and_logs_in_and_no_other_does(run, vector):
    vector = SIGNS[vector]
    item = item_of(vector)
    with cloud_of(run, vector, switches={"login_client_id": "optional"}) as cloud, Gateway(cloud) as gateway:
        assert gateway.code("thing/topo/add", [spoiled(item)]) == 401
        assert gateway.good("thing/topo/add", [item]) == [pair((item["productKey"], item["deviceName"]))]
        assert gateway.code("combine/login", spoiled(item)) == 6287
        assert gateway.good("combine/login", item) == pair((item["productKey"], item["deviceName"]))


def test_the_sign_of_the_cloud_api_is_the_same(run):
    vector = SIGNS["doc-batchaddthingtopo-md5"]
    item = item_of(vector)
    names = {"product_key": item.pop("productKey"), "device_name": item.pop("deviceName")}
    with cloud_of(run, vector) as cloud:
        path = f"/devices/{GPK}/{GDN}/topology"
        cloud.admin("POST", path, {"subdevices": [{**names, **spoiled(item)}]}, status=409)
        assert cloud.admin("POST", path, {"subdevices": [{**names, **item}]}) == {"done": "attach"}


def test_the_sign_of_2018_that_covers_clean_session_is_refused_with_a_hint(run):
    vector = SIGNS["historic-login-with-cleansession"]
    item = {
        **pair(ONE),
        "clientId": "sensor-01",
        "timestamp": "1524448722000",
        "cleanSession": "true",
        "signMethod": vector["sign_method"],
        "sign": vector["sign"],
    }
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        gateway.add(ONE)
        assert gateway.code("combine/login", item) == 6287
        (hint,) = cloud.log(event="hint")
        assert "cleanSession" in hint["reason"]


@pytest.mark.parametrize("vector", PRODUCT_SIGNS)
def test_every_genuine_proxy_sign_gives_the_secret(run, vector):
    item = SIGNS[vector]["wire"]
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        tail = "thing/proxy/provisioning/product_register"
        assert gateway.good(tail, {"proxieds": [item]})["successes"][0]["deviceSecret"] == SUBS[0][2]
        (failed,) = gateway.good(tail, {"proxieds": [spoiled(item)]})["failures"]
        assert failed["errorDetail"] == {"code": 6600, "message": "sign check failed"}


def requests_of(sdk):
    """(topic, qos, payload) of all that a vendor SDK has put on the wire, in its order."""
    found = VECTORS["full_requests"][sdk]
    found = found if isinstance(found, list) else found.values()
    return [(one["topic"], one["qos"], one["payload"]) for one in found]


@pytest.mark.parametrize("sdk", VECTORS["full_requests"])
def test_everything_a_vendor_sdk_sends_is_answered_with_200(run, sdk):
    """Registration goes last: it would make the secrets void that the SDK has signed with."""
    sent = sorted(requests_of(sdk), key=lambda one: ("sub/register" in one[0], "topo/delete" in one[0]))
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        for topic, qos, body in sent:
            gateway.publish(topic, body, qos)
            if qos:
                assert gateway.read().kind == "puback"
            reply = gateway.read()
            answer = json.loads(reply.payload)
            assert (reply.topic, answer["code"], answer["id"]) == (topic + "_reply", 200, body["id"])
        assert len(sent) >= 6 and status(cloud, ONE) == "offline"


@pytest.mark.parametrize(
    "sample, tail, params",
    [
        ("sub_register_ok", "thing/sub/register", [pair(ONE)]),
        ("sub_register_unknown", "thing/sub/register", [pair((SPK, "sensor-99"))]),
        ("proxy_register_ok", "thing/proxy/provisioning/product_register", {"proxieds": [proxied(ONE)]}),
        (
            "proxy_register_mixed",
            "thing/proxy/provisioning/product_register",
            {"proxieds": [proxied((SPK, "sensor-99"))]},
        ),
        ("topo_add_ok", "thing/topo/add", [signed(ONE)]),
        ("topo_get_ok", "thing/topo/get", {}),
        ("login_ok", "combine/login", signed(ONE)),
        (
            "batch_login_ok",
            "combine/batch_login",
            {"signMethod": "hmacSha256", "deviceList": [signed(ONE), signed(TWO)]},
        ),
    ],
)
def test_replies_are_those_of_the_samples(run, sample, tail, params):
    """What is random (iotId, a fresh secret) and ids aside; more keys where more are allowed."""
    sample = VECTORS["reply_samples"][sample]
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        if "get" in tail or "login" in tail:
            gateway.add(ONE, *([TWO] if "batch" in tail else []))
        reply = gateway.request(tail, params)
        if "topic" in sample:
            assert sample["topic"] == gateway.topic(tail) + "_reply"
        wanted = sample["payload"]
        fresh = sample is VECTORS["reply_samples"]["sub_register_ok"]
        for made in ("iotId", "deviceSecret") if fresh else ():
            assert len(reply["data"][0][made]) == len(wanted["data"][0][made])
            reply["data"][0][made] = wanted["data"][0][made]
        assert {**reply, "id": ""} == {"method": reply["method"], "version": "1.0", **wanted, "id": ""}


def test_notices_are_those_of_the_samples(run):
    samples = VECTORS["reply_samples"]
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        gateway.publish(f"/sys/{'/'.join(ONE)}/thing/event/property/post", {"id": "1", "params": {}})
        names = {"product_key": ONE[0], "device_name": ONE[1]}
        gateway.add(ONE)
        cloud.admin("POST", f"/devices/{'/'.join(ONE)}/disable")
        cloud.admin("POST", f"/devices/{GPK}/{GDN}/notify", {"subdevices": [names]})
        heard = gateway.heard()
        names = ("ext_error_no_session", "topo_change_disable", "topo_add_notify")
        for sample, (topic, body) in zip(names, heard):
            assert topic == samples[sample]["topic"]
            assert {**body, "id": ""} == {**samples[sample]["payload"], "id": ""}
        asked = samples["topo_add_notify"]
        gateway.publish(asked["reply_topic"], asked["reply_payload"])
        assert gateway.heard() == [] and len(heard) == 3


# ---- the negative cases, one function each; the name is the vector's


def neg_sign_wrong_key(cloud, gateway):
    gateway.add(ONE)
    return gateway.code("combine/login", signed(ONE, secret_="Ps8fK2mN4qR6tV1x"))


def neg_topo_sign(cloud, gateway):
    return gateway.code("thing/topo/add", [signed(ONE, secret_="x" * 32)])


def neg_topo_self(cloud, gateway):
    return gateway.code("thing/topo/add", [signed((GPK, GDN))])


def neg_topo_unknown(cloud, gateway):
    return gateway.code("thing/topo/add", [signed((SPK, "sensor-99"))])


def neg_topo_count(cloud, gateway):
    assert gateway.code("thing/topo/add", [signed((SPK, name(n))) for n in range(30)]) == 200
    gateway.add(*((SPK, name(n)) for n in range(30, 49)))
    return gateway.code("thing/topo/add", [signed(ONE), signed(TWO)])


def neg_topo_31(cloud, gateway):
    return gateway.code("thing/topo/add", [signed((SPK, name(n))) for n in range(31)])


def neg_topo_empty(cloud, gateway):
    codes = {gateway.code("thing/topo/add", params) for params in ([], None, {}, "[]")}
    gateway.publish(gateway.topic("thing/topo/add"), {"id": "1"})
    codes.add(json.loads(gateway.read().payload)["code"])
    return codes.pop() if len(codes) == 1 else codes


def neg_login_no_topo(cloud, gateway):
    return gateway.code("combine/login", signed(ONE))


def neg_login_deleted(cloud, gateway):
    gateway.add(ONE)
    cloud.admin("POST", f"/devices/{'/'.join(ONE)}/delete")
    return gateway.code("combine/login", signed(ONE))


def neg_login_disabled(cloud, gateway):
    gateway.add(ONE)
    cloud.admin("POST", f"/devices/{'/'.join(ONE)}/disable")
    return gateway.code("combine/login", signed(ONE))


def neg_login_rate(cloud, gateway):
    gateway.add(ONE)
    for _ in range(5):
        gateway.log_in(ONE)
    return gateway.code("combine/login", signed(ONE))


def neg_login_full(cloud, gateway):
    gateway.add(ONE, TWO)
    gateway.log_in(TWO)
    cloud.instance.config.limits.subdevices = 1
    return gateway.code("combine/login", signed(ONE))


def neg_batch_51(cloud, gateway):
    return gateway.code("combine/batch_login", {"deviceList": [signed((SPK, name(n))) for n in range(51)]})


def neg_batch_one_bad(cloud, gateway):
    keys = [(SPK, name(n)) for n in range(50)]
    gateway.add(*keys[:30])
    gateway.add(*keys[30:])
    items = [signed(key) for key in keys[:-1]] + [signed(keys[-1], secret_="x")]
    reply = gateway.request("combine/batch_login", {"deviceList": items})
    assert cloud.device(GDN, GPK)["subdevices_online"] == NEGATIVE["neg-batch-one-bad"]["expect_online"]
    assert reply["data"] == [pair(keys[-1])]
    return reply["code"]


def neg_logout_no_session(cloud, gateway):
    gateway.add(ONE)
    return gateway.code("combine/logout", pair(ONE))


def neg_publish_no_session(cloud, gateway):
    gateway.add(ONE)
    gateway.publish(f"/sys/{'/'.join(ONE)}/thing/event/property/post", {"id": "1", "params": {"Temp": 1}})
    ((code, key),) = gateway.errors()
    assert key == ONE and cloud.device(ONE[1], ONE[0])["properties"] == {}
    return code


def neg_sub_register_unknown(cloud, gateway):
    return gateway.code("thing/sub/register", [pair((SPK, "sensor-99"))])


def neg_sub_register_bound(cloud, gateway):
    with Gateway(cloud, GDN2) as other:
        other.add(ONE)
    return gateway.code("thing/sub/register", [pair(ONE)])


def neg_proxy_sign(cloud, gateway):
    data = gateway.good("thing/proxy/provisioning/product_register", {"proxieds": [proxied(ONE, "x" * 16)]})
    assert data["successes"] == []
    return data["failures"][0]["errorDetail"]["code"]


@pytest.mark.parametrize("case", NEGATIVE)
def test_the_negative_cases(run, case):
    limits = {"subdevices": 50} if case in ("neg-topo-count", "neg-batch-one-bad") else {}
    with run(gateway_settings(limits=limits, extra=60)) as cloud, Gateway(cloud) as gateway:
        wanted = NEGATIVE[case]
        assert globals()[case.replace("-", "_")](cloud, gateway) == wanted.get(
            "expect_code", wanted.get("expect_failure_item_code")
        )
