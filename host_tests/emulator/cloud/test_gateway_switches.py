"""Each switch of gateways, at what it is not by default (gateway.md; the README lists them)."""

import json

import pytest

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
    pair,
    proxied,
    signed,
    status,
    subdevice,
    topology,
)
from tools.emulator.cloud.gateway.switches import SWITCHES

REGISTER, PROXY = "thing/sub/register", "thing/proxy/provisioning/product_register"
ADD, DELETE = "thing/topo/add", "thing/topo/delete"
LOGIN, BATCH = "combine/login", "combine/batch_login"
GONE, OFF = (SPK, "sensor-99"), ("a1SwitchOff", "sensor-off")
PATH = f"/sys/{'/'.join(ONE)}/thing/event/property/post"
ELSEWHERE = {  # switches that have tests of their own
    "system_topics": "test_gateway_messages.py",
    "moved_session": "test_gateway_notices.py",
    "taken_over": "test_gateway_notices.py",
    "login_rate": "test_gateway_limits.py",
    "error_notices": "test_alink.py",
}
CASES = {}


def case(**switches):
    """Registers a function as the case of one switch set to a value."""

    def keep(function):
        CASES[function.__name__] = switches, function
        return function

    return keep


@case(alink_method="required")
def alink_method(gateway):
    assert gateway.code(ADD, [signed(ONE)]) == 6450
    assert gateway.code(ADD, [signed(ONE)], method="thing.topo.add") == 200
    assert gateway.code(LOGIN, signed(ONE)) == 200


@case(unknown_request="silent")
def unknown_request(gateway):
    gateway.send_request("thing/topo/exchange", {})
    gateway.nothing()


@case(register_order=["device", "product", "switch", "self", "bound"])
def register_order(gateway):
    assert gateway.code(REGISTER, [pair(("a1SwitchOff", "sensor-99"))]) == 6100


@case(register_bound="omit")
def register_bound(gateway):
    bind(gateway, ONE)
    assert [one["deviceName"] for one in gateway.good(REGISTER, [pair(ONE), pair(TWO)])] == [TWO[1]]
    assert gateway.good(REGISTER, [pair(ONE)]) == []
    assert gateway.code(REGISTER, [pair(ONE), pair(GONE)]) == 6100


@case(register_mixed="refuse")
def register_mixed(gateway):
    assert gateway.code(REGISTER, [pair(ONE), pair(GONE)]) == 6100
    assert subdevice(gateway.cloud, ONE)["registrations"] == 0


@case(proxy_order=["switch", "device", "method", "sign"])
def proxy_order(gateway):
    (failed,) = gateway.good(PROXY, {"proxieds": [proxied(OFF, "wrong")]})["failures"]
    assert failed["errorDetail"]["code"] == 6288


@case(proxy_failures="request")
def proxy_failures(gateway):
    reply = gateway.request(PROXY, {"proxieds": [proxied(ONE), proxied(GONE)]})
    assert (reply["code"], reply["data"]) == (6100, {})


@case(proxy_message=False)
def proxy_message(gateway):
    (failed,) = gateway.good(PROXY, {"proxieds": [proxied(GONE)]})["failures"]
    assert failed["errorDetail"] == {"code": 6100}


@case(proxy_secret="fresh")
def proxy_secret(gateway):
    (given,) = gateway.good(PROXY, {"proxieds": [proxied(ONE)]})["successes"]
    assert given["deviceSecret"] != SECRETS[ONE]
    assert gateway.code(ADD, [signed(ONE, secret_=given["deviceSecret"])]) == 200


@case(proxy_creates=True)
def proxy_creates(gateway):
    data = gateway.good(PROXY, {"proxieds": [proxied(GONE), proxied((SPK, "a b"))]})
    assert [one["deviceName"] for one in data["successes"]] == [GONE[1]] and len(data["failures"]) == 1
    assert subdevice(gateway.cloud, GONE)["status"] == "inactive"


@case(subdevice_method=6292)
def subdevice_method(gateway):
    assert gateway.code(ADD, [signed(ONE, method="Sha256")]) == 6292


@case(topology_order=["sign", "self", "device", "disabled", "count"])
def topology_order(gateway):
    gateway.cloud.admin("POST", f"/devices/{'/'.join(ONE)}/disable")
    assert gateway.code(ADD, [signed(ONE, secret_="x")]) == 401


@case(topology_mixed="partial")
def topology_mixed(gateway):
    assert gateway.good(ADD, [signed(ONE), signed(TWO, secret_="x")]) == [pair(ONE)]
    assert gateway.good(DELETE, [pair(TWO), pair(ONE)]) == [pair(ONE)] and topology(gateway.cloud) == []
    assert gateway.code(DELETE, [pair(ONE)]) == 6401


@case(topology_data="empty")
def topology_data(gateway):
    assert gateway.good(ADD, [signed(ONE)]) == {} and gateway.good(DELETE, [pair(ONE)]) == {}


@case(attach_again=6251)
def attach_again(gateway):
    gateway.add(ONE)
    assert gateway.code(ADD, [signed(ONE)]) == 6251 and topology(gateway.cloud) == [ONE]


@case(attach_elsewhere=6619)
def attach_elsewhere(gateway):
    bind(gateway, ONE)
    assert gateway.code(ADD, [signed(ONE)]) == 6619 and topology(gateway.cloud, GDN2) == [ONE]


@case(own_changes=True)
def own_changes(gateway):
    gateway.add(ONE)
    gateway.good(DELETE, [pair(ONE)])
    assert [body["params"]["status"] for _, body in gateway.heard()] == [0, 1]


@case(login_order=["sign", "attached", "rate", "device", "deleted", "disabled", "count"])
def login_order(gateway):
    assert gateway.code(LOGIN, signed(ONE, secret_="x")) == 6287
    assert gateway.code(LOGIN, signed(ONE)) == 6401


@case(login_client_id="optional")
def login_client_id(gateway):
    gateway.add(ONE)
    assert gateway.code(LOGIN, signed(ONE, client_id="")) == 200


@case(login_disabled=6204)
def login_disabled(gateway):
    gateway.add(ONE)
    gateway.cloud.admin("POST", f"/devices/{'/'.join(ONE)}/disable")
    assert gateway.code(LOGIN, signed(ONE)) == 6204


@case(login_activates=False)
def login_activates(gateway):
    gateway.bring(ONE)
    assert subdevice(gateway.cloud, ONE)["activated_at"] is None


@case(login_qos1="drop")
def login_qos1(gateway):
    gateway.add(ONE)
    gateway.send_request(LOGIN, signed(ONE), qos=1)
    assert gateway.read().kind == "puback"
    gateway.nothing()
    assert gateway.code(LOGIN, signed(ONE)) == 200


@case(clean_session_missing=False)
def clean_session_missing(gateway):
    gateway.bring(ONE)
    gateway.subscribe(f"/{'/'.join(ONE)}/user/get")
    gateway.good("combine/logout", pair(ONE))
    body = {"topic": f"/{'/'.join(ONE)}/user/get", "payload": "x", "qos": 1}
    assert gateway.cloud.admin("POST", "/publish", body)["kept"] == 1


@case(subdevice_qos1="drop")
def subdevice_qos1(gateway):
    gateway.bring(ONE)
    gateway.publish(PATH, {"id": "1", "params": {"a": 1}}, 1)
    assert gateway.read().kind == "puback"
    gateway.publish(PATH, {"id": "1", "params": {"b": 1}})
    assert json.loads(gateway.read().payload)["code"] == 200
    assert subdevice(gateway.cloud, ONE)["properties"] == {"b": 1}


@case(error_data=False)
def error_data(gateway):
    gateway.publish(PATH, {"id": "1", "params": {}})
    ((_, body),) = gateway.heard()
    assert set(body) == {"id", "code", "message"}


@case(notice_order=["change", "error", "notice"])
def notice_order(gateway):
    gateway.bring(ONE)
    gateway.cloud.admin("POST", f"/devices/{'/'.join(ONE)}/disable")
    assert [topic.rpartition("/")[2] for topic, _ in gateway.heard()] == ["change", GDN, "disable"]


@case(notice_qos=1)
def notice_qos(gateway):
    gateway.publish(PATH, {"id": "1", "params": {}})
    assert gateway.read().qos == 1


@case(unregister="silent")
def unregister(gateway):
    gateway.add(ONE)
    gateway.send_request("thing/sub/unregister", [pair(ONE)])
    gateway.nothing()
    assert status(gateway.cloud, ONE) == "inactive"


def bind(gateway, key):
    gateway.cloud.admin(
        "POST",
        f"/devices/{GPK}/{GDN2}/topology",
        {"subdevices": [{"product_key": key[0], "device_name": key[1]}]},
    )


@pytest.mark.parametrize("name", CASES)
def test_the_other_side_of_each_switch(run, name):
    switches, function = CASES[name]
    with run(gateway_settings(switches=switches)) as cloud, Gateway(cloud) as gateway:
        function(gateway)


def test_every_switch_of_gateways_has_a_test():
    assert {*CASES, *ELSEWHERE} == set(SWITCHES)
    assert all(set(switches) == {name} for name, (switches, _) in CASES.items())
