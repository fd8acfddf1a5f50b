"""Logs of devices, and whether the platform wants them (application.md 11)."""

import json

import pytest

from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import T, connect_packet
from host_tests.support.cloud.thing import DN, NOW, PK
from tools.emulator.cloud.codec import Publish

GET, POST = "thing/config/log/get", "thing/log/post"
ASK = {"configScope": "device", "getType": "content"}
ENTRY = {
    "utcTime": "2020-03-06T15:15:27.464+0800",
    "logLevel": "ERROR",
    "module": "ModuleA",
    "code": "4103",
    "traceContext": "123456",
    "logContent": "text",
}


def without(name):
    return {key: value for key, value in ENTRY.items() if key != name}


def kept(world, after=0, **wanted):
    device = world.instance.registry.find(PK, DN)
    return world.instance.services.logs.kept(device, after, 100, **wanted)


MODES = [
    (ASK, 200),
    ({**ASK, "getType": "file"}, 6717),
    ({**ASK, "configScope": "product"}, 6718),
    ({}, 6717),
    ([], 460),
    (None, 460),
]


@pytest.mark.parametrize(("params", "code"), MODES)
def test_a_device_asks_whether_to_report(world, params, code):
    answer = world().device.ask(GET, params)
    assert answer["code"] == code
    assert answer["data"] == ({"getType": "content", "content": {"mode": 0}} if code == 200 else {})


def test_the_mode_is_pushed_and_kept(world):
    found = world()
    found.instance.services.logs.set_mode(found.instance.registry.find(PK, DN), 1)
    packet = found.device.came[-1]
    body = json.loads(packet.payload)
    assert packet.topic == f"/sys/{PK}/{DN}/thing/config/log/push"
    assert body["params"] == {"getType": "content", "content": {"mode": 1}}
    assert body["method"] == "thing.config.log.push"
    assert world().device.ask(GET, ASK)["data"]["content"] == {"mode": 1}


GOOD = [
    [ENTRY],
    [without("traceContext")],
    [ENTRY | {"logLevel": "OWN", "code": "", "more": 1}],
    [ENTRY | {"utcTime": "2020-03-06T07:15:27Z"}],
    [ENTRY | {"logContent": "é" * 2048}],
    [ENTRY] * 40,
]


@pytest.mark.parametrize("params", GOOD)
def test_entries_are_kept_as_they_came(world, params):
    assert world().device.ask(POST, params)["data"] == {}
    found = kept(world())
    assert [one.pop("time") for one in found] == [NOW] * len(params)
    assert found == [{key: one[key] for key in ENTRY if key in one} for one in params]


WRONG = [
    None,
    {},
    [],
    [ENTRY] * 41,
    [5],
    [ENTRY, {}],
    *([without(name)] for name in ("utcTime", "logLevel", "module", "code", "logContent")),
    [ENTRY | {"logContent": 5}],
    [ENTRY | {"traceContext": 5}],
    [ENTRY | {"utcTime": "yesterday"}],
    [ENTRY | {"utcTime": 1583478927464}],
    [ENTRY | {"logContent": "é" * 2049}],
]


@pytest.mark.parametrize("params", WRONG)
def test_a_wrong_entry_refuses_them_all_and_is_one_event(world, params):
    found = world()
    assert found.device.ask(POST, params)["code"] == 460
    assert kept(found) == []
    assert len(found.instance.journal.select_events(event="refused request")) == 1


def test_logs_are_kept_for_a_week(world):
    found = world()
    found.device.ask(POST, [ENTRY])
    found.now += 7 * 86400 + 1
    found.device.ask(POST, [ENTRY | {"module": "B"}])
    assert [one["module"] for one in kept(found)] == ["B"]


def test_by_a_switch_nothing_is_kept_of_a_device_that_was_not_asked(world):
    found = world(switches={"log_when_off": "dropped"})
    assert found.device.ask(POST, [ENTRY])["code"] == 200
    assert kept(found) == [] and found.instance.journal.select_events(event="log dropped")[0]["count"] == 1
    found.instance.services.logs.set_mode(found.instance.registry.find(PK, DN), 1)
    found.device.ask(POST, [ENTRY])
    assert len(kept(found)) == 1


def test_over_mqtt_and_the_console(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    path = f"/devices/{CPK}/{CDN}/"
    assert cloud.admin("POST", path + "log_mode", {"mode": 1})["sent"] == 1
    assert json.loads(client.read().payload)["params"]["content"] == {"mode": 1}
    cloud.admin("POST", path + "log_mode", {"mode": 2}, status=400)
    cloud.arm("mqtt_tcp", "reply", "silent", topic=POST + "_reply")
    for number, level in (("1", "ERROR"), ("2", "WARN")):
        body = {"id": number, "params": [ENTRY | {"logLevel": level}]}
        client.send(Publish(T + POST, json.dumps(body).encode()))
    assert json.loads(client.read().payload)["id"] == "2"
    found = cloud.admin("GET", path + "logs")
    assert found["mode"] == 1 and [one["logLevel"] for one in found["logs"]] == ["ERROR", "WARN"]
    assert len(cloud.admin("GET", path + "logs?logLevel=WARN&module=ModuleA")["logs"]) == 1
    assert cloud.admin("GET", path + f"logs?after={found['logs'][-1]['time']}")["logs"] == []
    cloud.admin("GET", path + "logs?level=WARN", status=400)
