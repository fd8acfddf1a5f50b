"""The cloud's own calls for things, and the admin routes beside them (application.md 15)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import NOW, PK, TSL
from tools.emulator.cloud.codec import Publish

POST = "thing/event/property/post"


def fill(world, count=5):
    for number in range(count):
        world.device.ask(POST, {"Count": {"value": number, "time": NOW - 1000 + number}})
        world.device.ask(
            "thing/event/alarm/post", {"value": {"errorCode": f"E{number}"}, "time": NOW - number}
        )
    return world


# parameters -> (values, NextValid, NextTime)
PAGES = [
    ({}, [0, 1, 2, 3, 4], False, None),
    ({"PageSize": 2}, [0, 1], True, NOW - 998),
    ({"PageSize": 2, "StartTime": NOW - 998}, [2, 3], True, NOW - 996),
    ({"PageSize": 2, "StartTime": NOW - 996}, [4], False, None),
    ({"EndTime": NOW - 999}, [0, 1], False, None),
    ({"Asc": 0, "PageSize": 2}, [4, 3], True, NOW - 998),
]


@pytest.mark.parametrize(("parameters", "values", "valid", "time"), PAGES)
def test_the_history_of_a_property_comes_in_pages(call, world, parameters, values, valid, time):
    data = call(fill(world()), "QueryDevicePropertyData", Identifier="Count", **parameters)["Data"]
    assert [one["Value"] for one in data["List"]["PropertyInfo"]] == values
    assert (data["NextValid"], data["NextTime"]) == (valid, time)


def test_events_are_listed_with_what_the_model_says_of_them(call, world):
    found = call(fill(world(), 2), "QueryDeviceEventData")["Data"]["List"]["EventInfo"]
    assert found[0] == {
        "Identifier": "alarm",
        "OutputData": {"errorCode": "E1"},
        "Time": NOW - 1,
        "EventType": "alert",
        "Name": "an alarm",
    }
    assert (
        call(fill(world(), 2), "QueryDeviceEventData", Identifier="other")["Data"]["List"]["EventInfo"] == []
    )


def test_the_status_lists_each_property_of_the_model_and_what_was_posted(call, world):
    found = call(fill(world()), "QueryDevicePropertyStatus")["Data"]["List"]["PropertyStatusInfo"]
    assert [one["Identifier"] for one in found] == [one["identifier"] for one in TSL["properties"]]
    by_name = {one["Identifier"]: one for one in found}
    assert by_name["Count"] == {
        "Identifier": "Count",
        "Value": 4,
        "Time": NOW - 996,
        "Name": "count",
        "DataType": "int",
    }
    assert by_name["Mode"]["Value"] == ""


def test_a_property_is_set_and_a_service_called_at_once(call, world):
    found = world()
    sent = call(found, "SetDeviceProperty", Items='{"Count": 5}')
    assert sent["Success"] and sent["RequestId"]
    called = call(found, "InvokeThingService", Identifier="Reset", Args={"delay": 1})
    for answer, packet in zip((sent, called), found.device.came):
        assert json.loads(packet.payload)["id"] == answer["Data"]["MessageId"]
    found.device.publish(
        "thing/service/Reset_reply",
        json.dumps({"id": called["Data"]["MessageId"], "code": 200, "data": {}}).encode(),
    )
    listed = call(found, "QueryDeviceServiceData")["Data"]["List"]["ServiceInfo"]
    assert [(one["Identifier"], one["InputData"], one["Code"]) for one in listed] == [
        ("Reset", {"delay": 1}, 200)
    ]


def test_a_device_is_named_by_its_iot_id_too(call, world):
    found = fill(world())
    iot_id = found.device.messages(POST)[0]["iotId"]
    assert call(found, "QueryDevicePropertyData", IotId=iot_id, Identifier="Count")["Success"]


WRONG = [
    ("SetDeviceProperty", {"DeviceName": "nobody", "Items": {}}, "iot.device.NotExistedDevice"),
    ("SetDeviceProperty", {"IotId": "nobody", "Items": {}}, "iot.device.NotExistedDevice"),
    ("SetDeviceProperty", {}, "ParameterError"),
    ("SetDeviceProperty", {"Items": {"Count": 1}, "Qos": 2}, "ParameterError"),
    ("SetDeviceProperty", {"Items": {"Nobody": 1}}, 6304),
    ("InvokeThingService", {"Identifier": "Nobody", "Args": {}}, 6313),
    ("InvokeThingService", {"Identifier": 5, "Args": {}}, "ParameterError"),
    ("QueryDevicePropertyData", {"Identifier": "Count", "PageSize": 101}, "ParameterError"),
    ("QueryDevicePropertyData", {"Identifier": "Count", "StartTime": "now"}, "ParameterError"),
]


@pytest.mark.parametrize(("name", "parameters", "code"), WRONG)
def test_a_call_that_fails_says_why(call, world, name, parameters, code):
    answer = call(world(), name, **parameters)
    assert (
        (answer["Success"], answer["Code"]) == (False, code)
        and answer["ErrorMessage"]
        and "Data" not in answer
    )


def test_the_admin_api_over_http(run):
    """One of each kind: the model kept and shown, a set that is waited for, what is refused."""
    with run() as cloud, cloud.mqtt("mqtt_tcp") as client, ThreadPoolExecutor() as pool:
        client.online(connect_packet(mode="3", extra="_ss=1,"))
        cloud.admin("GET", f"/products/{CPK}/tsl", status=404)
        kept = cloud.admin("POST", f"/products/{CPK}/tsl", TSL)
        assert "Count" in kept["properties"] and kept["services"] == ["Reset", "Weigh", "engine:Start"]
        assert cloud.admin("GET", f"/products/{CPK}/tsl")["events"] == TSL["events"]
        assert cloud.admin("GET", "/products")[0]["tsl"] is True
        assert (
            "identifier" in cloud.admin("POST", f"/products/{CPK}/tsl", {"events": [{}]}, status=400)["error"]
        )
        path = f"/devices/{CPK}/{CDN}/"
        asked = pool.submit(cloud.admin, "POST", path + "property", {"params": {"Count": 5}, "wait": 20})
        packet = client.read()
        number = json.loads(packet.payload)["id"]
        client.send(
            Publish(
                T + "thing/service/property/set_reply", b'{"id":%s,"code":200,"data":{}}' % number.encode()
            )
        )
        assert asked.result()["reply"] == {"id": int(number), "code": 200, "data": {}}
        refused = cloud.admin("POST", path + "property", {"params": {"Temp": 5}}, status=400)
        assert refused["code"] == 460 and "read-only" in refused["error"]
        for tail, values in (
            ("property", {"params": {}, "wait": 61}),
            ("property", {"params": {}, "times": 0}),
            ("property/get", {"params": {}}),
            ("service/engine:Start", {"params": {}, "sync": 1}),
        ):
            cloud.admin("POST", path + tail, values, status=400)
        assert cloud.admin("POST", path + "property/get", {"params": ["Count"]})["sent"] == 1
        assert cloud.admin("POST", "/api/Nothing", {}, status=404)["error"].startswith(
            "there is no call Nothing"
        )
        assert "SetDeviceProperty" in cloud.admin("GET", "/")["calls"]
    with run() as again:
        assert again.admin("GET", "/products")[0]["tsl"] is True
        assert PK not in str(again.admin("GET", "/products"))


@pytest.mark.parametrize(
    "action", ["QueryDevicePropertyData", "QueryDeviceEventData", "QueryDeviceServiceData"]
)
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("StartTime", 2**63),
        ("EndTime", 2**63),
        ("StartTime", -(2**63) - 1),
        ("Identifier", "\ud800"),
        ("Identifier", float("nan")),
        ("More", float("inf")),
    ],
)
def test_what_no_store_can_hold_is_a_parameter_error(call, world, action, name, bad):
    answer = call(world(), action, **{"Identifier": "Count", name: bad})
    assert (answer["Success"], answer["Code"]) == (False, "ParameterError")


@pytest.mark.parametrize("items", ['{"Count":NaN}', '{"Count":1e999}', '{"Count":"\\ud800"}'])
def test_json_as_text_is_as_strict(call, world, items):
    assert call(world(), "SetDeviceProperty", Items=items)["ErrorMessage"] == "Items is not JSON"
