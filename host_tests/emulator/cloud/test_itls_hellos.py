"""What a device's hellos are answered with: the checks of id2.md, each by its alert."""

import base64
import itertools

import pytest

from host_tests.support.cloud import itls
from host_tests.support.cloud.itls import (
    ALERT,
    CODE,
    DATA,
    FRAGMENT,
    HANDSHAKE,
    ID2,
    KEY,
    PK,
    PREMASTER,
    Device,
    message,
    record,
)
from host_tests.support.cloud.itls_platform import challenged
from tools.emulator.cloud.itls.suites import SUITES


def test_a_device_is_let_in_and_the_server_proves_itself(platform):
    running, device = platform(), Device()
    found = running.prove(device)
    assert found[CODE] == device.server_code() and len(found[PREMASTER]) == 64
    assert device.order == [FRAGMENT, CODE, PREMASTER] and len(device.session_id) == 32
    device.take_finished(running.handshake(device.finished())[5:])
    assert running.session.identity.id2 == ID2


@pytest.mark.parametrize("suites", list(itertools.permutations(["D001", "D002", "D003", "D004"], 2)))
def test_every_suite_with_data_both_ways(platform, suites):
    """The server likes the first of its list best, whatever the device's order."""
    running, device = platform({"itls_suites": suites}), Device(suites=(0xD001, 0xD002, 0xD003, 0xD004))
    running.open(device)
    assert f"{device.suite:X}" == suites[0]
    assert running.data(device.writing.seal(DATA, b"up")) == b"up"
    running.session.write(b"down")
    sent = running.outgoing.read()
    assert device.reading.open(DATA, sent[5:]) == b"down"
    mac, blocks = SUITES[suites[0]].mac, len(sent[5:]) // 16
    assert blocks == 1 + (4 + mac) // 16 + 1 and len(sent) == 5 + 16 * blocks


@pytest.mark.parametrize(
    "id2, key, kind",
    [
        ("4142434445464748494A4B4C", bytes(range(65, 97)).hex(), "AES_256"),
        ("3132333435363738393A3B3C", bytes(range(49, 73)).hex(), "AES_192"),
        ("0123456789ABCDEF" * 3, KEY, "AES_128"),
    ],
)
def test_other_keys_and_a_long_id(platform, id2, key, kind):
    running, device = platform(identities=[{"id2": id2, "id2_key": key, "id2_type": kind}]), Device(id2, key)
    assert running.prove(device)[CODE] == device.server_code()


FIRST = {
    "version": (lambda device: device.hello(protocol=b"\x03\x02"), 70),
    "no key id": (lambda device: device.hello(key_id=None), 40),
    "no code": (lambda device: device.hello(code=None), 40),
    "no product key": (lambda device: device.hello(product=None), 171),
    "malformed product key": (lambda device: device.hello(product=b"a1~"), 171),
    "long product key": (lambda device: device.hello(product=b"a" * 21), 171),
    "unknown product key": (lambda device: device.hello(product=b"a1TESTpk009"), 172),
    "short id": (lambda device: device.hello(key_id=b"\x00\x10\x00\x10" + b"2" * 23), 50),
    "long id": (lambda device: device.hello(key_id=b"\x00\x10\x00\x10" + b"2" * 49), 50),
    "unknown id": (lambda device: device.hello(key_id=b"\x00\x10\x00\x10" + b"2" * 24), 162),
    "id in lower case": (lambda device: device.hello(key_id=b"\x00\x10\x00\x10" + ID2.lower().encode()), 162),
    "binary id": (lambda device: device.hello(key_id=b"\x00\x10\x00\x10" + b"\xff" * 24), 162),
    "fragment of no number": (lambda device: device.hello(fragment=b"\x05"), 47),
    "fragment of two bytes": (lambda device: device.hello(fragment=b"\x02\x02"), 47),
    "two product keys": (lambda device: device.hello(more=b"\x20\x00\x00\x00"), 47),
    "no null compression": (lambda device: device.hello(methods=b"\x01\x01"), 47),
    "no compression": (lambda device: device.hello(methods=b"\0"), 47),
    "long session id": (lambda device: device.hello(session=b"\x21" + bytes(33)), 50),
    "extension too long": (lambda device: device.hello(more=b"\x2f\xff\x00\x02\x00"), 50),
    "half an extension": (lambda device: device.hello(more=b"\x2f"), 50),
    "code without challenge": (lambda device: device.hello(device.code("0" * 32)), 166),
    "hello request": (lambda device: record(HANDSHAKE, message(0, b"")), 10),
    "server hello": (lambda device: record(HANDSHAKE, message(2, bytes(40))), 10),
    "finished": (lambda device: record(HANDSHAKE, message(20, bytes(12))), 10),
    "huge message": (lambda device: record(HANDSHAKE, b"\x01\x00\x10\x01"), 50),
    "empty record": (lambda device: record(HANDSHAKE, b""), 10),
    "data": (lambda device: record(DATA, b"x"), 10),
    "unknown record": (lambda device: record(20, b"\x01"), 10),
    "old record version": (lambda device: record(HANDSHAKE, b"\x01", b"\x03\x01"), 70),
    "long record": (lambda device: b"\x16\x03\x03\xff\xff", 22),
    "half an alert": (lambda device: record(ALERT, b"\x02"), 50),
    "alert of no level": (lambda device: record(ALERT, b"\x03\x28"), 50),
}


@pytest.mark.parametrize("case", FIRST)
def test_a_first_hello_that_is_refused(platform, case):
    make, alert = FIRST[case]
    assert platform().connect().refused(make(Device())) == alert


def test_no_common_suite(platform):
    running = platform()
    for suites in ((0x00FF,), (0xD001, 0xD002), ()):
        assert running.connect().refused(Device(suites=suites).hello()) == (40 if suites else 50)


@pytest.mark.parametrize("state, alert", [("inactive", 164), ("suspended", 168), ("discarded", 169)])
def test_an_identity_that_is_not_active(platform, state, alert):
    running = platform(identities=[{"id2": ID2, "id2_key": KEY, "state": state}])
    assert running.connect().refused(Device().hello()) == alert


def test_an_identity_of_another_product(platform, tmp_path):
    running = platform()
    other = running.service.identities.make("a1OTHERpk01", "AES_128")
    running.service.identities.save(other)
    assert running.connect().refused(Device(other.id2, other.key_hex).hello()) == 170


def test_a_product_of_another_kind(platform):
    running = platform()
    running.instance.registry.products[PK].auth = "secret"
    assert running.connect().refused(Device().hello()) == 172


# ---- device codes


def spoiled_code(device, case):
    code = device.code()
    head, signature = code.rsplit(b"~", 1)
    raw = base64.b64decode(signature)
    return {
        "another type": device.code(kind="1"),
        "another hash": device.code(digit="3"),
        "another challenge": device.code("0" * 32),
        "short challenge": device.code(device.challenge[:-1]),
        "no signature": head + b"~",
        "no base64": head + b"~" + b"*" * 64,
        "no padding": head + b"~" + base64.b64encode(raw[:-1]).rstrip(b"="),
        "signature of two blocks": head + b"~" + base64.b64encode(raw[:32]),
        "another signature": head + b"~" + base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]),
        "lower-case random": code.replace(b"0011223344556677", b"001122334455667a"),
        "space": code + b" ",
        "long": code + b"A" * 512,
        "binary": b"\xff" * 118,
        "type 10": b"1" + code,
    }[case]


@pytest.mark.parametrize(
    "case, alert",
    [
        ("another type", 167),
        ("another hash", 177),
        ("another challenge", 166),
        ("short challenge", 176),
        ("no signature", 163),
        ("no base64", 163),
        ("no padding", 163),
        ("signature of two blocks", 163),
        ("another signature", 163),
        ("lower-case random", 163),
        ("space", 163),
        ("long", 163),
        ("binary", 163),
        ("type 10", 163),
    ],
)
def test_a_code_that_is_refused(platform, case, alert):
    running, device = platform(), Device()
    challenged(running, device)
    assert running.refused(device.hello(spoiled_code(device, case))) == alert


def test_a_code_of_another_key(platform):
    running, device = platform(), Device(key=KEY[::-1])
    challenged(running, device)
    assert running.refused(device.hello(device.code())) == 163


def test_a_challenge_is_of_one_connection_one_identity_and_of_one_minute(platform):
    ids = [{"id2": ID2, "id2_key": KEY}, {"id2": "0" * 24, "id2_key": KEY}]
    running, device = platform({"itls_hellos": "free"}, identities=ids), Device()
    challenged(running, device)
    code = device.code()
    assert running.connect().refused(device.hello(code)) == 166
    challenged(running, device)
    assert running.refused(device.hello(code)) == 166
    challenged(running, device)
    other = Device("0" * 24)
    other.challenge = device.challenge
    assert running.refused(other.hello(other.code())) == 166
    challenged(running, device)
    running.now += 60.5
    assert running.refused(device.hello(device.code())) == 166
    challenged(running, device)
    running.now += 59.5
    assert running.handshake(device.hello(device.code()))[5] == 2


def test_a_second_hello_without_a_code_is_not_challenged_again(platform):
    running, device = platform(), Device()
    challenged(running, device)
    assert running.refused(device.hello()) == 10


def test_the_order_of_the_checks_is_a_switch(platform):
    """An identity of nobody, for a product of nobody: what comes first speaks."""
    names = ["product", "identity", "state", "match", "type", "challenge", "hash", "signature", "quota"]
    nobody = Device("0" * 24, pk="a1TESTpk009")
    assert platform({"id2_order": names}).connect().refused(nobody.hello()) == 172
    assert platform({"id2_order": names[::-1]}).connect().refused(nobody.hello()) == 162
    for order, alert in ((names, 167), (names[::-1], 163)):
        running, device = platform({"id2_order": order}), Device()
        challenged(running, device)
        wrong = Device(key=KEY[::-1])
        wrong.challenge = device.challenge
        assert running.refused(device.hello(wrong.code(kind="1", digit="3"))) == alert


# ---- what the second hello may change

CHANGES = {
    "product": lambda device: device.hello(device.code(), product=b"a1TESTpk009"),
    "fragment": lambda device: device.hello(device.code(), fragment=b"\x03"),
    "no fragment": lambda device: device.hello(device.code(), fragment=None),
    "version": lambda device: device.hello(device.code(), version=b"\0\0\0\0"),
    "one more": lambda device: device.hello(device.code(), more=b"\x2f\xff\0\0"),
    "session id": lambda device: device.hello(device.code(), session=b"\x01\x01"),
    "suites": lambda device: setattr(device, "suites", (0xD003,)) or device.hello(device.code()),
    "methods": lambda device: device.hello(device.code(), methods=b"\x02\x00\x01"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_second_hello_that_differs(platform, change):
    running, device = platform(), Device()
    challenged(running, device)
    assert running.refused(CHANGES[change](device)) == 47
    running, device = platform({"itls_hellos": "free"}), Device()
    challenged(running, device)
    if change == "product":
        assert running.refused(CHANGES[change](device)) == 172
    else:
        assert running.handshake(CHANGES[change](device))[5] == 2


def test_a_second_hello_may_have_a_random_of_its_own(platform):
    running, device = platform(), Device(random=b"\x01")
    challenged(running, device)
    device.random = b"\x02" * 32
    found = device.take_server_hello(running.handshake(device.hello(device.code()))[5:])
    assert found[CODE] == device.server_code()


# ---- switches of the ServerHello and the challenge


def test_key_group_and_extended_version_are_looked_at_by_switch(platform):
    group, version = {"key_id": b"\0\0\0\0" + ID2.encode()}, {"version": b"\0\0\0\0"}
    running = platform()
    for changes in (group, version, {"version": None}):
        assert running.connect().handshake(Device().hello(**changes))[5] == 3
    running = platform({"itls_key_group": "checked", "itls_version": "checked"})
    assert running.connect().refused(Device().hello(**group)) == 178
    assert running.connect().refused(Device().hello(**version)) == 70
    assert running.connect().refused(Device().hello(version=None)) == 70
    assert running.connect().handshake(Device().hello())[5] == 3


def test_the_server_hello_s_switches(platform):
    order = ["premaster", "server_code", "max_fragment"]
    running, device = platform({"itls_extension_order": order}), Device()
    running.prove(device)
    assert device.order == [PREMASTER, CODE, FRAGMENT]
    running, device = platform({"itls_session_id": "none", "itls_max_fragment": "omit"}), Device()
    running.prove(device)
    assert device.order == [CODE, PREMASTER] and device.session_id == b""


def test_without_a_hello_verify_request(platform):
    """The first hello is answered with a ServerHello; the Finished still shows who has the key."""
    switches = {"itls_hello_verify": "left_out", "id2_authentications": 161}
    running, device = platform(switches, limits={"authentications_per_day": 2}), Device()
    device.take_server_hello(running.connect().handshake(device.hello())[5:])
    device.take_finished(running.handshake(device.finished())[5:])
    running.arm("server_hello", "known_premaster")
    device.take_server_hello(running.connect().handshake(device.hello())[5:])
    device.writing.key = bytes(32)
    assert running.refused(device.finished()) == 20
    assert running.connect().refused(Device().hello()) == 161
    blank = Device(id2="F" * 48)
    blank.take_issue(running.connect().handshake(blank.hello(itls.issue_request()))[5:])
    blank.take_server_hello(running.handshake(blank.hello())[5:])
    assert running.connect().refused(Device("0" * 24).hello()) == 162
    assert running.connect().refused(Device().hello(b"no code")) == 163


def test_the_alphabet_of_challenges(platform):
    running, device = platform(), Device()
    challenged(running, device)
    assert set(device.challenge) <= set("0123456789ABCDEF")
    running, device = platform({"id2_challenge": "printable"}), Device()
    running.prove(device)
    assert "~" not in device.challenge and device.challenge.isascii() and device.challenge.isprintable()
    assert " " not in device.challenge and set(device.challenge) - set("0123456789ABCDEF")


def test_randomness_is_fresh_each_time(platform):
    running, seen = platform(), set()
    for _ in range(3):
        device = Device()
        premaster = running.prove(device)[PREMASTER]
        seen |= {device.challenge, device.server_hello[6:38], device.session_id, premaster}
    assert len(seen) == 12
