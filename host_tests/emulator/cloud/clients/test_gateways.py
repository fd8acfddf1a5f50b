"""The official Python and Node SDKs as gateways, from registration to detaching."""

import json

import pytest

from host_tests.emulator.cloud.clients.conftest import GATEWAY_PK, INSTANCE, SUB_PK


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"properties": [], "events": [], "services": []}))
    return str(path)


def statuses(cloud, gateway):
    return [cloud.device(SUB_PK, name)["status"] for name in gateway["subdevices"]]


def went(cloud, name):
    """What has become of a sub-device, as the log has it."""
    events = cloud.admin("GET", f"/log?dn={name}")
    return [one["event"] for one in events if one["event"] in ("online", "offline", "kicked")]


def pairs(gateway):
    return [{"productKey": SUB_PK, "deviceName": name} for name in gateway["subdevices"]]


def topology(cloud, gateway):
    return cloud.admin("GET", f"/devices/{GATEWAY_PK}/{gateway['device_name']}/topology")


def test_the_python_sdk_registers_attaches_logs_in_posts_and_logs_out(linkkit, cloud, gateway, model):
    seen = {}
    first, second = gateway["subdevices"]

    def disable():  # the SDK awaits the topo/change that comes of it
        seen["logged out"] = statuses(cloud, gateway)
        cloud.act(SUB_PK, second, "disable")

    before = [cloud.device(SUB_PK, name, secret=True)["device_secret"] for name in (first, second)]
    events = linkkit("gateway", on={"disable": disable}, thing_model=model, **gateway)
    by_event = {event["event"]: event for event in events}
    assert by_event["connect"]["rc"] == 0
    for call in (
        "product_register_subdev",
        "register_subdev",
        "add_subdev_topo",
        "login_subdev",
        "logout_subdev",
        "delete_subdev_topo",
    ):
        event = by_event[call]
        assert (event["called"], event["code"], event["message"]) == (0, 200, "success"), call
    proxied = by_event["product_register_subdev"]["data"]
    assert proxied["failures"] == [] and [one["deviceSecret"] for one in proxied["successes"]] == before
    now = [cloud.device(SUB_PK, name, secret=True)["device_secret"] for name in (first, second)]
    assert [one["deviceSecret"] for one in by_event["register_subdev"]["data"]] == now
    assert not set(now) & set(before)
    assert by_event["add_subdev_topo"]["data"] == by_event["login_subdev"]["data"] == pairs(gateway)
    assert seen == {"logged out": ["offline", "online"]}
    assert went(cloud, first) == ["online", "offline"] and went(cloud, second) == ["online", "kicked"]
    posted = [event for event in events if event["event"] == "posted"]
    assert [event["payload"]["code"] for event in posted] == [200, 200]
    assert [cloud.device(SUB_PK, name)["properties"] for name in (first, second)] == [{"temperature": 21}] * 2
    assert by_event["change"]["params"] == {"status": 8, "subList": [pairs(gateway)[1]]}
    assert topology(cloud, gateway) == [] and by_event["disconnect"]["rc"] == 0


def test_the_node_sdk_registers_attaches_logs_in_posts_and_logs_out(node, cloud, gateway):
    first, second = gateway["subdevices"]
    on = {"set": lambda: cloud.act(SUB_PK, first, "property", {"params": {"switch": 1}})}
    events = node("gateway", on=on, broker_url=f"mqtts://{INSTANCE}.mqtt.iothub.aliyuncs.com:8883", **gateway)
    by_event = {event["event"]: event for event in events}
    for call in ("register", "add", "get", "login", "posted", "logout", "remove"):
        assert (by_event[call]["code"], by_event[call]["message"]) == (200, "success"), call
    secrets = [one["deviceSecret"] for one in by_event["register"]["data"]]
    assert secrets == [cloud.device(SUB_PK, name, secret=True)["device_secret"] for name in (first, second)]
    assert by_event["get"]["data"] == pairs(gateway) and by_event["set"]["params"] == {"switch": 1}
    assert [event["data"] for event in events if event["event"] == "login"] == pairs(gateway)
    for name in (first, second):
        assert cloud.device(SUB_PK, name)["properties"] == {"temperature": 21}
    assert went(cloud, first) == ["online", "offline"] and went(cloud, second) == ["online", "kicked"]
    assert topology(cloud, gateway) == []
