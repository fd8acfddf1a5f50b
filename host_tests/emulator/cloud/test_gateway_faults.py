"""Faults at the replies to a gateway: lost, refused, late, torn (gateway.md 2 to 8)."""

import json

import pytest

from host_tests.support.cloud.client import read_all
from host_tests.support.cloud.gateway import (
    ADD,
    BATCH,
    BATCH_OUT,
    DELETE,
    FOUND,
    GDN,
    GDN2,
    GET,
    GPK,
    LOGIN,
    LOGOUT,
    ONE,
    PACK,
    PROXY,
    REGISTER,
    UNREGISTER,
    Gateway,
    listed,
    pair,
    proxied,
    proxy,
    signed,
    subdevice,
    topology,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.faults import GATEWAY_STAGES
from tools.emulator.cloud.gateway.gateways import REQUESTS

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
    client.send_request(tail, params)
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
    client.send_request(tail, params)
    assert client.closed() in ("fin", "reset")
    assert effect is None or effect(client.cloud)


def test_a_late_reply_and_a_torn_one(gateway):
    client = gateway()
    client.cloud.arm("mqtt_tcp", "topo_get", "delay", ms=3_600_000)
    client.send_request(GET, {})
    assert client.silent(0.05)
    client.cloud.advance(3601)
    assert json.loads(client.read().payload)["code"] == 200
    with Gateway(client.cloud, GDN2) as other:
        client.cloud.arm("mqtt_tcp", "topo_get", "cut", bytes=9, dn=GDN2)
        other.send_request(GET, {})
        assert len(read_all(other.link)) == 9


def test_a_request_on_its_way_at_qos_1_is_acknowledged_first(gateway):
    client = gateway()
    client.send_request(ADD, [signed(ONE)], qos=1)
    assert client.read() == codec.Ack("puback", 1) and json.loads(client.read().payload)["code"] == 200
