"""Properties and events that a device posts: the answer, what is kept, what is reported (application.md 3, 15)."""

import pytest

from host_tests.support.cloud.thing import DN, NOW, OTHER, PK, TSL
from tools.emulator.cloud.thing.model import read, template

A, B, C = NOW - 3000, NOW - 2000, NOW - 1000
POST, BATCH = "thing/event/property/post", "thing/event/property/batch/post"


def test_a_post_is_kept_and_reported(world):
    device = world().device
    answer = device.ask(POST, {"Temp": 21.5, "Switch": {"value": 1, "time": A}}, number="7")
    assert answer == {
        "code": 200,
        "data": {},
        "id": "7",
        "message": "success",
        "method": "thing.event.property.post",
        "version": "1.0",
    }
    body = device.messages(POST)[0]
    assert body == {
        "iotId": device.instance.registry.find(PK, DN).iot_id,
        "productKey": PK,
        "deviceName": DN,
        "deviceType": "None",
        "gmtCreate": NOW,
        "items": {"Temp": {"value": 21.5, "time": NOW}, "Switch": {"value": 1, "time": A}},
        "checkFailedData": {},
    }


@pytest.mark.parametrize("check", ["strict", "weak"])
def test_what_does_not_fit_is_dropped_and_the_rest_kept(world, check):
    found = world(tsl_check=check)
    answer = found.device.ask(POST, {"Temp": "hot", "Nobody": 1, "Count": 5})
    assert answer["code"] == 200 and found.values() == {"Count": 5}
    body = found.device.messages(POST)[0]
    assert set(body["items"]) == {"Count"}
    assert {name: one["code"] for name, one in body["checkFailedData"].items()} == {
        "Temp": 6307,
        "Nobody": 6304,
    }
    dropped = found.instance.journal.select_events(event="dropped property")
    assert [(one["identifier"], one["code"]) for one in dropped] == [("Temp", 6307), ("Nobody", 6304)]


def test_a_post_of_which_nothing_fits_is_answered_with_200_all_the_same(world):
    found = world()
    assert found.device.ask(POST, {"Nobody": 1})["code"] == 200
    assert found.values() == {} and found.device.messages(POST)[0]["items"] == {}


def test_by_a_switch_one_that_does_not_fit_refuses_the_post(world):
    found = world(switches={"invalid_property": "refuse"})
    for tail, params in (
        (POST, {"Count": 5, "Temp": "hot"}),
        (BATCH, {"properties": {"Temp": [{"value": "hot"}]}}),
    ):
        answer = found.device.ask(tail, params)
        assert (answer["code"], answer["message"]) == (6307, "tsl parse: float value error -> Temp")
    assert found.values() == {} and found.device.messages() == []


@pytest.mark.parametrize(("switch", "code"), [("strict", 6306), ("weak", None), ("none", None)])
def test_the_instances_switch_is_for_products_without_their_own(world, switch, code):
    found = world(switches={"tsl_check": switch})
    found.device.ask(POST, {"Count": 101})
    failed = found.device.messages(POST)[0]["checkFailedData"]
    assert failed.get("Count", {}).get("code") == code


# tail, params, code, text
REFUSED = [
    (POST, [1], 460, "request parameter error"),
    (POST, None, 460, "request parameter error"),
    (POST, {f"p{n}": n for n in range(201)}, 6106, "map size must less than 200"),
    ("thing/event/nobody/post", {"value": {}}, 5160, "event definition query failed"),
    ("thing/event/alarm/post", [1], 460, "request parameter error"),
    ("thing/event/alarm/post", {"value": 5}, 460, "request parameter error"),
    ("thing/event/alarm/post", {"value": {}, "time": "x"}, 6326, "tsl parse: date format error -> alarm"),
    (BATCH, [], 460, "request parameter error"),
    (BATCH, {"properties": []}, 460, "request parameter error"),
    (BATCH, {"properties": {"Temp": {"value": 1}}}, 6301, "tsl parse: params is not array"),
    (
        BATCH,
        {"properties": {"Count": [{"value": n} for n in range(201)]}},
        6106,
        "map size must less than 200",
    ),
    (BATCH, {"events": {"alarm": [{"value": {}}] * 201}}, 6356, "too many events"),
]


@pytest.mark.parametrize(("tail", "params", "code", "text"), REFUSED)
def test_what_is_refused_changes_nothing(world, tail, params, code, text):
    found = world()
    answer = found.device.ask(tail, params)
    assert (answer["code"], answer["message"], answer["data"]) == (code, text, {})
    assert found.values() == {} and found.device.messages() == []
    assert found.instance.journal.select_events(event="refused request")[0]["code"] == code


def test_without_an_acknowledgement_asked_for_none_comes(world):
    found = world()
    assert found.device.ask(POST, {"Temp": 1}, sys={"ack": 0}) is None
    assert found.device.ask(POST, [1], sys={"ack": 0}) is None
    assert found.device.ask(POST, {"Count": 1}, sys={"ack": 1})["code"] == 200
    assert found.values() == {"Temp": 1, "Count": 1}


@pytest.mark.parametrize(("switch", "now"), [("replaces", 1), ("kept", 2)])
def test_a_post_with_an_older_time(world, switch, now):
    found = world(switches={"older_value": switch})
    found.device.ask(POST, {"Count": {"value": 2, "time": B}})
    found.device.ask(POST, {"Count": {"value": 1, "time": A}})
    assert found.values() == {"Count": now}


@pytest.mark.parametrize(("switch", "kept"), [("exact", {}), ("any", {"Count": 5})])
def test_what_counts_as_a_value_with_its_time(world, switch, kept):
    found = world(switches={"wrapped_value": switch})
    found.device.ask(POST, {"Count": {"value": 5, "unit": "x"}})
    assert found.values() == kept


# ---- events

# name, params -> (value, time, codes of what was dropped)
POSTED = [
    ("alarm", {"value": {"errorCode": "E1"}, "time": A}, {"errorCode": "E1"}, A, {}),
    ("alarm", {"value": {"errorCode": "E1"}}, {"errorCode": "E1"}, NOW, {}),
    ("alarm", {"errorCode": "E1", "level": 2}, {"errorCode": "E1", "level": 2}, NOW, {}),
    ("alarm", {}, {}, NOW, {}),
    (
        "alarm",
        {"value": {"errorCode": 5, "level": 1, "x": 0}},
        {"level": 1},
        NOW,
        {"errorCode": 6310, "x": 6304},
    ),
    ("engine:stall", {"value": {}}, {}, NOW, {}),
]


@pytest.mark.parametrize(("name", "params", "value", "time", "codes"), POSTED)
def test_an_event_is_kept_and_reported(world, name, params, value, time, codes):
    found = world()
    answer = found.device.ask(f"thing/event/{name}/post", params)
    assert (answer["code"], answer["method"]) == (200, f"thing.event.{name}.post")
    body = found.device.messages(f"thing/event/{name}/post")[0]
    assert (body["identifier"], body["value"], body["time"]) == (name, value, time)
    assert (body["type"], body["name"]) == {"alarm": ("alert", "an alarm")}.get(name, ("error", "stall"))
    assert {key: one["code"] for key, one in body["checkFailedData"].items()} == codes
    assert found.history("event", name) == [(time, value)]


@pytest.mark.parametrize(("switch", "code"), [(5160, 5160), (6304, 6304), ("take", 200)])
def test_an_event_that_the_model_lacks(world, switch, code):
    assert (
        world(switches={"unknown_event": switch}).device.ask("thing/event/new/post", {"value": {}})["code"]
        == code
    )


def test_by_a_switch_an_event_needs_its_value(world):
    device = world(switches={"bare_event": "refuse"}).device
    assert device.ask("thing/event/alarm/post", {"errorCode": "E1"})["code"] == 460
    assert device.ask("thing/event/alarm/post", {"value": {"errorCode": "E1"}})["code"] == 200


# ---- batches


def test_a_batch_is_reported_in_the_order_of_its_times(world):
    found = world()
    answer = found.device.ask(
        BATCH,
        {
            "properties": {
                "Temp": [{"value": 3, "time": C}, {"value": 1, "time": A}, {"value": 2, "time": A}],
                "Count": [{"value": 7, "time": C}, {"value": "x", "time": C}],
            },
            "events": {"alarm": [{"value": {"errorCode": "E1"}, "time": B}]},
        },
    )
    assert answer["code"] == 200
    items = [
        {name: (one["value"], one["time"]) for name, one in body["items"].items()}
        for body in found.device.messages(POST)
    ]
    assert items == [{"Temp": (1, A)}, {"Temp": (2, A)}, {"Temp": (3, C), "Count": (7, C)}]
    assert found.device.messages(POST)[-1]["checkFailedData"]["Count"]["code"] == 6306
    assert found.history("property", "Temp") == [(A, 1), (A, 2), (C, 3)]
    assert found.device.messages("thing/event/alarm/post")[0]["time"] == B


# ---- the model, asked for


def test_a_device_gets_the_full_model(world):
    answer = world().device.ask("thing/dsltemplate/get", {})
    assert answer["code"] == 200 and answer["data"] == template(read(TSL))
    assert world(tsl=None).device.ask("thing/dsltemplate/get", {})["code"] == 5159


# ---- what outlives the process, and what does not


def test_values_and_history_survive_and_go_with_the_device(world):
    found = world()
    found.device.ask(POST, {"Count": 5})
    found.device.ask("thing/event/alarm/post", {"value": {"errorCode": "E1"}})
    again = world()
    assert again.values() == {"Count": 5} and again.history("property") == [(NOW, 5)]
    assert again.values((PK, OTHER)) == {}
    again.instance.delete(again.instance.registry.find(PK, DN))
    assert again.values() == {} and again.history("property") == [] == again.history("event")


def test_history_is_kept_for_its_time(world):
    found = world(timing={"history_seconds": 10})
    for now in (0, 9, 8):
        found.now += now
        found.device.ask(POST, {"Count": now})
    assert [value for _, value in found.history("property", "Count")] == [9, 8]
