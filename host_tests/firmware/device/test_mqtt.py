"""CONNECT and what comes in."""

from aliot.errors import Closed, ProtocolError, Reset, TimedOut
from aliot.refusals import ConnectRefused
from scripted import CLOSED, RESET, Stream, raises
from mqtt_client import CONNACK, client, drain, message, online, packet

HEAP = "192K"  # the tests themselves are most of it


def test_connect_is_one_write():
    stream = Stream(CONNACK)
    client(stream).connect()
    assert stream.writes == [packet(0x10, b"\0\x04MQTT\x04\xc2\x01\x2c\0\x02id\0\x04user\0\x08password")]


def test_an_unclean_session_is_asked_for():
    stream = Stream(b"\x20\x02\x01\0")
    assert client(stream).connect(False) == 1
    assert stream.written()[9] == 0xC0


def test_every_connack_code_has_its_name_and_class():
    wanted = {1: "later", 2: "later", 3: "now", 4: "later", 5: "later", 6: "later", 255: "later"}
    for code in wanted:
        problem = raises(ConnectRefused, client(Stream(bytes([0x20, 2, 0, code]))).connect)
        assert problem.number == code and problem.code == "mqtt.%d" % code
        assert problem.retry == wanted[code]
        assert problem.detail
    assert "password" in raises(ConnectRefused, client(Stream(b"\x20\x02\0\x04")).connect).detail


def test_a_connack_cut_at_every_byte():
    for cut in range(4):
        raises(TimedOut, client(Stream(CONNACK[:cut])).connect)
        raises(Closed, client(Stream(CONNACK[:cut], CLOSED)).connect)
        raises(Reset, client(Stream(CONNACK[:cut], RESET)).connect)


def test_anything_but_a_connack_is_refused():
    for answer in (
        b"\xd0\0",
        b"\x20\x01\0",
        b"\x20\x03\0\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x04\0\x01ab",
        b"\x20\xff\xff\xff\xff\x7f",
        b"\x40\x02\0\x01",
    ):
        raises((ProtocolError, TimedOut), client(Stream(answer)).connect)


# Inbound


PACKETS = (
    message(b"/a/b", b"hello")
    + message(b"/a/b", b"one", 7)
    + b"\xd0\0"
    + message(b"/t", b"")
    + message(b"/long", bytes(300), 8)
)

WANTED = [(b"/a/b", b"hello"), (b"/a/b", b"one"), (b"/t", b""), (b"/long", bytes(300))]


def test_messages_arrive_whole_however_they_are_cut():
    for piece in (0, 1, 2, 3, 7, 64):
        made, stream = online(PACKETS, piece=piece)
        for _ in range(len(PACKETS) + 10):
            made.poll(0)
        assert made.got == WANTED, piece
        assert stream.written() == b"\x40\x02\0\x07\x40\x02\0\x08"


def test_a_stream_cut_at_every_byte_never_gives_half_a_message():
    for cut in range(len(PACKETS)):
        made, stream = online(PACKETS[:cut], CLOSED)
        raises(Closed, drain, made)
        assert made.got == WANTED[: len(made.got)]


def test_poll_0_returns_at_once_inside_a_packet_and_a_stopped_packet_is_a_timeout():
    made, stream = online(message(b"/a", b"hello")[:5])
    made.timeout = 0
    assert made.poll(0)  # the beginning
    assert not made.got
    import time

    time.sleep_ms(3)
    raises(TimedOut, made.poll, 0)


def test_qos_1_is_acknowledged_after_its_handler():
    made, stream = online(message(b"/a", b"x", 9))
    made.set_callback(lambda topic, payload: made.got.append(stream.written()))
    drain(made)
    assert made.got == [b""]
    assert stream.written() == b"\x40\x02\0\x09"


def test_qos_1_is_not_acknowledged_when_its_handler_failed():
    made, stream = online(message(b"/a", b"x", 9))

    def fail(topic, payload):
        raise KeyError("application")

    made.set_callback(fail)
    raises(KeyError, drain, made)
    assert stream.written() == b""


def test_a_message_that_is_too_large_is_dropped_and_the_next_one_comes():
    made, stream = online(message(b"/big", bytes(5000), 3) + message(b"/a", b"x"), piece=700)
    for _ in range(40):
        made.poll(0)
    assert made.got == [(b"/a", b"x")]
    assert made.spilled == 1
    assert stream.written() == b"\x40\x02\0\x03"


def test_what_mqtt_does_not_allow_is_a_protocol_error():
    for bad in (
        b"\x34\x05\0\x01a\0\x01",
        b"\x36\x05\0\x01a\0\x01",
        b"\x32\x05\0\x01a\0\0",
        b"\x30\x00",
        b"\x30\x01\0",
        b"\x30\x02\0\x09",
        b"\x30\x04\0\x09ab",
        b"\x32\x03\0\x01a",
        b"\x30\x03\0\0a",
        b"\x40\x01\0",
        b"\x00\x00",
        b"\xf0\x00",
        b"\xd0\x01\0",
        b"\x10\x00",
        b"\x80\x00",
        b"\xc0\0",
        b"\xe0\0",
        b"\x20\x02\0\0",
        b"\x90\x01\0",
        b"\x30\x80\x80\x80\x80\x01",
    ):
        made, stream = online(bad)
        raises(ProtocolError, drain, made)


def test_an_ack_that_nobody_waits_for_is_passed_over():
    made, stream = online(b"\x40\x02\0\x05" + b"\x90\x03\0\x05\0" + message(b"/a", b"x"))
    drain(made)
    assert made.got == [(b"/a", b"x")]
