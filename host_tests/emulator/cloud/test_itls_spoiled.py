"""Messages of iTLS that are spoiled at each stage: what a device then gets to see, over the real port."""

import base64

import pytest

from host_tests.support.cloud import itls
from host_tests.support.cloud.client import Client
from host_tests.support.cloud.itls import (
    BLANK,
    CHALLENGE,
    CODE,
    DATA,
    FRAGMENT,
    HANDSHAKE,
    ID2,
    ISSUED,
    PREMASTER,
    Device,
    arm,
    connect_packet,
    ecb,
    extensions_of,
    stages,
    unpad,
    wire,
)
from tools.emulator.cloud.itls import faults


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
def test_hello_verify_requests_that_are_spoiled(armed, stage, what):
    version, found, rest = verify(armed, stage, what)
    assert version == b"\x03\x03" and rest == b"" and VERIFIES[stage, what](found)


def test_hello_verify_requests_that_are_no_such_message(armed):
    assert verify(armed, "challenge", "version")[0] == b"\x03\x01"
    assert verify(armed, "challenge", "twice")[2][:1] == b"\x03" == verify(armed, "provision", "twice")[2][:1]
    for what, at in (("cookie", 6), ("trailing", -1)):
        arm(armed, "challenge", "spoil", what=what)
        body = stages(armed, wire(armed), "challenge")
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
def test_server_hellos_with_spoiled_extensions(armed, what):
    device, body, at, found = greeting(armed, what)
    assert HELLOS[what](device, found)
    assert int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 5


@pytest.mark.parametrize("what", BODIES)
def test_server_hellos_with_a_spoiled_body(armed, what):
    _, body, at, _ = greeting(armed, what)
    assert int.from_bytes(body[1:4], "big") == len(body) - 4 and BODIES[what](body, at)


def test_the_server_hello_of_the_connection_before(armed):
    device = Device()
    one = wire(armed, device)
    before = stages(armed, one, "server_hello")
    one.close()
    assert greeting(armed, "old")[1] == before


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
def test_a_device_that_does_not_look_gets_through(armed, what, premaster):
    """So that one which refuses has refused by itself: the keys fit what was sent."""
    arm(armed, "server_hello", "spoil", what=what)
    one = wire(armed)
    device, body = one.device, stages(armed, one, "server_hello")
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
def test_protected_records_that_are_spoiled(armed, stage, what):
    device, stream, one = spoiled_record(armed, stage, what)
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
def test_a_record_that_comes_twice(armed, stage, what):
    device, stream, one = spoiled_record(armed, stage, what)
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
