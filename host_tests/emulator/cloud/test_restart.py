"""What outlives the cloud's process, however it ends. A second `run()` has the first one's folder."""

import http.client
import json
import socket
import ssl

import pytest

from host_tests.support.cloud.client import (
    AUTH_HOST,
    DN,
    DS,
    HOST,
    PK,
    Client,
    connect_packet,
    form,
    register_packet,
    registered,
    settings,
    unit_packet,
)
from tools.emulator.cloud.codec import Connack
from tools.emulator.cloud.process import Cloud

GET = f"/{PK}/{DN}/user/get"


def code(cloud, packet):
    with cloud.mqtt() as client:
        return client.login(packet)


def test_everything_the_console_knows_survives(run):
    with run() as cloud:
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn="unit"))
        assert code(cloud, unit_packet(unit, dn="unit")) == 0
        secret = cloud.https(form())[1]["data"]["deviceSecret"]
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["fresh", "gone", "disabled"]})
        fresh = cloud.device("fresh")
        cloud.admin("POST", f"/devices/{PK}/gone/delete")
        cloud.admin("POST", f"/devices/{PK}/disabled/disable")
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": False})
        before = {dn: cloud.device(dn) for dn in (DN, "unit", "fresh", "disabled")}
        ca = (cloud.run_dir / "ca.pem").read_bytes()
    with run() as cloud:
        assert (cloud.run_dir / "ca.pem").read_bytes() == ca
        assert cloud.admin("GET", "/products")[0]["dynamic_registration"] is False
        for dn, old in before.items():
            new = cloud.device(dn)
            for key in (
                "device_secret",
                "status",
                "activated_at",
                "registration",
                "registrations",
                "clients",
            ):
                assert new[key] == old[key], (dn, key)
        assert "gone" not in [one["device_name"] for one in cloud.admin("GET", "/devices")]
        assert code(cloud, connect_packet()) == 4 and code(cloud, connect_packet(secret=secret)) == 0
        assert code(cloud, unit_packet(unit, dn="unit")) == 0
        assert code(cloud, connect_packet(dn="fresh", secret=fresh["device_secret"])) == 0
        assert code(cloud, connect_packet(dn="gone", secret="x" * 32)) == 4


def test_a_device_of_the_configuration_that_was_deleted_stays_deleted(run):
    with run() as cloud:
        cloud.admin("POST", f"/devices/{PK}/{DN}/delete")
    with run() as cloud:
        assert code(cloud, connect_packet()) == 4


def test_a_product_secret_that_was_made_up_is_kept(run):
    text = f'[[product]]\nproduct_key = "{PK}"\n'
    with run(text=text) as cloud:
        secret = cloud.admin("GET", "/products?secret=1")[0]["product_secret"]
    with run(text=text) as cloud:
        assert cloud.admin("GET", "/products?secret=1")[0]["product_secret"] == secret and len(secret) == 16


def test_a_kept_session_with_its_messages_survives(run):
    packet = connect_packet(clean_session=False)
    with run() as cloud:
        with cloud.mqtt() as client:
            client.online(packet)
            client.subscribe(GET)
            cloud.admin("POST", "/publish", {"topic": GET, "payload": "unacknowledged", "qos": 1})
            assert client.read().payload == b"unacknowledged"
    with run() as cloud:
        cloud.admin("POST", "/publish", {"topic": GET, "payload": "kept", "qos": 1})
    with run() as cloud, cloud.mqtt() as client:
        assert client.ask(packet) == Connack(0, True)
        assert [client.read().payload for _ in range(2)] == [b"unacknowledged", b"kept"]


@pytest.fixture
def process(tmp_path, certificates):
    with Cloud(settings(timing={"registration_seconds": 0.05}), tmp_path / "run", ca=certificates) as cloud:
        yield cloud


def open_tls(cloud, where, host):
    trust = ssl.create_default_context(cafile=cloud.ca_pem)
    return trust.wrap_socket(
        socket.create_connection(("127.0.0.1", cloud.ports[where]), 20), server_hostname=host
    )


def https_secret(cloud):
    connection = http.client.HTTPSConnection(AUTH_HOST)
    connection.sock = open_tls(cloud, "https", AUTH_HOST)
    connection.request(
        "POST", "/auth/register/device", "&".join(f"{key}={value}" for key, value in form().items())
    )
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["data"]["deviceSecret"]


def test_a_killed_cloud_has_forgotten_nothing_it_acknowledged(process):
    """Each round: an acknowledged registration, then a kill in the same moment."""
    ports = dict(process.ports)
    for kind in ("https", "register", "regnwl", "connect"):
        if kind == "https":
            secret = https_secret(process)
        elif kind in ("register", "regnwl"):
            with Client(open_tls(process, "mqtt_tls", HOST)) as client:
                issued, _ = registered(client, register_packet(kind, dn=DN if kind == "register" else "unit"))
                secret, unit = issued.get("deviceSecret", secret), issued
        else:
            with Client(open_tls(process, "mqtt_tls", HOST)) as client:
                client.online(connect_packet(secret=secret))
        process.kill()
        process.start()
        assert process.ports == ports
        device = process.device(PK, DN, secret=True)
        assert device["device_secret"] == secret != DS
        assert (device["activated_at"] is not None) == (kind == "connect")
        if kind == "regnwl":
            with Client(open_tls(process, "mqtt_tls", HOST)) as client:
                client.online(unit_packet(unit, dn="unit"))
    assert process.device(PK, "unit")["clients"][0]["activated_at"] is not None


def test_the_process_ends_in_good_order_and_takes_ready_json_with_it(process):
    ready = process.run_dir / "ready.json"
    assert json.loads(ready.read_text())["ports"] == process.ports
    process.stop()
    assert not ready.exists()
