"""What a device's Finished and records are answered with: the checks of id2.md, each by its alert."""

import ssl

import pytest

from host_tests.support.cloud.itls import ALERT, DATA, HANDSHAKE, Device, message, record
from host_tests.support.cloud.itls_platform import challenged, greeted
from tools.emulator.cloud.itls.alerts import Alert


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
    with pytest.raises(ssl.SSLWantReadError):
        running.data(device.writing.seal(DATA, b"more"))


def test_the_longest_padding_and_an_empty_record_are_taken(platform):
    running, device = platform(), Device()
    running.open(device)
    assert running.data(device.writing.seal(DATA, b"data", padding=bytes([251]) * 252)) == b"data"
    with pytest.raises(ssl.SSLWantReadError):
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
