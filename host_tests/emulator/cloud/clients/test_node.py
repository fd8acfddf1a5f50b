"""The official Node SDK, 1.2.8, against the emulated cloud: connect, publish, and its HTTPS registration."""

import pytest

from host_tests.emulator.cloud.clients.conftest import INSTANCE, PK, PS

URLS = {"instance-host": f"mqtts://{INSTANCE}.mqtt.iothub.aliyuncs.com:8883", "legacy-host": None}


@pytest.fixture
def job(cloud):
    def make(dn):
        return {
            "device_name": dn,
            "product_secret": PS,
            "on": {
                "message": lambda: cloud.admin(
                    "POST", "/publish", {"topic": f"/{PK}/{dn}/user/get", "payload": "hi", "qos": 1}
                ),
                "set": lambda: cloud.act(PK, dn, "property", {"params": {"switch": 1}}),
            },
        }

    return make


def used(events, cloud, dn):
    """That the SDK was online and did all that the driver does."""
    by_event = {event["event"]: event for event in events}
    assert by_event["versions"]["sdk"] == "1.2.8"
    assert by_event["property"]["code"] == 200 and by_event["published"]["error"] is None
    assert by_event["subscribed"]["granted"] == [1]
    assert by_event["message"]["payload"] == "hi" and by_event["set"]["params"] == {"switch": 1}
    device = cloud.device(PK, dn)
    assert device["properties"] == {"temperature": 21}
    (message,) = cloud.admin("GET", f"/messages?dn={dn}&topic=/{PK}/{dn}/user/update&direction=up")
    assert (message["payload"], message["qos"]) == ("hello", 1)
    (online,) = cloud.admin("GET", f"/log?event=online&dn={dn}")
    assert online["sdk"] == "1.2.8" and online["clean"] is False
    return device


@pytest.mark.parametrize("url", URLS.values(), ids=URLS.keys())
def test_connect_and_publish_over_verified_tls(node, job, cloud, device, url):
    dn = device["device_name"]
    events = node("device", device_secret=device["device_secret"], broker_url=url, **job(dn))
    assert used(events, cloud, dn)["traffic"]["tls_handshakes"] == 1
    host = f"{INSTANCE}.mqtt.iothub.aliyuncs.com" if url else f"{PK}.iot-as-mqtt.cn-shanghai.aliyuncs.com"
    assert host.lower() in {entry["server_name"] for entry in cloud.admin("GET", "/log?event=handshake")}


def test_connect_and_publish_over_plain_tcp(node, job, cloud, device):
    dn = device["device_name"]
    used(node("tcp", device_secret=device["device_secret"], **job(dn)), cloud, dn)


def test_its_kept_session_gives_what_came_while_it_was_away(node, job, cloud, device):
    """The SDK connects with clean session false: the subscription is still there, the message waited."""
    dn = device["device_name"]
    node("device", device_secret=device["device_secret"], **job(dn))
    assert (
        cloud.admin("POST", "/publish", {"topic": f"/{PK}/{dn}/user/get", "payload": "later", "qos": 1})[
            "kept"
        ]
        == 1
    )
    events = node("device", device_secret=device["device_secret"], **job(dn))
    assert "later" in [event.get("payload") for event in events]


def test_https_registration_then_connect(node, job, cloud, device):
    dn = device["device_name"]
    events = node("https", **job(dn))
    registered = next(event for event in events if event["event"] == "registered")
    assert registered["code"] == 200
    assert (
        registered["secret"] == cloud.device(PK, dn, secret=True)["device_secret"] != device["device_secret"]
    )
    used(events, cloud, dn)
    assert {"event": "registered", "code": 6289, "message": "device is already active"} in node(
        "https", **job(dn)
    )


def test_a_wrong_secret_is_refused(node, job, cloud, device):
    events = node("device", device_secret="f" * 32, **job(device["device_name"]))
    assert events[-1]["event"] == "error"
    assert events[-1]["message"].endswith("Connection refused: Bad username or password")
    assert {
        entry["code"] for entry in cloud.admin("GET", f"/log?event=refused&dn={device['device_name']}")
    } == {4}


@pytest.mark.parametrize("kind", ["wrong_host", "untrusted", "expired"])
def test_a_server_that_cannot_be_trusted_is_refused_by_the_sdk(node, job, cloud, device, kind):
    """Verification is on: nothing above passed because it had been switched off."""
    cloud.arm(
        {"where": "mqtt_tls", "when": "handshake", "kind": "certificate", "certificate": kind, "times": None}
    )
    try:
        events = node("device", device_secret=device["device_secret"], **job(device["device_name"]))
    finally:
        cloud.admin("DELETE", "/faults")
    assert events[-1]["event"] == "error" and "connect" not in {event["event"] for event in events}
    assert cloud.device(PK, device["device_name"])["status"] == "inactive"
