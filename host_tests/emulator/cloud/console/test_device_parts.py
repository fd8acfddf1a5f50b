"""The parts of a device's pages: thing model, messages, shadow, logs, files, jobs, sub-devices."""

import json
import threading

import pytest

from host_tests.emulator.cloud.console.test_overview import events
from host_tests.support.cloud.client import DN, PK, USER, T, connect_packet, settings
from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.console import forms

GPK, GDN, SPK, SDN = "a1Gateway01", "gateway_01", "a1Sub0000001", "sub_0001"
CLOUD = settings()
CLOUD["product"] += [
    {"product_key": GPK, "node": "gateway", "device": [{"device_name": GDN}]},
    {"product_key": SPK, "node": "subdevice", "device": [{"device_name": SDN}]},
]
AT = f"/products/{PK}/devices/{DN}"
GATEWAY = f"/products/{GPK}/devices/{GDN}"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module", autouse=True)
def model(cloud):
    cloud.admin("POST", f"/products/{PK}/tsl", TSL)


@pytest.fixture
def online(cloud):
    """The device on line, with all topics of the system."""
    packet = connect_packet(mode="3", extra="_ss=1,ext=1")
    with cloud.mqtt("mqtt_tcp").online(packet) as client:
        yield client


def post(client, tail, params, number=1):
    """A request of the device, once the cloud has answered it."""
    body = {"id": str(number), "version": "1.0", "params": params, "method": tail.replace("/", ".")}
    client.send(Publish(T + tail, json.dumps(body).encode(), 0))
    return json.loads(client.read().payload)


def answering(client, data=None, code=200):
    """A thread that answers the next request of the cloud."""

    def answer():
        asked = client.read()
        body = {"id": json.loads(asked.payload)["id"], "code": code, "data": data or {}}
        rrpc = "/rrpc/request/" in asked.topic
        topic = asked.topic.replace("/request/", "/response/") if rrpc else asked.topic + "_reply"
        topic = asked.topic if asked.topic.startswith("/ext/rrpc/") else topic
        client.send(Publish(topic, json.dumps(body).encode(), 0))

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


# ---- thing model


def test_a_property_that_is_posted_is_seen_at_once_with_its_unit_and_its_line(cloud, visitor, online):
    seen = events(visitor, AT + "/model", "properties")
    next(seen)
    for number, value in enumerate((20.5, 21.5)):
        assert post(online, "thing/event/property/post", {"Temp": value, "Switch": 1}, number)["code"] == 200
    html = next(one for one in seen if "21.5 °C" in one)
    assert "on (1)" in html
    assert "<polyline" in html and 'aria-label="temp: 0–21.5 °C"' in html


def test_a_plot_is_that_of_the_property_that_is_chosen(visitor, online):
    post(online, "thing/event/property/post", {"Temp": 20, "Count": 3})
    page = visitor.get(AT + "/model", plot="Count")
    assert 'aria-label="count: 0–' in page.html and 'aria-label="temp' not in page.html


def test_a_text_of_a_device_is_text(visitor, online):
    post(online, "thing/event/property/post", {"Label": "<b>x</b>"})
    page = visitor.get(AT + "/model")
    assert "<b>x</b>" in page.text and "<b>x</b>" not in page.html


def test_a_property_is_set_and_the_answer_is_seen(cloud, visitor, online):
    thread = answering(online)
    page = visitor.post(AT + "/model/set", Count="7", Switch="1", Place='{"x": 1}')
    thread.join()
    assert page.notices == [
        "Count, Place, Switch: the device answered with code 200 and {}."
    ] or page.notices == ["Switch, Count, Place: the device answered with code 200 and {}."]
    sent = cloud.messages(direction="down", topic=T + "thing/service/property/set")[-1]
    assert json.loads(sent["payload"])["params"] == {"Count": 7, "Switch": 1, "Place": {"x": 1}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Fill in at least one property."),
        ({"Count": "x"}, "Count: 'x' is not of type int."),
        ({"Place": "{"}, "Place: '{' is not JSON."),
        ({"Temp": "1"}, "Temp is read-only: its accessMode is r"),
    ],
)
def test_a_property_that_cannot_be_set_is_refused(visitor, values, sentence):
    page = visitor.post(AT + "/model/set", **values)
    assert page.notices == [sentence]


def test_what_is_set_while_the_device_is_offline_is_said_to_be_dropped_or_desired(cloud, visitor):
    assert "not sent; the device is offline" in visitor.post(AT + "/model/set", Count="7").notices[0]
    page = visitor.post(AT + "/model/set", Count="8", desire="1")
    assert page.notices == ["Count: desired from now on."]
    assert cloud.instance is not None and "Count 8 1" in page.text


def test_a_property_is_asked_for(visitor, online):
    thread = answering(online, {"Count": 5})
    page = visitor.post(AT + "/model/get", identifier="Count")
    thread.join()
    assert page.notices == ["Count: the device answered with code 200 and {'Count': 5}."]


def test_an_event_is_listed(visitor, online):
    post(online, "thing/event/alarm/post", {"value": {"errorCode": "E1", "level": 2}})
    text = visitor.get(AT + "/model").text
    assert "alarm an alarm" in text and "alert" in text and '"errorCode": "E1"' in text


@pytest.mark.parametrize(
    ("service", "values", "data"),
    [("Reset", {"delay": "3"}, {"accepted": 1}), ("Weigh", {}, {"weight": 2.5})],
)
def test_a_service_is_called_by_a_form_of_the_model(visitor, online, service, values, data):
    assert f"Call {service}" in visitor.get(AT + "/model").text
    thread = answering(online, data)
    page = visitor.post(AT + f"/model/call/{service}", **values)
    thread.join()
    assert page.notices == [f"{service}: the device answered with code 200 and {data}."]
    assert f'"{next(iter(data))}"' in page.text


def test_a_service_without_what_it_needs_is_refused(visitor, online):
    assert visitor.post(AT + "/model/call/Reset").notices == ["tsl parse: required params missing -> delay"]
    assert visitor.post(AT + "/model/call/none").notices == ["The model has no service none."]


@pytest.mark.parametrize(
    ("kind", "specs", "typed", "value", "shown"),
    [
        ("int", {"unit": "%"}, "7", 7, "7 %"),
        ("double", {}, "1e3", 1000.0, "1000.0"),
        ("bool", {"0": "off", "1": "on"}, "1", 1, "on (1)"),
        ("enum", {"0": "idle", "2": "busy"}, "2", 2, "busy (2)"),
        ("text", {}, "a b", "a b", "a b"),
        ("date", {}, "1583483727000", "1583483727000", "1583483727000"),
        ("array", {}, "[1, 2]", [1, 2], "[1, 2]"),
        ("struct", [], '{"x": 1}', {"x": 1}, '{"x": 1}'),
    ],
)
def test_a_field_of_each_type(kind, specs, typed, value, shown):
    one = forms.field({"identifier": "A", "dataType": {"type": kind, "specs": specs}})
    assert one.value(typed) == value
    assert forms.label(one, value) == shown


# ---- messages


def test_messages_of_both_directions_come_by_themselves_and_are_text(cloud, visitor, online):
    seen = events(visitor, AT + "/messages", "messages")
    next(seen)
    online.send(Publish(USER + "update", json.dumps({"name": HOSTILE}).encode(), 0))
    html = next(one for one in seen if "onerror" in one)
    assert "<img" not in html and "&lt;img src=x" in html
    assert "direction-up" in html


def test_messages_are_filtered_and_go_back(cloud, visitor, online):
    for number in range(120):
        online.send(Publish(USER + f"count{number:03}", b"1", 0))
    online.send(Publish(USER + "last", b"1", 1, packet_id=1))
    online.read()
    page = visitor.get(AT + "/messages", topic="user/count")
    assert "count119" in page.text and "count069" not in page.text and "Older messages" in page.text
    before = next(known["href"] for tag, known in page.parsed.tags if "before=" in known.get("href", ""))
    older = visitor.get(before)
    assert "count069" in older.text and "count119" not in older.text
    assert "count" not in visitor.get(AT + "/messages", direction="down").text.split("Publish to")[0]


def test_bytes_that_are_no_text_and_long_ones_are_shown(visitor, online):
    online.send(Publish(USER + "raw", b"\xff\xfe\x00", 0))
    online.send(Publish(USER + "long", b"x" * 5000, 1, packet_id=1))
    online.read()
    text = visitor.get(AT + "/messages").text
    assert "ff fe 00" in text and "the first 2.0 KB of 4.9 KB" in text


def test_a_message_is_published_to_the_device(visitor, online):
    online.subscribe(USER + "get")
    page = visitor.post(AT + "/messages/publish", topic=USER + "get", payload="hello", qos="1")
    assert page.notices[0].startswith("Sent 1 times, kept 0 times, dropped 0 times.")
    assert online.read().payload == b"hello"
    assert visitor.post(AT + "/messages/publish", topic="a/#").notices[0].startswith("topic must be")


def test_a_question_is_answered(visitor, online):
    thread = answering(online, {"n": 1})
    page = visitor.post(AT + "/messages/rrpc", question='{"id": "7"}', rrpc_topic="")
    thread.join()
    assert page.notices == ['The device answered: {"id": "7", "code": 200, "data": {"n": 1}}']


# ---- shadow, logs, files, jobs


def test_the_shadow_is_shown_and_updated(cloud, visitor):
    page = visitor.post(AT + "/shadow", desired='{"colour": "red"}', delta="1")
    assert page.notices == ["The shadow has version 1 now; the device was told."]
    assert '"colour": "red"' in page.text
    assert visitor.post(AT + "/shadow", desired="{").notices[0].startswith("desired is not JSON")


def test_logs_are_switched_on_and_shown(visitor, online):
    assert "shall report its logs" in visitor.post(AT + "/logs/mode", mode="1").notices[0]
    online.read()
    entry = {"utcTime": "2020-03-06T15:15:27.464+0800", "logLevel": "ERROR", "module": "main", "code": "1"}
    post(online, "thing/log/post", [{**entry, "logContent": HOSTILE}])
    page = visitor.get(AT + "/logs")
    assert HOSTILE in page.text and "<img" not in page.html
    visitor.post(AT + "/logs/mode", mode="0")


def test_a_job_is_created_and_its_state_is_seen(visitor, online):
    page = visitor.post(AT + "/tasks/job", name="n", document='{"do": 1}')
    assert page.notices == ["The job was created for this device."]
    task = json.loads(online.read().payload)["params"]["task"]["taskId"]
    seen = events(visitor, AT + "/tasks", "tasks")
    assert task in next(seen)
    post(online, "thing/job/update", {"taskId": task, "status": "IN_PROGRESS", "progress": 40})
    assert any("40 %" in html for html in seen)


def test_files_that_are_not_there_are_refused(visitor):
    assert "uploaded no file yet" in visitor.get(AT + "/files").text
    assert visitor.post(AT + "/files/download", file="x").notices == ["There is no such file."]


def test_a_configuration_that_is_not_there_is_refused(visitor):
    assert visitor.post(AT + "/tasks/configuration").notices


# ---- sub-devices


def test_a_sub_device_is_attached_and_detached(cloud, visitor):
    assert "Sub-devices" not in visitor.get(AT).text
    page = visitor.post(GATEWAY + "/subdevices/attach", product_key=SPK, device_name=SDN)
    assert page.notices == [f"{SDN} is attached."]
    assert GDN in visitor.get(f"/products/{SPK}/devices/{SDN}").text
    page = visitor.post(GATEWAY + "/subdevices/detach", product_key=SPK, device_name=SDN)
    assert page.notices == [f"{SDN} is detached."]
    assert cloud.instance.registry.find(SPK, SDN).gateway is None


@pytest.mark.parametrize("action", ["attach", "notify"])
def test_what_is_no_sub_device_is_refused(visitor, action):
    page = visitor.post(GATEWAY + f"/subdevices/{action}", product_key=PK, device_name=DN)
    assert page.notices == [f"{DN} is no sub-device, its product has node = direct"]


def test_the_gateway_is_told(visitor):
    page = visitor.post(GATEWAY + "/subdevices/notify", product_key=SPK, device_name=SDN)
    assert page.notices == [f"The gateway was asked to add {SDN}."]
    page = visitor.post(GATEWAY + "/subdevices/permit", product_key=SPK, seconds="30")
    assert page.notices == ["The gateway may join sub-devices for that time."]
    page = visitor.post(GATEWAY + "/subdevices/permit", product_key=SPK, seconds="x")
    assert page.notices == ["Say for how many seconds, in whole numbers."]
