"""Armed faults: exact to the byte, on TLS, TCP and HTTPS, as often as asked, and gone afterwards."""

import json
import socket
import ssl
import time

import pytest

from host_tests.support.cloud.client import (
    AUTH_HOST,
    DN,
    HOST,
    PK,
    WAIT,
    Closed,
    connect_packet,
    form,
    read_all,
    register_packet,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Connack, Publish

USER = f"/{PK}/{DN}/user/"
FORM = "&".join(f"{key}={value}" for key, value in form().items())
REQUEST = (
    f"POST /auth/register/device HTTP/1.1\r\nHost: {AUTH_HOST}\r\nConnection: close\r\n"
    f"Content-Length: {len(FORM)}\r\n\r\n{FORM}"
)


def mode(where):
    return "3" if where == "mqtt_tcp" else "2"


def answer_of(cloud, where):
    """All bytes of the plaintext that the cloud answers to one registration or CONNECT, until it ends."""
    with cloud.open(where, AUTH_HOST if where == "https" else HOST) as link:
        link.sendall(REQUEST.encode() if where == "https" else register_packet().encode())
        return read_all(link)


@pytest.mark.parametrize("where", ["https", "mqtt_tls"])
def test_a_registration_cut_at_every_byte(run, where):
    with run(timing={"registration_seconds": 0.05}) as cloud:
        whole = answer_of(cloud, where)
        assert len(whole) > 100
        step = 1 if where == "mqtt_tls" else 7
        for count in [*range(0, len(whole), step), len(whole) - 1]:
            cloud.arm(where, "register", "cut", bytes=count)
            got = answer_of(cloud, where)
            assert len(got) == count
            assert got[:30] == whole[:count][:30]
        assert len(answer_of(cloud, where)) == len(whole)


@pytest.mark.parametrize("where", ["mqtt_tls", "mqtt_tcp"])
@pytest.mark.parametrize("count", range(4))
def test_a_connack_cut_at_every_byte(run, where, count):
    with run() as cloud:
        cloud.arm(where, "connect", "cut", bytes=count)
        with cloud.open(where) as link:
            link.sendall(connect_packet(mode=mode(where)).encode())
            assert read_all(link) == bytes(Connack().encode())[:count]
        with cloud.mqtt(where) as client:
            client.online(connect_packet(mode=mode(where)))


@pytest.mark.parametrize("end, how", [("close", "fin"), ("reset", "reset")])
def test_how_a_cut_ends(run, end, how):
    with run() as cloud, cloud.mqtt("mqtt_tcp") as client:
        cloud.arm("mqtt_tcp", "connect", "cut", bytes=2, end=end)
        client.send(connect_packet(mode="3"))
        with pytest.raises(Closed, match=how):
            client.read()


def test_a_cut_may_leave_the_connection_open(run):
    with run() as cloud, cloud.mqtt("mqtt_tcp") as client:
        cloud.arm("mqtt_tcp", "connect", "cut", bytes=3, end="open")
        client.send(connect_packet(mode="3"))
        assert client.link.recv(10) == b"\x20\x02\x00"
        client.send(codec.Pingreq())
        assert client.silent()


def test_a_tls_cut_leaves_out_the_goodbye(run):
    with run() as cloud:
        cloud.arm("mqtt_tls", "connect", "cut", bytes=0)
        with cloud.open() as link:
            link.sendall(connect_packet().encode())
            with pytest.raises(ssl.SSLEOFError):
                link.recv(10)


@pytest.mark.parametrize("count", [0, 1, 5, 100, 1000])
def test_a_handshake_cut_after_n_bytes(run, count):
    with run() as cloud:
        cloud.arm("mqtt_tls", "handshake", "cut", bytes=count)
        with socket.create_connection(("127.0.0.1", cloud.ports["mqtt_tls"]), WAIT) as link:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = cloud.trust.wrap_bio(incoming, outgoing, server_hostname=HOST)
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            link.sendall(outgoing.read())
            assert len(read_all(link)) == count
        with cloud.mqtt() as client:
            client.online(connect_packet())


@pytest.mark.parametrize("where", ["mqtt_tls", "https"])
def test_a_handshake_may_be_slow_and_still_end_well(run, where):
    with run() as cloud:
        cloud.arm(where, "handshake", "trickle", ms=1, bytes=100)
        cloud.arm(where, "accept", "delay", ms=50)
        if where == "https":
            assert cloud.https(form())[1]["code"] == 200
        else:
            with cloud.mqtt() as client:
                client.online(connect_packet())


@pytest.mark.parametrize("where", ["mqtt_tls", "mqtt_tcp", "https"])
@pytest.mark.parametrize("kind", ["close", "reset", "half_open"])
def test_a_connection_that_ends_before_it_began(run, where, kind):
    with run() as cloud:
        cloud.arm(where, "accept", kind)
        with pytest.raises({"close": EOFError, "reset": ConnectionError, "half_open": TimeoutError}[kind]):
            with socket.create_connection(("127.0.0.1", cloud.ports[where]), WAIT) as link:
                link.settimeout(0.3 if kind == "half_open" else WAIT)
                link.send(b"\x16\x03\x01")
                if not link.recv(10):
                    raise EOFError
        assert [entry["kind"] for entry in cloud.log(event="fault")] == [kind]


@pytest.mark.parametrize("kind", ["close", "reset", "half_open"])
def test_a_handshake_that_is_never_answered(run, kind):
    with run() as cloud:
        cloud.arm("mqtt_tls", "handshake", kind)
        plain = socket.create_connection(("127.0.0.1", cloud.ports["mqtt_tls"]), WAIT)
        plain.settimeout(0.3 if kind == "half_open" else WAIT)
        with plain, pytest.raises((TimeoutError, ConnectionError, ssl.SSLError)):
            cloud.trust.wrap_socket(plain, server_hostname=HOST)


@pytest.mark.parametrize("processed", [True, False])
@pytest.mark.parametrize("kind", ["close", "reset", "half_open", "silent"])
def test_an_answer_that_never_comes_and_whether_the_request_took_effect(run, kind, processed):
    with run() as cloud:
        for where, stage, packet in (
            ("mqtt_tls", "register", register_packet()),
            ("mqtt_tls", "connect", None),
        ):
            before = cloud.device()
            cloud.arm(where, stage, kind, processed=processed)
            with cloud.mqtt() as client:
                client.send(packet or connect_packet(secret=before["device_secret"]))
                if kind in ("close", "reset"):  # Python's TLS tells an RST as an end without goodbye
                    assert client.closed() == ("goodbye" if kind == "close" else "fin")
                else:
                    assert client.silent()
                after = cloud.device()
            field = "device_secret" if stage == "register" else "activated_at"
            assert (after[field] != before[field]) == processed


@pytest.mark.parametrize("processed", [True, False])
def test_an_https_answer_that_never_comes(run, processed):
    with run() as cloud:
        for kind in ("close", "reset"):
            before = cloud.device()["device_secret"]
            cloud.arm("https", "register", kind, processed=processed)
            assert answer_of(cloud, "https") == b""
            assert (cloud.device()["device_secret"] != before) == processed
        for kind in ("half_open", "silent"):
            cloud.arm("https", "register", kind, processed=processed)
            with cloud.open("https", AUTH_HOST) as link:
                link.sendall(REQUEST.encode())
                link.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    link.recv(1)


def test_a_half_open_connection_stays_half_open_when_its_twin_comes(run):
    with run() as cloud, cloud.mqtt("mqtt_tcp") as first, cloud.mqtt("mqtt_tcp") as second:
        first.online(connect_packet(mode="3"))
        cloud.arm("mqtt_tcp", "ping", "half_open")
        first.send(codec.Pingreq())
        second.online(connect_packet(mode="3"))
        assert first.silent()
        second.nothing()


def test_a_delay_holds_the_answer_and_keeps_the_order(run):
    with run() as cloud, cloud.mqtt() as client:
        cloud.arm("mqtt_tls", "connect", "delay", ms=250)
        start = time.monotonic()
        client.send(connect_packet(), codec.Pingreq())
        assert client.read() == Connack()
        assert time.monotonic() - start >= 0.24
        assert client.read() == codec.Pingresp()


def test_a_refusal_behind_a_delay_arrives_before_the_end(run):
    with run() as cloud, cloud.mqtt() as client:
        cloud.arm("mqtt_tls", "connect", "delay", ms=50)
        assert client.login(connect_packet(secret="f" * 32)) == 4
        assert client.closed() == "goodbye"


def test_a_trickle_gives_every_byte_one_by_one(run):
    with run() as cloud, cloud.mqtt("mqtt_tcp") as client:
        cloud.arm("mqtt_tcp", "connect", "trickle", ms=20)
        client.send(connect_packet(mode="3"))
        pieces = [client.link.recv(100) for _ in range(4)]
        assert pieces == [bytes([byte]) for byte in Connack().encode()]
        client.send(codec.Pingreq())
        assert [client.link.recv(100), client.link.recv(100)] == [b"\xd0", b"\x00"]


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
