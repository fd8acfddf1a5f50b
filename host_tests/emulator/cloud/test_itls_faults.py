"""What can be armed at the stages of iTLS: what a device then gets to see, over the real port."""

import base64
import time

import pytest

from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.client import Client
from host_tests.support.cloud.itls import (
    ALERT,
    CHALLENGE,
    CODE,
    DATA,
    FRAGMENT,
    HANDSHAKE,
    ID2,
    ISSUED,
    KEY,
    PK,
    PREMASTER,
    Device,
    Refused,
    connect_packet,
    ecb,
    extensions_of,
    settings,
    unpad,
    wire,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.itls import faults

BLANK = "F" * 48


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, certificates):
    chosen = settings({"id2_fingerprint_again": "fresh", "id2_binding": "free"})
    with harness.Running(chosen, tmp_path_factory.mktemp("faults"), certificates) as running:
        yield running


@pytest.fixture(autouse=True)
def no_fault_is_left(cloud):
    yield
    assert cloud.admin("GET", "/faults") == []


def arm(cloud, when, kind, **parameters):
    cloud.arm("itls", when, kind, **parameters)


def stages(cloud, one, until):
    """Goes through the handshake, up to the answer of stage `until`; that answer, taken off its record."""
    device = one.device
    if until == "provision":
        return one.ask(device.hello(itls.issue_request()))
    answer = one.ask(device.hello())
    if until == "challenge":
        return answer
    device.take_challenge(answer)
    answer = one.ask(device.hello(device.code()))
    if until == "server_hello":
        return answer
    device.take_server_hello(answer)
    one.socket.sendall(device.finished())
    return None


# ---- HelloVerifyRequest


def verify(cloud, stage, what):
    """(version, extensions, rest) of a HelloVerifyRequest that was spoiled."""
    arm(cloud, stage, "spoil", what=what)
    one = wire(cloud, Device(id2=BLANK) if stage == "provision" else None)
    body = stages(cloud, one, stage)
    size = int.from_bytes(body[1:4], "big")
    one.close()
    return body[4:6], extensions_of(body[6 : 4 + size]), body[4 + size :]


RESPONSE = 89
VERIFIES = {
    ("challenge", "short_challenge"): lambda found: [len(value) for _, value in found] == [31],
    ("challenge", "long_challenge"): lambda found: [len(value) for _, value in found] == [33],
    ("challenge", "empty_challenge"): lambda found: found == [(CHALLENGE, b"")],
    ("challenge", "tilde_challenge"): lambda found: b"~" in found[0][1] and len(found[0][1]) == 32,
    ("challenge", "binary_challenge"): lambda found: not found[0][1].isascii() and len(found[0][1]) == 32,
    ("challenge", "no_challenge"): lambda found: found == [],
    ("challenge", "two_challenges"): lambda found: [number for number, _ in found] == [CHALLENGE] * 2,
    ("challenge", "unknown_extension"): lambda found: [number for number, _ in found] == [CHALLENGE, 0x2FFF],
    ("challenge", "with_provisioning"): lambda found: [number for number, _ in found] == [ISSUED, CHALLENGE],
    ("challenge", "provisioning"): lambda found: [number for number, _ in found] == [ISSUED],
    ("provision", "no_response"): lambda found: found == [],
    ("provision", "empty_response"): lambda found: found == [(ISSUED, b"")],
    ("provision", "short_response"): lambda found: [len(value) for _, value in found] == [RESPONSE - 1],
    ("provision", "long_response"): lambda found: [len(value) for _, value in found] == [RESPONSE + 1],
    ("provision", "key_type"): lambda found: found[0][1][0] == 0,
    ("provision", "wrong_id"): lambda found: not opens(found[0][1]),
    ("provision", "wrong_key"): lambda found: not opens(found[0][1]),
    ("provision", "wrong_padding"): lambda found: not opens(found[0][1]),
    ("provision", "two_responses"): lambda found: [number for number, _ in found] == [ISSUED] * 2,
    ("provision", "with_challenge"): lambda found: [number for number, _ in found] == [ISSUED, CHALLENGE],
    ("provision", "unknown_extension"): lambda found: [number for number, _ in found] == [ISSUED, 0x2FFF],
}
WHOLE = {
    ("provision", "twice"),
    *(("challenge", what) for what in ("version", "cookie", "trailing", "twice")),
}


def opens(response):
    """Whether a careful device takes a response."""
    try:
        key = unpad(ecb(bytes(16), response[25:-32], "decryptor"))
        return unpad(ecb(key, response[-32:], "decryptor")) == response[1:25] and response[0] == 1
    except (AssertionError, ValueError):
        return False


@pytest.mark.parametrize("stage, what", VERIFIES)
def test_hello_verify_requests_that_are_spoiled(cloud, stage, what):
    version, found, rest = verify(cloud, stage, what)
    assert version == b"\x03\x03" and rest == b"" and VERIFIES[stage, what](found)


def test_hello_verify_requests_that_are_no_such_message(cloud):
    assert verify(cloud, "challenge", "version")[0] == b"\x03\x01"
    assert verify(cloud, "challenge", "twice")[2][:1] == b"\x03" == verify(cloud, "provision", "twice")[2][:1]
    for what, at in (("cookie", 6), ("trailing", -1)):
        arm(cloud, "challenge", "spoil", what=what)
        body = stages(cloud, wire(cloud), "challenge")
        assert int.from_bytes(body[1:4], "big") == len(body) - 4 == (43 if what == "cookie" else 39)
        assert body[at] == (4 if what == "cookie" else 0)


# ---- ServerHello


def greeting(cloud, what, device=None):
    arm(cloud, "server_hello", "spoil", what=what)
    one = wire(cloud, device)
    body = stages(cloud, one, "server_hello")
    at = 39 + body[38]
    one.close()
    return one.device, body, at, extensions_of(body[at + 5 :])


def numbers(found):
    return [number for number, _ in found]


def plain(device, value):
    return ecb(device.key, value, "decryptor")


HELLOS = {
    "no_server_code": lambda device, found: numbers(found) == [FRAGMENT, PREMASTER],
    "wrong_server_code": lambda device, found: dict(found)[CODE] == device.server_code()[:-3] + b"AAA",
    "plain_id_server_code": lambda device, found: (
        dict(found)[CODE].rsplit(b"~")[-1]
        == base64.b64encode(itls.sign(device.key, ID2 + device.random.hex().upper()))
    ),
    "other_challenge_server_code": lambda device, found: (
        dict(found)[CODE][5:69] != device.random.hex().upper().encode() and len(dict(found)[CODE]) == 134
    ),
    "two_server_codes": lambda device, found: numbers(found) == [FRAGMENT, CODE, PREMASTER, CODE],
    "no_premaster": lambda device, found: numbers(found) == [FRAGMENT, CODE],
    "two_premasters": lambda device, found: numbers(found) == [FRAGMENT, CODE, PREMASTER, PREMASTER],
    "short_premaster": lambda device, found: len(dict(found)[PREMASTER]) == 32,
    "long_premaster": lambda device, found: len(dict(found)[PREMASTER]) == 112,
    "empty_premaster": lambda device, found: plain(device, dict(found)[PREMASTER]) == b"\x10" * 16,
    "known_premaster": lambda device, found: all(
        dict(found)[PREMASTER][at : at + 16] in seen(device) for at in range(0, 64, 16)
    ),
    "premaster_padding": lambda device, found: (
        plain(device, dict(found)[PREMASTER])[48:] == bytes(15) + b"\x10"
    ),
    "premaster_key": lambda device, found: plain(device, dict(found)[PREMASTER])[48:] != b"\x10" * 16,
    "other_fragment": lambda device, found: dict(found)[FRAGMENT] == b"\x01",
    "two_fragments": lambda device, found: numbers(found).count(FRAGMENT) == 2,
    "renegotiation_info": lambda device, found: found[0] == (0xFF01, b"\0"),
    "unknown_extension": lambda device, found: found[0] == (0x2FFF, b"unknown"),
    "session_ticket": lambda device, found: found[0] == (0x23, b""),
}
BODIES = {
    "suite_not_offered": lambda body, at: int.from_bytes(body[at : at + 2], "big") not in Device().suites,
    "version": lambda body, at: body[4:6] == b"\x03\x02",
    "compression": lambda body, at: body[at + 2] == 1,
    "long_session_id": lambda body, at: body[38] == 33,
    "extensions_too_short": lambda body, at: (
        int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 6
    ),
    "extensions_too_long": lambda body, at: (
        int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 4
    ),
    "trailing": lambda body, at: (
        body[-2:] == b"\0\0" and int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 7
    ),
}


def seen(device):
    """The blocks that stand in both codes."""
    both = [base64.b64decode(code.rsplit(b"~")[-1]) for code in (device.code(), device.server_code())]
    return [one[at : at + 16] for one in both for at in range(0, 48, 16)]


@pytest.mark.parametrize("what", HELLOS)
def test_server_hellos_with_spoiled_extensions(cloud, what):
    device, body, at, found = greeting(cloud, what)
    assert HELLOS[what](device, found)
    assert int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 5


@pytest.mark.parametrize("what", BODIES)
def test_server_hellos_with_a_spoiled_body(cloud, what):
    _, body, at, _ = greeting(cloud, what)
    assert int.from_bytes(body[1:4], "big") == len(body) - 4 and BODIES[what](body, at)


def test_the_server_hello_of_the_connection_before(cloud):
    device = Device()
    one = wire(cloud, device)
    before = stages(cloud, one, "server_hello")
    one.close()
    assert greeting(cloud, "old")[1] == before


@pytest.mark.parametrize(
    "what, premaster",
    [
        ("no_premaster", b""),
        ("empty_premaster", b""),
        ("known_premaster", None),
        ("short_premaster", None),
        ("long_premaster", None),
        ("no_server_code", None),
        ("wrong_server_code", None),
        ("renegotiation_info", None),
    ],
)
def test_a_device_that_does_not_look_gets_through(cloud, what, premaster):
    """So that one which refuses has refused by itself: the keys fit what was sent."""
    arm(cloud, "server_hello", "spoil", what=what)
    one = wire(cloud)
    device, body = one.device, stages(cloud, one, "server_hello")
    if premaster is None:
        device.take_server_hello(body)
    else:
        device.server_hello, device.suite = body, 0xD004
        device.derive(premaster, body[6:38])
    device.take_finished(one.ask(device.finished()))
    assert Client(one).login(connect_packet()) == 0


# ---- protected records


def spoiled_record(cloud, stage, what):
    """What comes at `stage`: the whole stream up to the answer, and the device whose keys open it."""
    one = wire(cloud)
    if stage == "finished":
        arm(cloud, stage, "spoil", what=what)
        stages(cloud, one, stage)
    else:
        client = Client(one.handshake())
        arm(cloud, stage, "spoil", what=what)
        client.send(connect_packet())
    while len(one.buffer) < 5:
        one.buffer += one.socket.recv(65536)
    size = int.from_bytes(one.buffer[3:5], "big")
    while what != "huge" and len(one.buffer) < 5 + min(size, 100):
        one.buffer += one.socket.recv(65536)
    return one.device, one.buffer, one


def honest(device, stage, stream):
    """Whether the first record opens and holds what an honest platform says."""
    size = int.from_bytes(stream[3:5], "big")
    try:
        data = device.reading.open(stream[0], stream[5 : 5 + size])
    except (AssertionError, ValueError):
        return False
    expected = device.proof() if stage == "finished" else b"\x20\x02\0\0"
    return data == expected and stream[1:3] == b"\x03\x03" and stream[0] in (HANDSHAKE, DATA)


@pytest.mark.parametrize(
    "stage, what",
    [
        (stage, what)
        for stage in ("finished", "record")
        for what in faults.SPOILS[stage]
        if what not in ("twice", "repeated")
    ],
)
def test_protected_records_that_are_spoiled(cloud, stage, what):
    device, stream, one = spoiled_record(cloud, stage, what)
    if what == "change_cipher_spec":
        assert stream[:6] == b"\x14\x03\x03\x00\x01\x01"
    elif what == "hello_request":
        assert stream[0] == HANDSHAKE and device.reading.open(HANDSHAKE, stream[5:]) == bytes(4)
    elif what == "mirrored":
        assert device.reading.open(HANDSHAKE, stream[5:]) == device.own_finished
    elif what == "huge":
        assert stream[3:5] == b"\xff\xff"
    elif what == "plain":
        assert len(stream) == 5 + (16 if stage == "finished" else 4)
    else:
        assert not honest(device, stage, stream)
    one.close()


@pytest.mark.parametrize("stage, what", [("finished", "twice"), ("record", "repeated")])
def test_a_record_that_comes_twice(cloud, stage, what):
    device, stream, one = spoiled_record(cloud, stage, what)
    size = 5 + int.from_bytes(stream[3:5], "big")
    while len(stream) < 2 * size:
        stream += one.socket.recv(65536)
    assert honest(device, stage, stream)
    assert (stream[size : 2 * size] == stream[:size]) is (stage == "record")


def test_every_spoil_is_here():
    assert set(VERIFIES) | WHOLE == {
        (stage, what) for stage in ("challenge", "provision") for what in faults.SPOILS[stage]
    }
    assert {*HELLOS, *BODIES, "old"} == set(faults.SPOILS["server_hello"])


# ---- framings: a device must take them all


@pytest.mark.parametrize(
    "stage, what", [(stage, what) for stage in faults.SPOILS for what in faults.framings(stage)]
)
def test_framings_carry_the_right_answer(cloud, stage, what):
    arm(cloud, stage, "framing", what=what)
    device = Device(id2=BLANK if stage == "provision" else ID2)
    one = Joining(wire(cloud, device))
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


def test_two_records_in_one_segment(cloud):
    """The first is held back until the second goes out, or for so many milliseconds."""
    topic = f"/{PK}/device-01/user/a"
    with Client(wire(cloud).handshake()) as one:
        one.online(connect_packet())
        one.subscribe(topic)
        arm(cloud, "record", "together", ms=60_000)
        cloud.admin("POST", "/publish", {"topic": topic, "payload": "first"})
        assert one.silent(0.2)
        cloud.admin("POST", "/publish", {"topic": topic, "payload": "second"})
        assert one.read().payload == b"first" and one.link.buffer
        assert one.read().payload == b"second"
        arm(cloud, "record", "together", ms=100)
        cloud.admin("POST", "/publish", {"topic": topic, "payload": "third"})
        assert one.read().payload == b"third"


# ---- alerts and ends at every step


@pytest.mark.parametrize("code", [40, *range(160, 179)])
def test_any_alert_in_place_of_the_challenge(cloud, code):
    arm(cloud, "challenge", "alert", code=code)
    with pytest.raises(Refused, match=str(code)):
        wire(cloud).prove()


@pytest.mark.parametrize("stage", ["provision", "challenge", "server_hello", "finished", "record"])
def test_an_alert_at_every_step(cloud, stage):
    """A fatal one and the end; a warning and the answer; a goodbye in its place."""
    for level, code, then in ((2, 160, "close"), (1, 90, "answer"), (1, 0, "close"), (2, 173, "nothing")):
        arm(cloud, stage, "alert", level=level, code=code, then=then)
        one = wire(cloud, Device(id2=BLANK) if stage == "provision" else None)
        kind, body = None, b""
        if stage in ("finished", "record"):
            stages(cloud, one, "finished")
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
def test_ends_and_shapes_at_every_step_of_the_handshake(cloud, stage, kind):
    parameters = {"cut": {"bytes": 7}, "delay": {"ms": 50}, "trickle": {"ms": 0}}.get(kind, {})
    arm(cloud, stage, kind, **parameters)
    device = Device(id2=BLANK if stage == "provision" else ID2)
    one = wire(cloud, device)
    one.socket.settimeout(0.2 if kind in ("silent", "half_open") else harness.WAIT)
    if kind in ("delay", "trickle"):
        started = time.monotonic()
        if stage == "provision":
            device.take_issue(stages(cloud, one, stage))
        one.handshake()
        assert kind == "trickle" or time.monotonic() - started > 0.04
    elif kind in ("silent", "half_open"):
        with pytest.raises(TimeoutError):
            stages(cloud, one, stage)
            one.record()
    else:
        with pytest.raises(Refused):
            stages(cloud, one, stage)
            one.expect(HANDSHAKE)
        assert len(one.buffer) == (7 if kind == "cut" else 0)
    one.close()


@pytest.mark.parametrize("processed", [True, False])
def test_whether_a_lost_answer_has_had_its_effect(cloud, processed):
    """An identity is issued and an authentication counts, or not."""
    before = len(cloud.admin("GET", "/identities"))
    count = cloud.admin("GET", f"/identities/{ID2}")["authentications_today"]
    arm(cloud, "provision", "close", processed=processed)
    with pytest.raises(Refused):
        stages(cloud, wire(cloud, Device(id2=BLANK)), "provision")
    arm(cloud, "server_hello", "reset", processed=processed)
    with pytest.raises(Refused):
        stages(cloud, wire(cloud), "server_hello")
    assert len(cloud.admin("GET", "/identities")) == before + processed
    assert cloud.admin("GET", f"/identities/{ID2}")["authentications_today"] == count + processed


def test_a_fault_of_one_device(cloud):
    arm(cloud, "challenge", "alert", pk="a1OTHERpk01")
    arm(cloud, "connect", "refuse", code=5, dn="device-02")
    one = wire(cloud).handshake()
    assert Client(one).login(connect_packet(dn="device-02")) == 5
    assert Client(wire(cloud).handshake()).login(connect_packet(dn="device-01")) == 0
    cloud.admin("DELETE", "/faults")


def test_faults_of_mqtt_strike_inside_itls_too(cloud):
    arm(cloud, "connect", "cut", bytes=2)
    one = Client(wire(cloud).handshake())
    one.send(connect_packet())
    assert one.closed() == "reset" and one.link.alert is None  # the end comes without a goodbye
    with Client(wire(cloud).handshake()) as one:
        one.online(connect_packet())
        arm(cloud, "ping", "silent")
        one.send(codec.Pingreq())
        one.nothing()


@pytest.mark.parametrize(
    "fault, says",
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
def test_faults_that_cannot_be_armed(cloud, fault, says):
    assert says in cloud.admin("POST", "/faults", {"where": "itls", **fault}, 400)["error"]


def test_a_certificate_fault_is_for_tls_only(cloud):
    for where in ("mqtt_tls", "x509", "https"):
        cloud.arm(where, "handshake", "certificate")
    cloud.admin("DELETE", "/faults")


def test_the_key_of_the_vectors_is_nowhere_in_what_was_logged(cloud):
    assert KEY not in str(cloud.log())
