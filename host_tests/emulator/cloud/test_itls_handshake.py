"""What a device's hellos, Finished and records are answered with: the checks of id2.md, each by its alert."""

import base64
import hashlib
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
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.suites import SUITES


def challenged(platform, device, **hello):
    """A new connection on which `device` has its challenge."""
    device.take_challenge(platform.connect().handshake(device.hello(**hello))[5:])
    return platform


def greeted(platform, device):
    platform.prove(device)
    return platform


# ---- hellos


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


# ---- Finished


def test_a_finished_that_is_refused(platform):
    running = platform()
    for change in (
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        lambda whole: message(20, whole[4:-1]),
        lambda whole: message(20, whole[4:] + b"\0"),
        lambda whole: whole + whole,
    ):
        device = Device()
        greeted(running, device)
        device.finished()
        device.writing.sequence = 0
        assert running.refused(device.writing.seal(HANDSHAKE, change(device.own_finished))) == 50


@pytest.mark.parametrize("alert", ["plain", "encrypted"])
def test_the_alert_that_refuses_a_finished_by_switch(platform, alert):
    running, device = platform({"itls_early_alert": alert}), Device()
    greeted(running, device)
    with pytest.raises(Alert):
        running.handshake(device.writing.seal(HANDSHAKE, message(20, bytes(12))))
    sent = running.outgoing.read()
    assert (sent[5:] if alert == "plain" else device.reading.open(ALERT, sent[5:])) == b"\x02\x32"


def test_what_may_not_stand_where_the_finished_does(platform):
    running = platform()
    for data, alert in (
        (lambda device: device.writing.seal(DATA, b"early"), 10),
        (lambda device: record(HANDSHAKE, message(20, bytes(12))), 20),
        (lambda device: device.writing.seal(HANDSHAKE, message(1, bytes(40))), 10),
        (lambda device: device.hello(device.code()), 20),
        (lambda device: record(20, b"\x01"), 10),
    ):
        device = Device()
        greeted(running, device)
        assert running.refused(data(device)) == alert


def test_bytes_after_the_hello_that_ends_the_clear(platform):
    running, device = platform(), Device()
    challenged(running, device)
    hello = device.hello(device.code())
    assert running.refused(record(HANDSHAKE, hello[5:] + b"\x14")) == 10


@pytest.mark.parametrize("protected", [False, True])
def test_a_device_that_refuses_the_server_says_why(platform, protected):
    """In clear before its Finished, protected after it; nobody answers an alert."""
    running, device = platform(), Device()
    greeted(running, device)
    if protected:
        device.take_finished(running.handshake(device.finished())[5:])
    alert = device.writing.seal(ALERT, b"\x02\x28") if protected else record(ALERT, b"\x02\x28")
    with pytest.raises(Alert, match="alert 40"):
        running.data(alert) if protected else running.handshake(alert)
    assert running.outgoing.read() == b"" and running.session.state == "over"


# ---- records


@pytest.mark.parametrize("size", [1, 3, 64])
def test_hellos_and_finished_in_pieces(platform, size):
    """Any number of records to a message, any number of segments to a record."""

    def pieces(whole):
        return [record(HANDSHAKE, whole[at : at + size]) for at in range(0, len(whole), size)]

    running, device = platform(), Device()
    running.connect()
    *most, last = pieces(device.hello()[5:])
    assert [running.handshake(one) for one in most] == [b""] * len(most)
    device.take_challenge(running.handshake(last)[5:])
    for byte in device.hello(device.code())[:-1]:
        assert running.handshake(bytes([byte])) == b""
    device.take_server_hello(running.handshake(device.sent[-1:])[5:])
    device.finished()
    device.writing.sequence, sent = 0, b""
    for at in range(0, 16, size):
        sent += running.handshake(device.writing.seal(HANDSHAKE, device.own_finished[at : at + size]))
    device.take_finished(sent[5:])


def test_data_right_behind_the_finished(platform):
    running, device = platform(), Device()
    greeted(running, device)
    finished = device.finished() + device.writing.seal(DATA, b"one") + device.writing.seal(DATA, b"two")
    device.take_finished(running.handshake(finished)[5:])
    assert [running.data(b""), running.data(b"")] == [b"one", b"two"]


def test_what_is_written_goes_out_in_records_of_1024(platform):
    for figure, fragment, sizes in (
        (1024, b"\x02", [1024, 1024, 52]),
        (1024, None, [1024, 1024, 52]),
        (2000, None, [2000, 100]),
        (2000, b"\x03", [2000, 100]),
        (1024, b"\x01", [512] * 4 + [52]),
        (100_000, None, [2100]),
    ):
        running, device = platform(limits={"itls_record_bytes": figure}), Device(fragment=fragment)
        running.open(device)
        data = bytes(range(250)) * 8 + bytes(100)
        assert running.session.write(data) == 2100
        stream, found = running.outgoing.read(), []
        while stream:
            end = 5 + int.from_bytes(stream[3:5], "big")
            found.append(device.reading.open(stream[0], stream[5:end]))
            stream = stream[end:]
        assert b"".join(found) == data and [len(one) for one in found] == sizes


@pytest.mark.parametrize(
    "echo, fragment, size, taken",
    [
        ("echo", b"\x02", 1024, True),
        ("echo", b"\x02", 1025, False),
        ("omit", b"\x02", 1025, True),
        ("echo", None, 16384, True),
        ("echo", None, 16385, False),
    ],
)
def test_how_much_a_record_may_hold(platform, echo, fragment, size, taken):
    running, device = platform({"itls_max_fragment": echo}), Device(fragment=fragment)
    running.open(device)
    sent = device.writing.seal(DATA, bytes(size))
    if taken:
        assert len(running.data(sent)) == size
    else:
        assert alert_in_data(running, device, sent) == 22


def alert_in_data(running, device, sent):
    with pytest.raises(Alert) as raised:
        running.data(sent)
    answer = running.outgoing.read()
    assert device.reading.open(ALERT, answer[5:]) == bytes((2, raised.value.code))
    assert running.session.state == "over"
    return raised.value.code


class Sealed:
    """A record of data that `device` has sealed, and its parts."""

    def __init__(self, device):
        self.good = device.writing.seal(DATA, b"data")
        device.writing.sequence -= 1
        self.seal, self.mac = device.writing.seal, device.writing.mac(DATA, b"data")


SPOILED = {
    "mac": lambda one: one.seal(DATA, b"data", mac=bytes([one.mac[0] ^ 1]) + one.mac[1:]),
    "last byte of the mac": lambda one: one.seal(DATA, b"data", mac=one.mac[:-1] + bytes([one.mac[-1] ^ 1])),
    "one byte of padding": lambda one: one.seal(DATA, b"data", padding=bytes([11] * 5 + [10] + [11] * 6)),
    "padding too long": lambda one: one.seal(DATA, b"data", padding=bytes([255]) * 12),
    "no padding": lambda one: one.seal(DATA, b"x" * 16, padding=b""),
    "another type": lambda one: b"\x16" + one.good[1:],
    "one block less": lambda one: record(DATA, one.good[5:-16]),
    "no whole block": lambda one: record(DATA, one.good[5:-1]),
    "only an iv": lambda one: record(DATA, one.good[5:21]),
    "nothing": lambda one: record(DATA, b""),
    "in clear": lambda one: record(DATA, b"data"),
    "again": lambda one: one.good + one.good,
    "skipped": lambda one: one.seal(DATA, b"lost") and one.seal(DATA, b"data"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_record_that_is_spoiled_ends_the_connection_with_one_and_the_same_alert(platform, case):
    running, device = platform(), Device()
    running.open(device)
    sent = SPOILED[case](Sealed(device))
    if case == "again":
        assert running.data(sent[: len(sent) // 2]) == b"data"
        sent = sent[len(sent) // 2 :]
    assert alert_in_data(running, device, sent) == 20
    with pytest.raises(itls.ssl.SSLWantReadError):
        running.data(device.writing.seal(DATA, b"more"))


def test_the_longest_padding_and_an_empty_record_are_taken(platform):
    running, device = platform(), Device()
    running.open(device)
    assert running.data(device.writing.seal(DATA, b"data", padding=bytes([251]) * 252)) == b"data"
    with pytest.raises(itls.ssl.SSLWantReadError):
        running.data(device.writing.seal(DATA, b""))
    assert running.data(device.writing.seal(DATA, b"end")) == b"end"


def test_a_handshake_message_once_it_is_open(platform):
    for whole in (Device().hello()[5:], message(20, bytes(12)), message(0, b""), b"\x01", b""):
        running, device = platform(), Device()
        running.open(device)
        assert alert_in_data(running, device, device.writing.seal(HANDSHAKE, whole)) == 10


def test_a_goodbye_is_answered_and_other_warnings_are_ignored(platform):
    running, device = platform(), Device()
    running.open(device)
    assert running.data(device.writing.seal(ALERT, b"\x01\x5a") + device.writing.seal(DATA, b"on")) == b"on"
    assert running.data(device.writing.seal(ALERT, b"\x01\x00")) == b""
    running.session.unwrap()
    assert device.reading.open(ALERT, running.outgoing.read()[5:]) == b"\x01\x00"


# ---- provisioning


def issued(platform, device=None, **request):
    device = device or Device(id2="F" * 48)
    answer = platform.connect().handshake(device.hello(itls.issue_request(**request)))
    return device, answer[5:]


@pytest.mark.parametrize("blank", ["F" * 24, "F" * 48, "F" * 31])
def test_a_device_without_identity_gets_one_and_connects_with_it(platform, blank):
    """As many F as it likes; on the same connection, and on a later one."""
    running = platform(identities=[])
    device, answer = issued(running, Device(id2=blank, suites=(0xD003,), fragment=None))
    id2, key = device.take_issue(answer)
    assert len(id2) == 24 and id2 == id2.upper() and len(key) == 32
    device.take_challenge(running.handshake(device.hello())[5:])
    device.take_server_hello(running.handshake(device.hello(device.code()))[5:])
    device.take_finished(running.handshake(device.finished())[5:])
    assert running.open(Device(id2, key)).session.identity.fingerprint == "240AC4000001"


@pytest.mark.parametrize(
    "secret, size",
    [
        ("i13" + "k" * 29, 64),
        ("x21-----QEFCQ0RFRkdISUpLTE1OTw==", 32),
        ("i23-----" + base64.b64encode(bytes(32)).decode(), 64),
        ("x12" + "k" * 29, 48),
    ],
)
def test_tokens_of_each_form(platform, secret, size):
    running = platform(identities=[], product_secret=secret)
    device, answer = issued(running, secret=secret, kind=int(secret[2]))
    id2, key = device.take_issue(answer)
    assert len(key) == size and running.open(Device(id2, key))


def report_of(*changes):
    request = bytearray(itls.issue_request())
    for at in changes:
        request[at] ^= 1
    return bytes(request)


@pytest.mark.parametrize(
    "request_, alert",
    [
        (itls.issue_request(secret="i11" + "z" * 29), 160),
        (itls.issue_request(kind=3), 178),
        (itls.issue_request(kind=9), 178),
        (itls.issue_request(fingerprint=b""), 174),
        (itls.issue_request(fingerprint=b"x" * 129), 174),
        (itls.issue_request(fingerprint=b"\x00bad"), 174),
        (itls.issue_request(fingerprint=b"\xff" * 12), 174),
        (b"", 160),
        (b"\0" * 84, 160),
        (report_of(0), 160),
        (report_of(4), 160),
        (report_of(36), 160),
        (report_of(-1), 160),
        (itls.issue_request()[:-1], 160),
        (itls.issue_request()[:-16], 160),
        (itls.issue_request() + bytes(256), 160),
    ],
)
def test_a_provisioning_request_that_is_refused(platform, request_, alert):
    running = platform(identities=[], provisioning_quota=1)
    assert running.connect().refused(Device(id2="F" * 48).hello(request_)) == alert
    assert running.service.identities.licences[PK].left == 1 and not running.service.identities.by_id


def test_the_quota_is_used_up_once_a_device_and_stays_so(platform):
    running = platform(identities=[], provisioning_quota=2)
    for fingerprint in (b"one", b"two"):
        device, answer = issued(running, fingerprint=fingerprint)
        device.take_issue(answer)
    for _ in range(2):
        request = itls.issue_request(fingerprint=b"three")
        assert running.connect().refused(Device(id2="F" * 48).hello(request)) == 161
        running = platform(identities=[], provisioning_quota=2)
    assert {one.fingerprint for one in running.service.identities.by_id.values()} == {"one", "two"}


def test_the_same_fingerprint_again(platform):
    first = issued(platform(identities=[], provisioning_quota=1))
    given = first[0].take_issue(first[1])
    blank = Device(id2="F" * 48)
    assert platform(identities=[]).connect().refused(blank.hello(itls.issue_request())) == 175
    again = issued(platform({"id2_fingerprint_again": "same"}, identities=[]))
    assert again[0].take_issue(again[1]) == given
    running = platform({"id2_fingerprint_again": "fresh"}, identities=[])
    assert running.connect().refused(blank.hello(itls.issue_request())) == 161
    running.service.identities.licences[PK].left = 1
    fresh = issued(running)
    assert fresh[0].take_issue(fresh[1]) != given


def test_one_provisioning_a_connection(platform):
    running = platform(identities=[])
    _, answer = issued(running)
    assert running.refused(Device(id2="F" * 48).hello(itls.issue_request(fingerprint=b"other"))) == 10
    assert len(running.service.identities.by_id) == 1


# ---- ten a day


@pytest.mark.parametrize("alert", [161, 173, 160])
def test_the_eleventh_authentication_of_a_day(platform, alert):
    """The count survives a restart, and is one of Beijing's day."""
    switches = {"id2_authentications": alert}
    running, device = platform(switches), Device()
    for _ in range(10):
        running.prove(device)
    for _ in range(2):
        challenged(running, device)
        assert running.refused(device.hello(device.code())) == alert
        running = platform(switches)
    midnight = (running.now + 8 * 3600) // 86400 * 86400 + 86400 - 8 * 3600
    running.now = midnight - 1
    challenged(running, device)
    assert running.refused(device.hello(device.code())) == alert
    running.now = midnight
    for _ in range(10):
        running.prove(device)
    challenged(running, device)
    assert running.refused(device.hello(device.code())) == alert


def test_without_the_switch_there_is_no_such_limit_and_a_wrong_code_counts_nowhere(platform):
    running, device = platform(), Device()
    wrong = Device(key=KEY[::-1])
    for _ in range(3):
        challenged(running, wrong)
        assert running.refused(wrong.hello(wrong.code())) == 163
    for _ in range(11):
        running.prove(device)
    assert running.service.identities.by_id[ID2].today(running.now) == 11


def test_the_hash_of_nothing_is_never_a_transcript(platform):
    """A Finished over other messages than those that went to and fro is refused."""
    running = platform()
    for make in (
        lambda device: device.verify(b"client", b""),
        lambda device: device.verify(b"client", device.sent),
        lambda device: device.verify(b"server", device.sent, device.server_hello),
        lambda device: hashlib.sha256(device.master).digest()[:12],
    ):
        device = Device()
        greeted(running, device)
        assert running.refused(device.writing.seal(HANDSHAKE, message(20, make(device)))) == 50
