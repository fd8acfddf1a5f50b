"""The official Python SDK, 1.2.13, against the emulated cloud: every way in, and what comes after."""

import json

import pytest

from host_tests.emulator.cloud.clients.conftest import INSTANCE, PK, PS

MODEL = {
    "properties": [{"identifier": "temperature"}],
    "events": [{"identifier": "post", "outputData": [{"identifier": "temperature"}]}],
    "services": [{"identifier": "set", "inputData": [{"identifier": "switch"}]}],
}


@pytest.fixture
def job(cloud, tmp_path):
    """`job(device name)`: what the driver needs beside its scenario, and what the cloud does when it waits."""
    model = tmp_path / "model.json"
    model.write_text(json.dumps(MODEL))

    def make(dn):
        return {
            "device_name": dn,
            "thing_model": str(model),
            "product_secret": PS,
            "instance_id": INSTANCE,
            "on": {
                "message": lambda: cloud.admin(
                    "POST", "/publish", {"topic": f"/{PK}/{dn}/user/get", "payload": "hi", "qos": 1}
                ),
                "set": lambda: cloud.act(PK, dn, "property", {"params": {"switch": 1}}),
            },
        }

    return make


def used(events, cloud, dn, kind):
    """That the SDK was online and did all that `use` in the driver does."""
    by_event = {event["event"]: event for event in events}
    assert by_event["connect"]["rc"] == 0
    assert (by_event["property"]["code"], by_event["property"]["message"]) == (200, "success")
    assert by_event["subscribed"]["granted"] == [1]
    assert by_event["message"]["got"] == [f"/{PK}/{dn}/user/get", "hi", 1]
    assert by_event["set"]["got"] == [{"switch": 1}]
    assert by_event["disconnect"]["rc"] == 0
    device = cloud.device(PK, dn)
    assert device["properties"] == {"temperature": 21}
    (message,) = cloud.admin("GET", f"/messages?pk={PK}&dn={dn}&topic=/{PK}/{dn}/user/update")
    assert (message["payload"], message["qos"]) == ("hello", 1)
    (online,) = cloud.admin("GET", f"/log?event=online&dn={dn}")
    assert online["way"] == kind and online["sdk"] == "1.2.13"
    return device


def test_a_wrong_secret_is_refused(linkkit, job, cloud, device):
    events = linkkit("device", device_secret="f" * 32, seconds=6, **job(device["device_name"]))
    assert events == [
        {"event": "versions", "aliyun-iot-linkkit": "1.2.13", "paho-mqtt": "1.6.1"},
        {"event": "nothing"},
    ]
    assert {
        entry["code"] for entry in cloud.admin("GET", f"/log?event=refused&dn={device['device_name']}")
    } == {4}


def test_unique_certificate_over_verified_tls(linkkit, job, cloud, device):
    dn = device["device_name"]
    events = linkkit("device", device_secret=device["device_secret"], **job(dn))
    assert used(events, cloud, dn, "device")["traffic"]["tls_handshakes"] == 1
    names = {entry["server_name"] for entry in cloud.admin("GET", "/log?event=handshake")}
    assert f"{INSTANCE}.mqtt.iothub.aliyuncs.com" in names


def test_unique_certificate_over_plain_tcp(linkkit, job, cloud, device):
    dn = device["device_name"]
    events = linkkit("tcp", device_secret=device["device_secret"], **job(dn))
    assert used(events, cloud, dn, "device")["traffic"]["tls_handshakes"] == 0


def test_https_registration_then_connect(linkkit, job, cloud, device):
    dn = device["device_name"]
    events = linkkit("https", **job(dn))
    registered = next(event for event in events if event["event"] == "registered")
    assert registered["rc"] == 0 and registered["value"] != device["device_secret"]
    assert registered["value"] == cloud.device(PK, dn, secret=True)["device_secret"]
    assert used(events, cloud, dn, "device")["traffic"]["tls_handshakes"] == 2
    assert "iot-auth.cn-shanghai.aliyuncs.com" in {
        entry["server_name"] for entry in cloud.admin("GET", "/log?event=handshake&where=https")
    }


def test_https_registration_of_an_active_device_is_refused(linkkit, job, cloud, device):
    dn = device["device_name"]
    linkkit("https", **job(dn))
    assert linkkit("https", **job(dn))[1:] == [
        {"event": "registered", "rc": 1, "value": "device is already active"}
    ]


@pytest.mark.parametrize("instance", [INSTANCE, None], ids=["instance-host", "legacy-host"])
def test_mqtt_registration_then_connect(linkkit, job, cloud, device, instance):
    dn = device["device_name"]
    events = linkkit("mqtt", **{**job(dn), "instance_id": instance})
    registered = next(event for event in events if event["event"] == "registered")
    assert registered["rc"] == 0
    assert (
        registered["value"] == cloud.device(PK, dn, secret=True)["device_secret"] != device["device_secret"]
    )
    assert used(events, cloud, dn, "device")["traffic"]["tls_handshakes"] == 2


def test_registration_without_pre_registration_then_connect(linkkit, job, cloud):
    dn = "unit_0001"
    events = linkkit("unit", **job(dn))
    unit = next(event for event in events if event["event"] == "unit")
    (kept,) = cloud.device(PK, dn, secret=True)["clients"]
    assert unit["client_id"].split("|")[0] == kept["client_id"] and unit["password"] == kept["device_token"]
    assert used(events, cloud, dn, "unit")["clients"][0]["activated_at"] is not None


def test_a_server_of_another_name_is_refused_by_the_sdk(linkkit, job, cloud, device):
    """The SDK's own verification is on: nothing above passed because it had been switched off."""
    dn = device["device_name"]
    cloud.arm(
        {
            "where": "mqtt_tls",
            "when": "handshake",
            "kind": "certificate",
            "certificate": "wrong_host",
            "times": None,
        }
    )
    try:
        events = linkkit("device", device_secret=device["device_secret"], **job(dn))
    finally:
        cloud.admin("DELETE", "/faults")
    assert events[1]["rc"] != 0 and cloud.device(PK, dn)["status"] == "inactive"
