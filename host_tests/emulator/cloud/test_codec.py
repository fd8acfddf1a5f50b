"""The MQTT codec: round trips, portions of any size, and what it must refuse."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.emulator.cloud import codec

FACTOR = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
many = settings(max_examples=max(10, int(300 * FACTOR)), deadline=None)

text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
name = text.filter(lambda value: value and not set(value) & set("+#"))
topic_filter = (
    st.lists(st.sampled_from(["a", "", "+", "user", "é"]), min_size=1, max_size=5)
    .flatmap(lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"])]))
    .filter(bool)
)
word = st.integers(0, 65535)
packet_id = st.integers(1, 65535)
qos = st.integers(0, 2)
wills = st.builds(codec.Will, name, st.binary(max_size=30), qos, st.booleans())


@st.composite
def connects(draw):
    username = draw(st.none() | text)
    password = None if username is None else draw(st.none() | st.binary(max_size=30))
    protocol = draw(st.sampled_from(sorted(codec.PROTOCOLS)))
    return codec.Connect(
        draw(text), username, password, draw(word), draw(st.booleans()), draw(st.none() | wills), *protocol
    )


@st.composite
def publishes(draw):
    level = draw(qos)
    return codec.Publish(
        draw(name),
        draw(st.binary(max_size=300)),
        level,
        draw(packet_id) if level else None,
        draw(st.booleans()),
        draw(st.booleans()) if level else False,
    )


packets = st.one_of(
    connects(),
    publishes(),
    st.builds(codec.Connack, st.integers(0, 255), st.booleans()),
    st.builds(codec.Ack, st.sampled_from(sorted(codec.ACK_HEADS)), packet_id),
    st.builds(codec.Subscribe, packet_id, st.lists(st.tuples(topic_filter, qos), min_size=1).map(tuple)),
    st.builds(codec.Suback, packet_id, st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1).map(tuple)),
    st.builds(codec.Unsubscribe, packet_id, st.lists(topic_filter, min_size=1).map(tuple)),
    st.sampled_from([codec.Pingreq(), codec.Pingresp(), codec.Disconnect()]),
)


@many
@given(st.lists(packets, max_size=6), st.lists(st.integers(1, 40)))
def test_what_is_encoded_comes_back_in_portions_of_any_size(sent, sizes):
    stream, decoder, received = b"".join(packet.encode() for packet in sent), codec.Decoder(), []
    for size in (*sizes, len(stream)):
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    assert received == sent and not decoder.buffer


@many
@given(st.binary(max_size=60))
def test_any_bytes_give_packets_or_malformed_and_a_packet_encodes_to_what_was_read(data):
    decoder, read = codec.Decoder(), []
    try:
        for packet in decoder.feed(data):
            read.append(packet)
    except codec.Malformed:
        return
    for packet in read:
        if not isinstance(packet, codec.Connect):
            assert list(codec.Decoder().feed(packet.encode())) == [packet]


@many
@given(packets, st.data())
def test_a_changed_byte_never_raises_anything_but_malformed(packet, data):
    stream = bytearray(packet.encode())
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    try:
        list(codec.Decoder(1000).feed(stream))
    except codec.Malformed:
        pass


GOLDEN = [
    (codec.Connack(4), "20020004"),
    (codec.Connack(0, True), "20020100"),
    (codec.Publish("a/b", b"x"), "30060003612f6278"),
    (codec.Publish("a/b", b"x", 1, 10, dup=True), "3a080003612f62000a78"),
    (codec.Ack("puback", 10), "4002000a"),
    (codec.Ack("pubrel", 10), "6202000a"),
    (codec.Subscribe(10, (("a/b", 1), ("c", 0))), "820c000a0003612f620100016300"),
    (codec.Suback(10, (0, 0x80)), "9004000a0080"),
    (codec.Unsubscribe(10, ("a/b",)), "a207000a0003612f62"),
    (codec.Pingreq(), "c000"),
    (codec.Pingresp(), "d000"),
    (codec.Disconnect(), "e000"),
    (codec.Connect("c", "u", b"p", 60), "101300044d51545404c2003c000163000175000170"),
    (
        codec.Connect("c", None, None, 60, False, codec.Will("w", b"m", 1, True), "MQIsdp", 3),
        "101500064d5149736470032c003c00016300017700016d",
    ),
]


@pytest.mark.parametrize(
    "packet, expected", GOLDEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_bytes_are_those_of_the_standard(packet, expected):
    assert packet.encode().hex() == expected
    assert list(codec.Decoder().feed(bytes.fromhex(expected))) == [packet]


@pytest.mark.parametrize(
    "count, expected",
    [(0, "00"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001"), (268435455, "ffffff7f")],
)
def test_remaining_length_takes_one_to_four_bytes(count, expected):
    assert codec.length(count).hex() == expected


MALFORMED = {
    "a length of five bytes": "30ffffffff01",
    "packet type 0": "0000",
    "packet type 15": "f000",
    "reserved flags of PINGREQ": "c100",
    "reserved flags of SUBSCRIBE": "8006000a00016100",
    "QoS 3": "3606000161000a78",
    "dup without QoS": "380400016178",
    "topic with a wildcard": "30040002612b",
    "empty topic": "30020000",
    "packet id 0": "32050001610000",
    "topic that is not UTF-8": "30040002c328",
    "U+0000 in a topic": "300400026100",
    "a string longer than its packet": "30040009612f",
    "a surrogate": "30050003eda080",
    "SUBSCRIBE without topics": "8202000a",
    "SUBSCRIBE with QoS 3": "8206000a00016103",
    "wildcard inside a level": "8207000a0002612b00",
    "# before the end": "8208000a0003232f6100",
    "UNSUBSCRIBE without topics": "a202000a",
    "bytes after PUBACK": "4003000a00",
    "PINGREQ with a body": "c00100",
    "not MQTT": "10080004485454500402",
    "reserved CONNECT flag": "100d00044d51545404c3003c000163",
    "will QoS without will": "100d00044d51545404 0a003c000163".replace(" ", ""),
    "will QoS 3": "100d00044d515454041e003c000163",
    "password without user name": "100d00044d5154540442003c000163",
    "bytes after CONNECT": "100e00044d5154540402003c00016300",
    "SUBACK with code 3": "9003000a03",
    "CONNACK with flags 2": "20020200",
}


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_broken_packet_is_malformed(stream):
    with pytest.raises(codec.Malformed):
        list(codec.Decoder().feed(bytes.fromhex(stream)))


def test_good_packets_before_a_broken_one_are_still_given():
    seen = []
    with pytest.raises(codec.Malformed):
        for packet in codec.Decoder().feed(bytes.fromhex("c000d0000000")):
            seen.append(packet)
    assert seen == [codec.Pingreq(), codec.Pingresp()]


def test_a_packet_above_the_limit_is_refused_by_its_header_alone():
    with pytest.raises(codec.TooLarge):
        list(codec.Decoder(limit=100).feed(bytes.fromhex("3065")))
    assert list(codec.Decoder(limit=100).feed(bytes.fromhex("3064"))) == []


@pytest.mark.parametrize("level, name", [(5, "MQTT"), (0x84, "MQTT"), (4, "MQIsdp")])
def test_an_unknown_protocol_level_is_read_as_far_as_the_level(level, name):
    stream = codec.packet(0x10, codec.text(name) + bytes((level,)) + b"whatever follows")
    assert [(packet.protocol, packet.level) for packet in codec.Decoder().feed(stream)] == [(name, level)]
