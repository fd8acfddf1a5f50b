"""Faults of the answers of a centre."""

import json

import pytest

from host_tests.support.cloud.centres import (
    AUTH,
    BOOTSTRAP,
    FRANKFURT,
    auth_form,
    auth_host,
    bootstrap_form,
    code,
    data,
    login,
    mqtt_host,
    post,
    token_packet,
)
from host_tests.support.cloud.client import DN, PK, read_all
from tools.emulator.cloud import codec

STAGES = [("auth", AUTH, auth_form()), ("bootstrap", BOOTSTRAP, bootstrap_form())]


@pytest.mark.parametrize("when, path, fields", STAGES)
def test_faults_of_the_answer(centres, when, path, fields):
    with centres() as cloud:

        def arm(kind, **parameters):
            cloud.arm("https", when, kind, **parameters)

        arm("refuse")
        assert post(cloud, path, fields) == (200, {"code": 500, "message": "internal error"})
        arm("refuse", code=429, status=503, message="slow down")
        assert post(cloud, path, fields) == (503, {"code": 429, "message": "slow down"})
        arm("status", status=502, body="<html>")
        assert raw(cloud, path, fields).endswith(b"<html>")
        arm("foreign_host")
        assert data(cloud, path, fields)["resources"] == {"mqtt": {"host": "mqtt.example.com", "port": 1883}}
        arm("foreign_host", host="iot-as-mqtt.eu-central-1.aliyuncs.com.example")
        assert data(cloud, path, fields)["resources"]["mqtt"]["host"].endswith(".example")
        arm("oversize", bytes=70_000)
        assert len(json.dumps(post(cloud, path, fields)[1])) > 70_000
        arm("wrong_json")
        with pytest.raises(ValueError):
            post(cloud, path, fields)
        arm("wrong_json", body='{"code":200}')
        assert post(cloud, path, fields) == (200, {"code": 200})
        arm("chunked")
        assert b"Transfer-Encoding: chunked" in raw(cloud, path, fields)
        arm("delay", ms=1)
        arm("trickle", ms=1, bytes=50)
        for _ in range(3):
            assert code(cloud, path, fields) == 200
        assert cloud.admin("GET", "/faults") == []


def raw(cloud, path, fields):
    """All that comes back, head and body, however it ends."""
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    with cloud.open("https", auth_host(FRANKFURT)) as link:
        link.sendall(
            (
                f"POST {path} HTTP/1.1\r\nHost: {auth_host(FRANKFURT)}\r\nConnection: close\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}"
            ).encode()
        )
        return read_all(link)


@pytest.mark.parametrize("when, path, fields", STAGES)
def test_an_answer_cut_anywhere(centres, when, path, fields):
    with centres() as cloud:
        whole = raw(cloud, path, fields)
        for count in [*range(0, len(whole), 31), len(whole) - 1]:
            cloud.arm("https", when, "cut", bytes=count)
            assert len(raw(cloud, path, fields)) == count
        for kind in ("close", "reset", "silent") if when == "auth" else ("close",):
            for processed in (True, False):
                before = cloud.device()["iot_tokens"]
                cloud.arm("https", when, kind, processed=processed, pk=PK, dn=DN)
                if kind != "silent":
                    assert raw(cloud, path, fields) == b""
                else:
                    silent(cloud, path, fields)
                took = cloud.device()["iot_tokens"] != before
                assert took == (processed and when == "auth")
        assert len(raw(cloud, path, fields)) == len(whole)


def silent(cloud, path, fields):
    """Sends a request whose answer never comes, and waits until the cloud has dealt with it."""
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    with cloud.open("https", auth_host(FRANKFURT)) as link:
        link.sendall(
            (
                f"POST {path} HTTP/1.1\r\nHost: {auth_host(FRANKFURT)}\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}"
            ).encode()
        )
        while cloud.admin("GET", "/faults"):
            pass
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv(1)


def test_faults_strike_the_device_that_they_name(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        cloud.arm("https", "auth", "refuse", dn="another")
        assert code(cloud, AUTH, auth_form(dn="another")) == 500
        cloud.arm("mqtt_tls", "connect", "refuse", code=5, pk=PK, dn=DN)
        assert login(cloud, token_packet(given | {"iotId": "unknown"})) == 3
        assert login(cloud, token_packet(given)) == 5
        given = data(cloud, AUTH, auth_form())
        cloud.arm("mqtt_tls", "connect", "cut", bytes=2, pk=PK, dn=DN)
        with cloud.mqtt(host=mqtt_host(FRANKFURT)) as client:
            client.send(token_packet(given))
            assert client.closed() == "fin"
        assert login(cloud, token_packet(given)) == 0


def test_a_registration_has_no_foreign_host(three):
    for where, when in (("https", "register"), ("mqtt_tls", "connect")):
        three.admin("POST", "/faults", {"where": where, "when": when, "kind": "foreign_host"}, status=400)
    three.admin("POST", "/faults", {"where": "mqtt_tls", "when": "auth", "kind": "delay"}, status=400)


def test_a_will_and_an_old_protocol_are_the_same_here(centres):
    with centres(switches={"will": 5}) as cloud:
        given = data(cloud, AUTH, auth_form())
        assert login(cloud, token_packet(given, protocol="MQIsdp", level=3)) == 0
        assert login(cloud, token_packet(given, will=codec.Will("t", b"x"))) == 5
