"""MQTT inside iTLS over the real port: logins, DeviceNames and white lists."""

import socket

import pytest

from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.client import connect_packet as secret_packet
from host_tests.support.cloud.itls import (
    ID2,
    ITLS,
    KEY,
    OTHER,
    PK,
    SECRET,
    Device,
    connect_packet,
    login_code,
    mqtt_client,
)
from tools.emulator.cloud import codec


def other():
    return Device(OTHER["id2"], OTHER["id2_key"])


def test_messages_go_both_ways_and_the_link_ends_with_a_goodbye(itls_run):
    topic = f"/{PK}/device-01/user/a"
    with itls_run() as cloud, mqtt_client(cloud) as one:
        assert one.login(connect_packet()) == 0
        assert one.subscribe(topic) == (0,)
        cloud.admin("POST", "/publish", {"topic": topic, "payload": "x" * 5000})
        assert one.read().payload == b"x" * 5000
        one.send(codec.Publish(topic, b"y" * 3000, 1, 7))
        assert isinstance(one.read(), codec.Ack) and one.read().payload == b"y" * 3000
        one.nothing()
        assert cloud.device("device-01", PK)["traffic"]["tls_handshakes"] == 1
        assert cloud.admin("GET", "/stats")["listeners"]["itls"]["tls_handshakes"] == 1
        one.send(codec.Disconnect())
        assert one.closed() == "fin" and one.link.alert == (1, 0)


def test_a_device_that_says_goodbye_gets_one_back(itls_run):
    with itls_run() as cloud, mqtt_client(cloud) as one:
        one.online(connect_packet())
        one.link.socket.sendall(one.link.device.writing.seal(itls.ALERT, b"\x01\x00"))
        assert one.closed() == "fin" and one.link.alert == (1, 0)


def packet_instance(client_id):
    return next((one[11:] for one in client_id.strip("|").split(",") if one.startswith("instanceId=")), None)


@pytest.mark.parametrize("vector", ITLS["mqtt_connect"], ids=lambda vector: vector["style"])
def test_the_connect_of_the_manual_and_of_the_sdk(itls_run, vector):
    device_name, _, product_key = vector["username"].partition("&")
    instance = packet_instance(vector["client_id"])
    product = {"product_key": product_key, "kind": "enterprise" if instance else "public"}
    product |= {"instance": instance} if instance else {}
    packet = codec.Connect(vector["client_id"], vector["username"], vector["password"].encode(), 300)
    with itls_run(**product) as cloud:
        device = Device(pk=product_key)
        assert login_code(cloud, packet, device) == 0
        assert cloud.device(device_name, product_key)["status"] in ("online", "offline")


@pytest.mark.parametrize(
    "packet, expected",
    [
        (connect_packet(mode="2"), 2),
        (connect_packet(mode="3"), 2),
        (connect_packet(authtype=""), 2),
        (connect_packet(authtype="authType=id2"), 2),
        (connect_packet(authtype="authtype=x"), 2),
        (connect_packet(extra=",authType=register,random=1"), 2),
        (connect_packet(client_id="none"), 2),
        (connect_packet(keep_alive=29), 2),
        (connect_packet(username="device-01"), 4),
        (connect_packet(pk="a1TESTpk001"), 4),
        (connect_packet(extra=",instanceId=iot-other1"), 4),
        (connect_packet(extra=f",instanceId={harness.INSTANCE}"), 0),
        (connect_packet(password=None), 0),
        (connect_packet(password=b"\xff\0"), 0),
        (connect_packet(), 0),
    ],
)
def test_logins(shared, packet, expected):
    """The password is not looked at; everything else is."""
    assert login_code(shared, packet) == expected


def test_logins_by_switch(itls_run):
    with itls_run({"securemode": "ignored", "id2_instance_id": "required", "bad_login": 5}) as cloud:
        assert login_code(cloud, connect_packet(mode="2")) == 5
        assert login_code(cloud, connect_packet(mode="2", extra=f",instanceId={harness.INSTANCE}")) == 0
    with itls_run({"id2_instance_id": "ignored"}) as cloud:
        assert login_code(cloud, connect_packet(extra=",instanceId=iot-other1")) == 0


def test_an_id2_product_has_no_other_way_in(shared):
    with shared.mqtt() as one:
        assert one.login(secret_packet(pk=PK)) == 4
    assert shared.https(harness.form(pk=PK, secret=SECRET))[1]["code"] == 6250
    with socket.create_connection(("127.0.0.1", shared.ports["itls"]), harness.WAIT) as plain:
        plain.sendall(secret_packet(mode="3").encode())
        assert plain.recv(100) == b"\x15\x03\x03\x00\x02\x02\x0a" and plain.recv(100) == b""
    assert shared.log(where="itls", event="handshake failed")[-1]["reason"] == "no record is of type 16"


# ---- DeviceNames


def test_an_identity_and_a_device_name_belong_together_from_the_first_login_on(itls_run):
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]) as cloud:
        assert cloud.admin("GET", "/devices") == []
        assert login_code(cloud, connect_packet(dn="first")) == 0
        assert cloud.device("first", PK)["id2"] == ID2
        assert login_code(cloud, connect_packet(dn="second")) == 4
        assert login_code(cloud, connect_packet(dn="first"), other()) == 4
        assert login_code(cloud, connect_packet(dn="second"), other()) == 0
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]) as cloud:
        assert login_code(cloud, connect_packet(dn="second")) == 4
        cloud.admin("POST", f"/devices/{PK}/second/delete")
        assert cloud.admin("GET", f"/identities/{OTHER['id2']}")["device_name"] is None
        cloud.admin("POST", f"/identities/{ID2}/unbind")
        assert login_code(cloud, connect_packet(dn="second")) == 0
        assert login_code(cloud, connect_packet(dn="first"), other()) == 0


def test_a_binding_that_moves_and_one_that_is_not_looked_at(itls_run):
    both = [{"id2": ID2, "id2_key": KEY}, OTHER]
    with itls_run({"id2_binding": "moves"}, identities=both) as cloud:
        assert login_code(cloud, connect_packet(dn="first")) == 0
        assert login_code(cloud, connect_packet(dn="first"), other()) == 0
        assert cloud.device("first", PK)["id2"] == OTHER["id2"]
        assert cloud.admin("GET", f"/identities/{ID2}")["device_name"] is None
        assert login_code(cloud, connect_packet(dn="second"), other()) == 0
        assert cloud.device("first", PK)["id2"] is None
    with itls_run({"id2_binding": "free"}, identities=both) as cloud:
        assert login_code(cloud, connect_packet(dn="second")) == 0
        assert cloud.device("second", PK)["id2"] == OTHER["id2"]


@pytest.mark.parametrize("refused", [4, 5])
def test_a_white_list(itls_run, refused):
    listed = [{"device_name": "listed"}]
    with itls_run({"id2_whitelist_refused": refused}, whitelist=True, device=listed) as cloud:
        assert login_code(cloud, connect_packet(dn="unlisted")) == refused
        assert [one["device_name"] for one in cloud.admin("GET", "/devices")] == ["listed"]
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["added"]})
        assert login_code(cloud, connect_packet(dn="added")) == 0
        cloud.admin("POST", f"/identities/{ID2}/unbind")
        assert cloud.admin("POST", f"/products/{PK}/whitelist", {"enabled": False})["whitelist"] is False
    with itls_run(whitelist=True, device=listed) as cloud:
        assert cloud.admin("GET", "/products")[0]["whitelist"] is False
        assert login_code(cloud, connect_packet(dn="unlisted")) == 0


def test_a_disabled_device_and_a_device_thrown_off(itls_run):
    with itls_run() as cloud:
        with mqtt_client(cloud) as one:
            one.online(connect_packet())
            cloud.admin("POST", f"/devices/{PK}/device-01/disable")
            assert one.closed() == "fin"
        assert login_code(cloud) == 4
        cloud.admin("POST", f"/devices/{PK}/device-01/enable")
        with mqtt_client(cloud) as one, mqtt_client(cloud) as two:
            one.online(connect_packet())
            two.online(connect_packet())
            assert one.closed() == "fin"
            two.nothing()


def test_a_sub_device_s_product_does_not_connect_itself(itls_run):
    with itls_run(node="subdevice") as cloud:
        assert login_code(cloud) == 4
