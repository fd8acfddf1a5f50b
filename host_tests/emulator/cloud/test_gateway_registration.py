"""Registration, topology and sessions of sub-devices (gateway.md 3 to 8)."""

import pytest

from host_tests.support.cloud.gateway import (
    ADD,
    BATCH,
    BATCH_OUT,
    DELETE,
    FOUND,
    GDN,
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
    bound,
    listed,
    pair,
    proxied,
    proxy,
    signed,
    status,
    subdevice,
    topology,
)


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
