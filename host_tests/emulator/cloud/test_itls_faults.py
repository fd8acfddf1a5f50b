"""Framings, alerts, ends and delays at each stage of iTLS, over the real port."""

import time

import pytest

from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.client import Client
from host_tests.support.cloud.itls import (
    ALERT,
    BLANK,
    DATA,
    HANDSHAKE,
    ID2,
    KEY,
    PK,
    Device,
    Refused,
    arm,
    connect_packet,
    stages,
    wire,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.itls import faults


@pytest.mark.parametrize(
    "stage, what", [(stage, what) for stage in faults.SPOILS for what in faults.framings(stage)]
)
def test_framings_carry_the_right_answer(armed, stage, what):
    arm(armed, stage, "framing", what=what)
    device = Device(id2=BLANK if stage == "provision" else ID2)
    one = Joining(wire(armed, device))
    if stage == "provision":
        device.take_issue(one.ask(device.hello(itls.issue_request())))
    device.take_challenge(one.ask(device.hello()))
    device.take_server_hello(one.ask(device.hello(device.code())))
    proof = one.ask(device.finished())
    assert proof == device.proof()
    one.wire.sendall(connect_packet().encode())
    assert one.data(4) == b"\x20\x02\0\0"
    one.wire.close()


class Joining:
    """A wire that puts handshake messages together, ignores warnings, and opens what is protected."""

    def __init__(self, wire):
        self.wire = wire

    def next(self):
        kind, body = self.wire.record()
        device = self.wire.device
        if device.reading and len(body) >= 64:
            body = device.reading.open(kind, body)
        return kind, body

    def ask(self, data):
        self.wire.socket.sendall(data)
        return self.collect(
            HANDSHAKE, lambda found: len(found) >= 4 and len(found) >= 4 + int.from_bytes(found[1:4], "big")
        )

    def data(self, size):
        return self.collect(DATA, lambda found: len(found) >= size)

    def collect(self, wanted, enough):
        found = b""
        while not enough(found):
            kind, body = self.next()
            assert kind == wanted or (kind, body[:1]) == (ALERT, b"\x01")
            found += body if kind == wanted else b""
        return found


def test_two_records_in_one_segment(armed):
    """The first is held back until the second goes out, or for so many milliseconds."""
    topic = f"/{PK}/device-01/user/a"
    with Client(wire(armed).handshake()) as one:
        one.online(connect_packet())
        one.subscribe(topic)
        arm(armed, "record", "together", ms=60_000)
        armed.admin("POST", "/publish", {"topic": topic, "payload": "first"})
        assert one.silent(0.2)
        armed.admin("POST", "/publish", {"topic": topic, "payload": "second"})
        assert one.read().payload == b"first" and one.link.buffer
        assert one.read().payload == b"second"
        arm(armed, "record", "together", ms=100)
        armed.admin("POST", "/publish", {"topic": topic, "payload": "third"})
        assert one.read().payload == b"third"


# ---- alerts and ends at every step


@pytest.mark.parametrize("code", [40, *range(160, 179)])
def test_any_alert_in_place_of_the_challenge(armed, code):
    arm(armed, "challenge", "alert", code=code)
    with pytest.raises(Refused, match=str(code)):
        wire(armed).prove()


@pytest.mark.parametrize("stage", ["provision", "challenge", "server_hello", "finished", "record"])
def test_an_alert_at_every_step(armed, stage):
    """A fatal one and the end; a warning and the answer; a goodbye in its place."""
    for level, code, then in ((2, 160, "close"), (1, 90, "answer"), (1, 0, "close"), (2, 173, "nothing")):
        arm(armed, stage, "alert", level=level, code=code, then=then)
        one = wire(armed, Device(id2=BLANK) if stage == "provision" else None)
        kind, body = None, b""
        if stage in ("finished", "record"):
            stages(armed, one, "finished")
        else:
            device = one.device
            if stage == "server_hello":
                device.take_challenge(one.ask(device.hello()))
                one.socket.sendall(device.hello(device.code()))
            else:
                one.socket.sendall(device.hello(itls.issue_request() if stage == "provision" else b""))
        if stage == "record":
            one.device.take_finished(one.expect(HANDSHAKE))
            one.sendall(connect_packet().encode())
        kind, body = one.record()
        assert kind == ALERT and (body if len(body) == 2 else one.device.reading.open(ALERT, body)) == bytes(
            (level, code)
        )
        assert len(body) == 2 or stage == "record"
        if then == "close":
            assert one.record() is None
        elif then == "answer":
            assert one.record()[0] == (DATA if stage == "record" else HANDSHAKE)
        else:
            one.socket.settimeout(0.2)
            with pytest.raises(TimeoutError):
                one.socket.recv(1)
        one.close()


@pytest.mark.parametrize("stage", ["provision", "challenge", "server_hello", "finished"])
@pytest.mark.parametrize("kind", ["close", "reset", "silent", "half_open", "cut", "delay", "trickle"])
def test_ends_and_shapes_at_every_step_of_the_handshake(armed, stage, kind):
    parameters = {"cut": {"bytes": 7}, "delay": {"ms": 50}, "trickle": {"ms": 0}}.get(kind, {})
    arm(armed, stage, kind, **parameters)
    device = Device(id2=BLANK if stage == "provision" else ID2)
    one = wire(armed, device)
    one.socket.settimeout(0.2 if kind in ("silent", "half_open") else harness.WAIT)
    if kind in ("delay", "trickle"):
        started = time.monotonic()
        if stage == "provision":
            device.take_issue(stages(armed, one, stage))
        one.handshake()
        assert kind == "trickle" or time.monotonic() - started > 0.04
    elif kind in ("silent", "half_open"):
        with pytest.raises(TimeoutError):
            stages(armed, one, stage)
            one.record()
    else:
        with pytest.raises(Refused):
            stages(armed, one, stage)
            one.expect(HANDSHAKE)
        assert len(one.buffer) == (7 if kind == "cut" else 0)
    one.close()


@pytest.mark.parametrize("processed", [True, False])
def test_whether_a_lost_answer_has_had_its_effect(armed, processed):
    """An identity is issued and an authentication counts, or not."""
    before = len(armed.admin("GET", "/identities"))
    count = armed.admin("GET", f"/identities/{ID2}")["authentications_today"]
    arm(armed, "provision", "close", processed=processed)
    with pytest.raises(Refused):
        stages(armed, wire(armed, Device(id2=BLANK)), "provision")
    arm(armed, "server_hello", "reset", processed=processed)
    with pytest.raises(Refused):
        stages(armed, wire(armed), "server_hello")
    assert len(armed.admin("GET", "/identities")) == before + processed
    assert armed.admin("GET", f"/identities/{ID2}")["authentications_today"] == count + processed


def test_a_fault_of_one_device(armed):
    arm(armed, "challenge", "alert", pk="a1OTHERpk01")
    arm(armed, "connect", "refuse", code=5, dn="device-02")
    one = wire(armed).handshake()
    assert Client(one).login(connect_packet(dn="device-02")) == 5
    assert Client(wire(armed).handshake()).login(connect_packet(dn="device-01")) == 0
    armed.admin("DELETE", "/faults")


def test_faults_of_mqtt_strike_inside_itls_too(armed):
    arm(armed, "connect", "cut", bytes=2)
    one = Client(wire(armed).handshake())
    one.send(connect_packet())
    assert one.closed() == "reset" and one.link.alert is None  # the end comes without a goodbye
    with Client(wire(armed).handshake()) as one:
        one.online(connect_packet())
        arm(armed, "ping", "silent")
        one.send(codec.Pingreq())
        one.nothing()


@pytest.mark.parametrize(
    "fault, message",
    [
        ({"when": "challenge", "kind": "spoil"}, "what: None is not one of short_challenge"),
        ({"when": "challenge", "kind": "spoil", "what": "old"}, "what: 'old' is not one of short_challenge"),
        ({"when": "challenge", "kind": "framing", "what": "long_padding"}, "is not one of two_records"),
        ({"when": "finished", "kind": "together"}, "kind: 'together' is not one of"),
        ({"when": "record", "kind": "alert", "level": 3}, "level: 3 is not a whole number from 1 to 2"),
        ({"when": "record", "kind": "alert", "then": "x"}, "then: 'x' is not one of close, answer, nothing"),
        ({"when": "handshake", "kind": "certificate"}, "kind: 'certificate' is not one of"),
    ],
)
def test_faults_that_cannot_be_armed(armed, fault, message):
    assert message in armed.admin("POST", "/faults", {"where": "itls", **fault}, 400)["error"]


def test_a_certificate_fault_is_for_tls_only(armed):
    for where in ("mqtt_tls", "x509", "https"):
        armed.arm(where, "handshake", "certificate")
    armed.admin("DELETE", "/faults")


def test_the_key_of_the_vectors_is_nowhere_in_what_was_logged(armed):
    assert KEY not in str(armed.log())
