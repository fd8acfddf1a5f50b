"""Messages to the business server about devices themselves (application.md 15)."""

import json

from host_tests.support.cloud.client import DN, PK, connect_packet
from host_tests.support.cloud.thing import GDN, GPK, NOW, ONE, OTHER, SPK
from host_tests.support.cloud.thing import PK as TPK


def actions(world, topic):
    return [one["body"] for one in world.instance.server_messages.after(0, topic)]


def test_what_becomes_of_a_device_is_reported(world):
    found = world()
    registry, instance = found.instance.registry, found.instance
    fresh = registry.add(registry.products[TPK], ["fresh"])[0]
    for step in (instance.disable, instance.enable, instance.delete):
        step(fresh)
    bodies = actions(found, f"/{TPK}/fresh/thing/lifecycle")
    assert [body["action"] for body in bodies] == ["create", "disable", "enable", "delete"]
    assert bodies[0] == {
        "iotId": fresh.iot_id,
        "productKey": TPK,
        "deviceName": "fresh",
        "action": "create",
        "messageCreateTime": NOW,
        "deviceSecret": fresh.secret,
    }
    assert all("deviceSecret" not in body for body in bodies[1:])
    assert actions(found, f"/{TPK}/{OTHER}/thing/lifecycle") == []


def test_what_a_gateway_has_and_finds_is_reported(world):
    found = world()
    gateway = found.gateway()
    device = found.instance.registry.find(SPK, ONE)
    found.instance.gateways.detach([device])
    bodies = actions(found, f"/{GPK}/{GDN}/thing/topo/lifecycle")
    assert [body["action"] for body in bodies] == ["add", "delete"]
    assert (bodies[0]["gwProductKey"], bodies[0]["gwDeviceName"]) == (GPK, GDN)
    assert bodies[0]["devices"] == [{"iotId": device.iot_id, "productKey": SPK, "deviceName": ONE}]
    gateway.ask("thing/list/found", [{"productKey": SPK, "deviceName": "found_01"}])
    assert actions(found, f"/{GPK}/{GDN}/thing/list/found")[0]["devices"] == [
        {"productKey": SPK, "deviceName": "found_01"}
    ]


def test_a_device_that_comes_and_goes_is_reported_with_its_address(run):
    with run() as cloud:
        with cloud.mqtt("mqtt_tcp") as client:
            client.online(connect_packet(mode="3"))
            client.nothing()
        topic = f"/as/mqtt/status/{PK}/{DN}"
        seen, after = [], 0
        while len(seen) < 2:
            for one in cloud.admin("GET", f"/server_messages?wait=20&topic={topic}&after={after}"):
                seen.append(one["body"])
                after = one["seq"]
        assert [body["status"] for body in seen] == ["online", "offline"]
        assert {body["clientIp"] for body in seen} == {"127.0.0.1"}
        assert seen[0]["utcTime"].endswith("Z") and len(seen[0]["time"]) == len("2018-08-31 15:32:28.205")


def test_messages_go_to_a_file_as_lines(world, tmp_path):
    found = world()
    found.instance.server_messages.write_to(tmp_path / "events")
    found.device.ask("thing/event/property/post", {"Count": 1})
    lines = (tmp_path / "events").read_text().splitlines()
    assert [json.loads(line) for line in lines] == found.instance.server_messages.after(0)
