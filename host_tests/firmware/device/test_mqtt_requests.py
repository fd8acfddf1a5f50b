"""PUBLISH, SUBSCRIBE, PING and DISCONNECT, and peers that never stop."""

import struct
from aliot.errors import Closed, LinkError, ProtocolError, TimedOut
from aliot.refusals import SubscribeRefused
from scripted import CLOSED, RESET, Stream, raises
from mqtt_client import CONNACK, client, drain, message, online, packet

HEAP = "192K"  # the tests themselves are most of it


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
    assert len(seen) == 17 and made.spilled == 4
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
