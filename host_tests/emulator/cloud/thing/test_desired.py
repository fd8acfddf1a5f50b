"""Desired properties and their versions: what a device gets and clears, what a console may set (application.md 3.6)."""

import pytest

from host_tests.support.cloud.thing import DN, NOW, PK

GET, DELETE = "thing/property/desired/get", "thing/property/desired/delete"


def desire(world, values, versions=None):
    return world.instance.desired.set(world.instance.registry.find(PK, DN), values, versions or {})


def asked(world, *names):
    return world.device.ask(GET, list(names))["data"]


def test_versions_count_from_one_for_each_property(world):
    found = world()
    assert desire(found, {"Count": 1}) == {"Count": 1}
    assert desire(found, {"Count": 2, "Switch": 1}) == {"Count": 2, "Switch": 1}
    assert asked(found, "Count", "Switch", "Mode", "Nobody") == {
        "Count": {"value": 2, "version": 2},
        "Switch": {"value": 1, "version": 1},
    }
    assert found.device.ask(GET, [])["data"] == {}


# what is deleted -> what is left of Count 2 (version 2) and Switch 1 (version 1)
DELETED = [
    ({"Count": {"version": 2}}, {"Switch"}),
    ({"Count": {"version": 1}, "Switch": {"version": 2}}, {"Count", "Switch"}),
    ({"Count": {}, "Switch": {}}, set()),
    ({"Nobody": {}, "Mode": {"version": 1}}, {"Count", "Switch"}),
    ({}, {"Count", "Switch"}),
]


@pytest.mark.parametrize(("params", "left"), DELETED)
def test_a_device_clears_what_it_has_applied_and_nothing_newer(world, params, left):
    found = world()
    desire(found, {"Count": 1})
    desire(found, {"Count": 2, "Switch": 1})
    answer = found.device.ask(DELETE, params)
    assert (answer["code"], answer["data"]) == (200, {})
    assert set(asked(found, "Count", "Switch")) == left
    assert desire(found, {"Count": 3}) == {"Count": 3}


def test_a_version_grows_over_a_cleared_value_and_a_restart(world):
    found = world()
    desire(found, {"Count": 1})
    found.device.ask(DELETE, {"Count": {"version": 1}})
    again = world()
    assert asked(again, "Count") == {}
    assert desire(again, {"Count": 1}, {"Count": 1}) == {"Count": 2}


REFUSED = [
    (GET, {}, 460),
    (GET, [1], 460),
    (GET, [f"p{n}" for n in range(201)], 6104),
    (DELETE, [], 460),
    (DELETE, {"Count": 1}, 460),
    (DELETE, {"Count": {"version": "1"}}, 460),
    (DELETE, {"Count": {"version": True}}, 460),
]


@pytest.mark.parametrize(("tail", "params", "code"), REFUSED)
def test_a_request_that_is_wrong(world, tail, params, code):
    found = world()
    desire(found, {"Count": 1})
    assert found.device.ask(tail, params)["code"] == code
    assert asked(found, "Count") == {"Count": {"value": 1, "version": 1}}


# Items, Versions -> Code, or the versions
CONSOLE = [
    ({"Count": 5}, {}, {"Count": 2}),
    ({"Count": 5}, {"Count": 1}, {"Count": 2}),
    ({"Count": 5}, {"Count": 2}, "iot.desired.VersionConflict"),
    ({"Switch": 1}, {"Switch": 0}, {"Switch": 1}),
    ({"Switch": 1}, {"Switch": 1}, "iot.desired.VersionConflict"),
    ({"Count": 5}, {"Count": "1"}, "ParameterError"),
    ({"Temp": 5}, {}, 460),
    ({"Nobody": 5}, {}, 6304),
    ({"Count": "5"}, {}, 6306),
    ({"a b": 5}, {}, 6304),
    ("{", {}, "ParameterError"),
    (5, {}, "ParameterError"),
]


@pytest.mark.parametrize(("items", "versions", "expected"), CONSOLE)
def test_a_console_desires_what_the_model_lets_be_set(call, world, items, versions, expected):
    found = world()
    desire(found, {"Count": 1})
    answer = call(found, "SetDeviceDesiredProperty", Items=items, Versions=versions)
    if isinstance(expected, dict):
        assert answer["Data"]["Versions"] == expected
        query = call(found, "QueryDeviceDesiredProperty", Identifier=list(items))["Data"]["List"]
        name = next(iter(items))
        assert query["DesiredPropertyInfo"] == [
            {"Identifier": name, "Value": items[name], "Version": expected[name], "Time": NOW}
        ]
    else:
        assert (answer["Success"], answer["Code"]) == (False, expected)
        assert asked(found, "Count") == {"Count": {"value": 1, "version": 1}}


def test_a_device_that_is_online_gets_a_set_and_one_that_is_not_asks_later(call, world):
    found = world()
    answer = call(found, "SetDeviceDesiredProperty", Items={"Count": 5})
    packet = found.device.came[-1]
    assert packet.topic.endswith("thing/service/property/set") and b'"params":{"Count":5}' in packet.payload
    assert answer["Data"]["MessageId"].encode() in packet.payload
    found.device.session.peer = None
    assert "MessageId" not in call(found, "SetDeviceDesiredProperty", Items={"Count": 6})["Data"]
    found.device.session.peer = found.device
    assert asked(found, "Count") == {"Count": {"value": 6, "version": 2}}
