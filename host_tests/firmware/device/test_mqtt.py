"""The MQTT client on scripted streams: what it sends, and what it makes of every kind of answer."""

HEAP = "192K"  # the tests themselves are most of it

import struct

from aliot.errors import Closed, LinkError, ProtocolError, Reset, TimedOut
from aliot.mqtt import Client
from aliot.refusals import ConnectRefused, SubscribeRefused
from scripted import CLOSED, RESET, Stream, raises

CONNACK = b"\x20\x02\0\0"


class Fields:
    client_id, username, password = "id", "user", "password"


def client(stream, timeout=200, limit=1000):
    made = Client(stream, Fields, 300, timeout, limit)
    made.got = []
    made.set_callback(lambda topic, message: made.got.append((topic, message)))
    return made


def online(data=b"", end="silent", piece=0, answer=None, timeout=200):
    """A connected client; what was written so far is forgotten."""
    stream = Stream(CONNACK + data, end, piece)
    made = client(stream, timeout)
    made.connect()
    stream.writes = []
    stream.answer = answer
    return made, stream


def packet(kind, body):
    size, length = b"", len(body)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([kind]) + size + bytes([length]) + body


def message(topic, payload, number=None):
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", number) if number else b"") + payload
    return packet(0x32 if number else 0x30, body)


def drain(made):
    while made.poll(1):
        pass


# CONNECT


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
    assert made.dropped == 1
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


# PUBLISH


def puback(written):
    """Acknowledges each QoS 1 PUBLISH in what was written."""
    if written[0] == 0x32:
        at = 2
        if written[1] & 128:
            at = 3
        at += 2 + (written[at] << 8 | written[at + 1])
        return b"\x40\x02" + written[at : at + 2]


def test_publish_is_one_write_and_two_above_1_kb():
    made, stream = online()
    made.publish("/a/b", "text")
    assert stream.writes == [message(b"/a/b", b"text")]
    stream.writes = []
    made.publish("/a/b", bytes(1017 - 7))
    assert len(stream.writes) == 1
    stream.writes = []
    made.publish("/a/b", bytes(3000))
    assert len(stream.writes) == 2
    assert stream.written() == message(b"/a/b", bytes(3000))
    for qos in (0, 1):
        for size in (0, 1, 113, 114, 126, 127, 128, 1000, 1010, 1020, 1030, 3000):
            made, stream = online(
                answer=lambda written: b"\x40\x02\0\x01" if qos and len(stream.written()) > size else b""
            )
            made.publish("/t", bytes(size), False, qos)
            assert stream.written() == message(b"/t", bytes(size), qos), size
            assert len(stream.writes) <= 2


def test_text_counts_in_bytes():
    made, stream = online()
    made.publish("/\u4e2d", "\u4e2d\u6587")
    assert stream.written() == message("/\u4e2d".encode(), "\u4e2d\u6587".encode())


def test_qos_1_waits_for_its_own_puback():
    made, stream = online(
        answer=lambda written: b"\x40\x02\x77\x77" + message(b"/a", b"between") + puback(written)
    )
    made.publish(b"/t", b"x", False, 1)
    assert stream.writes[0] == message(b"/t", b"x", 1)
    assert made.got == [(b"/a", b"between")]


def test_qos_1_without_puback_is_a_timeout():
    made, stream = online(timeout=20)
    raises(TimedOut, made.publish, "/t", "x", False, 1)
    made, stream = online(answer=lambda written: b"\x40\x02", timeout=20)
    raises(TimedOut, made.publish, "/t", "x", False, 1)
    made, stream = online(end=CLOSED)
    raises(Closed, made.publish, "/t", "x", False, 1)


def test_packet_ids_wrap_from_65535_to_1():
    made, stream = online(answer=puback)
    made.pid = 65534
    for wanted in (65535, 1, 2):
        stream.writes = []
        made.publish("/t", "x", False, 1)
        assert stream.writes[0] == message(b"/t", b"x", wanted)


def test_publish_from_a_handler_while_the_outer_publish_waits():
    # the outer PUBACK arrives while the inner publish waits for its own
    held = []

    def answer(written):
        if written[0] != 0x32:
            return b""
        held.append(puback(written))
        return message(b"/in", b"go") if len(held) == 1 else held[0] + held[1]

    made, stream = online(answer=answer)
    made.set_callback(lambda topic, payload: made.publish("/inner", payload, False, 1))
    made.publish("/outer", "x", False, 1)
    assert stream.writes == [message(b"/outer", b"x", 1), message(b"/inner", b"go", 2)]


def test_messages_that_arrive_while_a_handler_publishes_wait_for_it():
    order = []

    def answer(written):
        return message(b"/second", b"", 5) + puback(written) if written[0] == 0x32 else b""

    made, stream = online(message(b"/first", b""), answer=answer)

    def handler(topic, payload):
        order.append(topic)
        if topic == b"/first":
            made.publish("/out", "", False, 1)
            order.append(b"published")

    made.set_callback(handler)
    drain(made)
    assert order == [b"/first", b"published", b"/second"]
    assert stream.writes[-1] == b"\x40\x02\0\x05"


def test_a_flood_during_a_handler_keeps_16_and_acknowledges_no_other():
    flood = b"".join([message(b"/f", b"", n + 1) for n in range(20)])
    made, stream = online(
        message(b"/first", b""), answer=lambda written: flood + puback(written) if written[0] == 0x32 else b""
    )
    seen = []

    def handler(topic, payload):
        seen.append(topic)
        if len(seen) == 1:
            made.publish("/out", "", False, 1)

    made.set_callback(handler)
    drain(made)
    assert len(seen) == 17 and made.dropped == 4
    assert stream.written().count(b"\x40\x02") == 16


def test_publish_refuses_what_the_platform_does_not_know():
    made, stream = online()
    for arguments in (("", "x"), ("/a/+", "x"), ("/a/#", "x"), ("/a", "x", False, 2), ("/a", "x", False, -1)):
        raises(ValueError, made.publish, *arguments)
    assert not stream.writes


# SUBSCRIBE


def test_subscribe_waits_for_its_suback():
    made, stream = online(
        answer=lambda w: message(b"/a", b"x") + b"\x90\x03\x77\x77\0" + b"\x90\x03\0\x01\x01"
    )
    made.subscribe("/a/b", 1)
    assert stream.writes == [packet(0x82, b"\0\x01\0\x04/a/b\x01")]
    assert made.got == [(b"/a", b"x")]


def test_a_refused_subscription_is_an_error_with_the_topic():
    made, stream = online(answer=lambda written: b"\x90\x03\0\x01\x80")
    problem = raises(SubscribeRefused, made.subscribe, "/other/device")
    assert "/other/device" in str(problem)


def test_long_topics():
    for length in (120, 121, 122, 123, 124, 128, 200, 1100):
        topic = b"/" + b"t" * (length - 1)
        made, stream = online(answer=lambda written: b"\x90\x03\0\x01\0")
        made.subscribe(topic)
        assert stream.written() == packet(0x82, b"\0\x01" + struct.pack("!H", length) + topic + b"\0")
        assert len(stream.writes) == 1 + (length > 1024)


def test_a_suback_of_another_shape_is_a_protocol_error():
    for answer in (b"\x90\x02\0\x01", b"\x90\x04\0\x01\0\0"):
        made, stream = online(answer=lambda written: answer)
        raises(ProtocolError, made.subscribe, "/a")


def test_subscribe_without_suback_is_a_timeout():
    made, stream = online(timeout=20)
    raises(TimedOut, made.subscribe, "/a")


# PING, DISCONNECT


def test_a_ping_is_watched():
    made, stream = online(answer=lambda written: b"")
    made.ping()
    assert stream.writes == [b"\xc0\0"]
    assert made.ages()[2] is not None
    stream.data += b"\xd0\0"
    drain(made)
    assert made.ages()[2] is None


def test_disconnect_says_so_and_closes():
    made, stream = online()
    made.disconnect()
    assert stream.writes == [b"\xe0\0"] and stream.closed


def test_check_msg_and_wait_msg_stay_usable():
    made, stream = online(message(b"/a", b"1") + message(b"/a", b"2"))
    made.wait_msg()
    assert made.got == [(b"/a", b"1")]
    made.check_msg()
    assert len(made.got) == 2
    assert made.check_msg() is None
    made.timeout = 10
    raises(TimedOut, made.wait_msg)


def test_every_failure_of_the_stream_comes_through_as_a_link_error():
    for end in (CLOSED, RESET):
        for action in (
            lambda c: c.publish("/a", "x", False, 1),
            lambda c: c.subscribe("/a"),
            lambda c: c.wait_msg(),
            lambda c: c.poll(1),
        ):
            made, stream = online(end=end)
            raises(LinkError, action, made)


# What a peer may do that never stops, and what an application may do wrong.


class Flood(Stream):
    """A platform that sends the same packet again and again, a clock tick apart, and never what is waited for."""

    def __init__(self, packet):
        super().__init__(CONNACK)
        self.packet = packet
        self.now = 0
        self.packets = 0

    def ready(self, ms):
        self._more()
        return True

    def readinto(self, view):
        self._more()
        return super().readinto(view)

    def _more(self):
        if not self.data:
            self.data = self.packet
            self.packets += 1
            self.now += 1


def flooded(packet):
    """A client in such a flood, whose clock is the flood's."""
    import aliot.incoming
    import aliot.mqtt
    import aliot.ticks

    stream = Flood(packet)
    made = client(stream, timeout=500)
    made.set_callback(lambda topic, message: None)
    made.connect()
    aliot.ticks.ticks_ms = lambda: stream.now
    aliot.mqtt.ticks_ms = aliot.incoming.ticks_ms = lambda: stream.now
    return made, stream


def test_a_flood_of_qos_0_holds_nobody_beyond_the_deadline():
    for action in (
        lambda made: made.publish("/a", b"x", False, 1),
        lambda made: made.subscribe("/a"),
    ):
        made, stream = flooded(message(b"/flood", b"x"))
        before = stream.now
        raises(TimedOut, action, made)
        assert 500 <= stream.now - before < 600 and stream.packets > 400


def test_a_flood_of_pings_answers_holds_nobody_either():
    made, stream = flooded(b"\xd0\0")
    raises(TimedOut, made.publish, "/a", b"x", False, 1)
    assert stream.now < 700


def test_a_packet_without_end_is_a_timeout():
    for action in (lambda made: made.publish("/a", b"x", False, 1), lambda made: made.poll(0)):
        made, stream = flooded(b"x")
        stream.data = b"\x30\xff\xff\xff\x7f\0\6/flood"  # of 256 MB
        raises(TimedOut, lambda: [action(made) for _ in range(3)])
        assert stream.now < 700


def test_what_is_no_text_leaves_nothing_behind():
    made, stream = online()
    for wrong in ({"n": 1}, ["x"], None, 5, True):
        raises(TypeError, made.publish, "/a", wrong, False, 1)
        raises(TypeError, made.publish, "/a", wrong)
    for topic in ("", "x" * 129, "/a/+", "/a/#"):
        raises(ValueError, made.publish, topic, b"x")
    assert not stream.writes and not made.held and not made.waiting
    made.publish("/a", b"y")
    assert stream.writes == [packet(0x30, b"\0\2/ay")]


def test_a_packet_whose_making_fails_leaves_nothing_of_it():
    made, stream = online()

    write = made.write
    for failing in (1, 2):
        calls = [0]

        def starved(data):
            calls[0] += 1
            if calls[0] == failing:
                raise MemoryError
            write(data)

        made.write = starved
        raises(MemoryError, made.publish, "/a", b"x")
        assert not made.held and not stream.writes
    made.write = write
    made.publish("/a", b"y")
    assert stream.writes == [packet(0x30, b"\0\2/ay")]


def test_half_a_packet_that_is_out_ends_the_connection():
    made, stream = online()
    written = stream.write

    def starved(data):
        if len(data) > 1000:
            raise MemoryError
        written(data)

    stream.write = starved
    raises(ProtocolError, made.publish, "/a", b"x" * 2000)
