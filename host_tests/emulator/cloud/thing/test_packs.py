"""Packs of a gateway, and history of devices: whole or not at all, current values untouched (application.md 3.5)."""

import pytest

from host_tests.support.cloud.thing import DN, GDN, GPK, NOW, ONE, OTHER, PK, SPK

A, B, C = NOW - 3000, NOW - 2000, NOW - 1000
HISTORY, PACK = "thing/event/property/history/post", "thing/event/property/pack/post"
SELF = {"productKey": PK, "deviceName": DN}
SUB = {"productKey": SPK, "deviceName": ONE}


def names(packet_key):
    return dict(zip(("productKey", "deviceName"), packet_key))


def test_history_is_kept_and_reported_and_changes_no_current_value(world):
    found = world()
    found.device.ask("thing/event/property/post", {"Count": 9})
    one = {
        "identity": SELF,
        "properties": [
            {"Count": {"value": 1, "time": A}, "Temp": {"value": "x", "time": A}},
            {"Count": {"value": 2, "time": B}},
        ],
        "events": [{"alarm": {"value": {"errorCode": "E1"}, "time": A + 500}}],
    }
    assert found.device.ask(HISTORY, [one])["code"] == 200
    assert found.values() == {"Count": 9}
    assert found.history("property", "Count") == [(A, 1), (B, 2), (NOW, 9)]
    first, second = found.device.messages(HISTORY)
    assert first["items"] == {"Count": {"value": 1, "time": A}}
    assert first["checkFailedData"]["Temp"]["code"] == 6307
    assert second["items"] == {"Count": {"value": 2, "time": B}}
    assert found.device.messages("thing/event/alarm/history/post")[0]["time"] == A + 500
    assert found.device.messages("thing/event/alarm/post") == []


REFUSED = [
    ({"identity": SELF}, 460),
    ([5], 460),
    ([{}], 460),
    ([{"identity": names((PK, OTHER)), "properties": []}], 460),
    ([{"identity": SUB, "properties": []}], 460),
    ([{"identity": SELF, "properties": {}}], 460),
    ([{"identity": SELF, "events": [5]}], 460),
    ([{"identity": SELF, "properties": [{"Count": 1}] * 201}], 6106),
    ([{"identity": SELF, "events": [{"alarm": {"value": {}}}] * 201}], 6356),
]


@pytest.mark.parametrize(("params", "code"), REFUSED)
def test_history_that_is_wrong(world, params, code):
    found = world()
    assert found.device.ask(HISTORY, params)["code"] == code
    assert found.history("property") == [] == found.device.messages()


def test_a_gateway_sends_the_history_of_its_sub_devices(world):
    found = world()
    gateway = found.gateway()
    params = [{"identity": SUB, "properties": [{"T": {"value": 1, "time": A}}]}]
    assert gateway.ask(HISTORY, params)["code"] == 200
    assert found.history("property", key=(SPK, ONE)) == [(A, 1)]
    found.instance.gateways.detach([found.instance.registry.find(SPK, ONE)])
    assert gateway.ask(HISTORY, params)["code"] == 6401


def test_a_pack_is_kept_and_reported_for_each_device(world):
    found = world()
    gateway = found.gateway()
    answer = gateway.ask(
        PACK,
        {
            "properties": {"Own": {"value": 1, "time": A}},
            "subDevices": [
                {
                    "identity": SUB,
                    "properties": {"T": [{"value": 2, "time": A}, {"value": 3, "time": B}]},
                    "events": {"E": {"value": {"x": 1}, "time": C}},
                }
            ],
        },
    )
    assert answer["code"] == 200
    assert found.values((GPK, GDN)) == {"Own": 1} and found.values((SPK, ONE)) == {"T": 3}
    assert found.history("property", key=(SPK, ONE)) == [(A, 2), (B, 3)]
    assert found.history("event", key=(SPK, ONE)) == [(C, {"x": 1})]
    topics = {one["topic"] for one in found.instance.server_messages.after(0)}
    assert f"/{SPK}/{ONE}/thing/event/E/post" in topics


def test_one_value_that_does_not_fit_refuses_the_whole_pack(world):
    found = world()
    gateway = found.gateway()
    found.instance.things.models.save(
        SPK, {"properties": [], "events": [{"identifier": "E", "type": "info"}]}
    )
    for part in ({"properties": {"T": {"value": 1}}}, {"events": {"E": {"value": {"x": 1}}}}):
        answer = gateway.ask(PACK, {"properties": {"Own": 1}, "subDevices": [{"identity": SUB, **part}]})
        assert answer["code"] == 6304
    assert found.values((GPK, GDN)) == {}
    assert not [one for one in found.instance.server_messages.after(0) if "/event/" in one["topic"]]
