"""Cuts, slow and half-open connections: exact to the byte, on TLS, TCP and HTTPS."""

import socket
import ssl
import time

import pytest

from host_tests.support.cloud.client import (
    AUTH_HOST,
    HOST,
    REQUEST,
    WAIT,
    Closed,
    connect_packet,
    form,
    read_all,
    register_packet,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Connack


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
