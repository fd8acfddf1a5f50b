"""Armed faults of answers: refused, spoiled or never sent, as often as asked, and gone afterwards."""

import json
import ssl

import pytest

from host_tests.support.cloud.client import (
    AUTH_HOST,
    DN,
    FORM,
    HOST,
    PK,
    REQUEST,
    connect_packet,
    form,
    register_packet,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Publish

USER = f"/{PK}/{DN}/user/"


@pytest.mark.parametrize(
    "stage, packet, answers",
    [
        ("subscribe", codec.Subscribe(1, ((USER + "a", 0),)), 1),
        ("publish", Publish(USER + "b", b"x", 1, 2), 1),
        ("ping", codec.Pingreq(), 1),
        ("reply", Publish(f"/ext/ntp/{PK}/{DN}/request", b"{}"), 1),
        ("deliver", Publish(USER + "own", b"x"), 1),
    ],
)
def test_each_stage_of_a_session_can_fail_once(run, stage, packet, answers):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        client.subscribe(USER + "own", f"/ext/ntp/{PK}/{DN}/response")
        cloud.arm("mqtt_tls", stage, "silent")
        client.send(packet)
        if stage == "ping":
            assert client.silent()
        else:
            client.nothing()
        client.send(packet)
        assert client.read()


def test_subscriptions_can_be_refused(run):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        cloud.arm("mqtt_tls", "subscribe", "refuse")
        assert client.subscribe(USER + "a", USER + "b") == (0x80, 0x80)
        assert client.subscribe(USER + "a", USER + "b") == (0, 0)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 255])
def test_every_connack_code(run, code):
    with run() as cloud:
        for stage, packet in (("connect", connect_packet()), ("register", register_packet())):
            cloud.arm("mqtt_tls", stage, "refuse", code=code)
            with cloud.mqtt() as client:
                assert client.login(packet) == code
                assert client.closed() == "goodbye"
        assert cloud.device()["status"] == "inactive" and cloud.device()["registrations"] == 0


@pytest.mark.parametrize("code, status", [(429, 200), (500, 500), (6289, 200), (123456, 403)])
def test_every_registration_code(run, code, status):
    with run() as cloud:
        cloud.arm("https", "register", "refuse", code=code, status=status)
        assert cloud.https(form())[0] == status
        cloud.arm("https", "register", "refuse", code=code, message="Gibt's nicht")
        assert cloud.https(form())[1] == {"code": code, "message": "Gibt's nicht"}
        assert cloud.https(form())[1]["code"] == 200


def test_a_page_instead_of_json(run):
    with run() as cloud:
        cloud.arm("https", "register", "status", status=502, body="<p>bad gateway")
        status, head, body = cloud.https_raw(REQUEST)
        assert (status, body) == (502, b"<p>bad gateway") and "Content-Type: text/html" in head


def test_an_answer_in_chunks(run):
    import http.client

    with run() as cloud:
        cloud.arm("https", "register", "chunked")
        connection = http.client.HTTPSConnection(AUTH_HOST, context=cloud.trust)
        connection.sock = cloud.open("https", AUTH_HOST)
        connection.request("POST", "/auth/register/device", FORM)
        response = connection.getresponse()
        assert (
            response.headers["Transfer-Encoding"] == "chunked" and response.headers["Content-Length"] is None
        )
        assert json.loads(response.read())["code"] == 200
        connection.close()


@pytest.mark.parametrize(
    "where, stage", [("https", "register"), ("mqtt_tls", "register"), ("mqtt_tls", "push")]
)
def test_spoiled_results(run, where, stage):
    def payload():
        if where == "https":
            return cloud.https_raw(REQUEST)[2]
        with cloud.mqtt() as client:
            return registered_raw(client)

    def data(answer):
        return answer["data"] if where == "https" else answer

    with run() as cloud:
        cloud.arm(where, stage, "wrong_json")
        with pytest.raises(ValueError):
            json.loads(payload())
        cloud.arm(where, stage, "wrong_json", body='{"code":200}')
        assert payload() == b'{"code":200}'
        cloud.arm(where, stage, "wrong_device")
        assert data(json.loads(payload()))["deviceName"] == "somebody_else"
        cloud.arm(where, stage, "wrong_device", device_name="dev_9999")
        assert data(json.loads(payload()))["deviceName"] == "dev_9999"
        cloud.arm(where, stage, "oversize", bytes=100_000)
        assert len(payload()) > 100_000
        assert data(json.loads(payload()))["deviceName"] == DN


def registered_raw(client):
    assert client.login(register_packet()) == 0
    return client.read().payload


def test_a_push_that_never_comes(run):
    with run() as cloud, cloud.mqtt() as client:
        cloud.arm("mqtt_tls", "push", "silent")
        assert client.login(register_packet()) == 0
        client.nothing()


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("wrong_host", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("untrusted", "self-signed certificate|unable to get local"),
    ],
)
def test_certificates_that_a_client_must_refuse(run, kind, reason):
    with run() as cloud:
        for where, host in (("mqtt_tls", HOST), ("https", AUTH_HOST)):
            cloud.arm(where, "handshake", "certificate", certificate=kind)
            with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                cloud.open(where, host)
            cloud.open(where, host).close()


def test_how_often_for_whom_and_after_how_many(run):
    other = {"device_name": "dev_0002", "device_secret": "s" * 32}
    with run(device=[{"device_name": DN}, other]) as cloud:

        def code(dn=DN, secret=None):
            with cloud.mqtt() as client:
                return client.login(connect_packet(dn=dn, secret=secret or cloud.device(dn)["device_secret"]))

        cloud.arm("mqtt_tls", "connect", "refuse", code=3, times=2, after=1, dn=DN)
        assert [code("dev_0002"), code(), code(), code("dev_0002"), code(), code()] == [0, 0, 3, 0, 3, 0]
        cloud.arm("mqtt_tls", "connect", "refuse", code=5, times=None, pk=PK)
        assert [code() for _ in range(3)] == [5] * 3
        assert cloud.admin("GET", "/faults")[0]["times"] is None
        cloud.admin("DELETE", "/faults")
        assert code() == 0 and cloud.admin("GET", "/faults") == []


def test_several_faults_strike_in_the_order_they_were_armed(run):
    with run() as cloud:
        cloud.admin(
            "POST",
            "/faults",
            [{"where": "mqtt_tls", "when": "connect", "kind": "refuse", "code": code} for code in (3, 5)],
        )
        for code in (3, 5, 0):
            with cloud.mqtt() as client:
                assert client.login(connect_packet()) == code


@pytest.mark.parametrize(
    "fault, error",
    [
        ([1], "a fault is a JSON object"),
        ({}, "where: None is not one of mqtt_tls, mqtt_tcp, itls, x509, https, ntp"),
        ({"where": "admin"}, "where: 'admin' is not one of mqtt_tls, mqtt_tcp, itls, x509, https, ntp"),
        ({"where": "ntp", "when": "connect"}, "when: 'connect' is not one of request"),
        (
            {"where": "mqtt_tcp", "when": "handshake"},
            "when: 'handshake' is not one of accept, connect, register, push, "
            "subscribe, publish, ping, reply, deliver, sub_register, sub_unregister, proxy_register, "
            "topo_add, topo_delete, topo_get, list_found, pack_post, sub_login, sub_batch_login, sub_logout, "
            "sub_batch_logout",
        ),
        (
            {"where": "https", "when": "accept", "kind": "refuse"},
            "kind: 'refuse' is not one of delay, close, reset, half_open",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "status"},
            "kind: 'status' is not one of refuse, delay, trickle, cut, close, reset, half_open, silent",
        ),
        (
            {"where": "ntp", "when": "request", "kind": "trickle"},
            "kind: 'trickle' is not one of delay, cut, silent, wrong_year, kiss",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "cut", "bytes": -1},
            "bytes: -1 is not a whole number from 0 to 2147483648",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "cut", "end": "bang"},
            "end: 'bang' is not one of close, reset, open",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "close", "processed": 1},
            "processed: 1 is not a bool",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "close", "times": 0},
            "times: 0 is not a whole number from 1 to 2147483648",
        ),
        (
            {"where": "mqtt_tls", "when": "connect", "kind": "close", "ms": 5},
            "ms: not known for kind close; it takes processed, times, after, pk, dn",
        ),
    ],
)
def test_a_fault_that_cannot_be_armed(cloud, fault, error):
    answer = cloud.admin("POST", "/faults", fault, status=400)
    assert answer["error"] == f"bad request: {error}"
    assert cloud.admin("GET", "/faults") == []
