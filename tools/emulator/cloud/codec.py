"""MQTT 3.1.1 (and 3.1) packets to bytes and back. Pure: no socket, no clock.

Strict where the standard says that a receiver must close the connection:
such input raises `Malformed`, and the decoder must not be used afterwards.
Section numbers in square brackets are those of the MQTT 3.1.1 standard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

MAX_REMAINING = 268_435_455
PROTOCOLS = {("MQTT", 4), ("MQIsdp", 3)}
PROTOCOL_NAMES = {"MQTT", "MQIsdp"}


class Malformed(Exception):
    """The peer broke the protocol; the text says how."""


class TooLarge(Malformed):
    """A packet announces more bytes than the reader allows."""


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """CONNECT. With a `level` that `PROTOCOLS` lacks, only protocol and level are read [3.1.2.2]."""

    client_id: str = ""
    username: str | None = None
    password: bytes | None = None
    keep_alive: int = 0
    clean_session: bool = True
    will: Will | None = None
    protocol: str = "MQTT"
    level: int = 4

    def encode(self) -> bytes:
        flags = self.clean_session << 1
        body = text(self.client_id)
        if self.will:
            flags |= 0x04 | self.will.qos << 3 | self.will.retain << 5
            body += text(self.will.topic) + blob(self.will.payload)
        if self.username is not None:
            flags |= 0x80
            body += text(self.username)
        if self.password is not None:
            flags |= 0x40
            body += blob(self.password)
        head = text(self.protocol) + bytes((self.level, flags)) + self.keep_alive.to_bytes(2, "big")
        return packet(0x10, head + body)


@dataclass(frozen=True, slots=True)
class Connack:
    code: int = 0
    session_present: bool = False

    def encode(self) -> bytes:
        return bytes((0x20, 2, self.session_present, self.code))


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    payload: bytes = b""
    qos: int = 0
    packet_id: int | None = None
    retain: bool = False
    dup: bool = False

    def encode(self) -> bytes:
        head = text(self.topic)
        if self.qos:
            head += cast(int, self.packet_id).to_bytes(2, "big")
        return packet(0x30 | self.dup << 3 | self.qos << 1 | self.retain, head + self.payload)


@dataclass(frozen=True, slots=True)
class Ack:
    """PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK: a kind and a packet id."""

    kind: str
    packet_id: int

    def encode(self) -> bytes:
        return packet(ACK_HEADS[self.kind], self.packet_id.to_bytes(2, "big"))


ACK_HEADS = {"puback": 0x40, "pubrec": 0x50, "pubrel": 0x62, "pubcomp": 0x70, "unsuback": 0xB0}


@dataclass(frozen=True, slots=True)
class Subscribe:
    packet_id: int
    topics: tuple[tuple[str, int], ...]  # of (filter, qos)

    def encode(self) -> bytes:
        body = b"".join(text(topic) + bytes((qos,)) for topic, qos in self.topics)
        return packet(0x82, self.packet_id.to_bytes(2, "big") + body)


@dataclass(frozen=True, slots=True)
class Suback:
    packet_id: int
    codes: tuple[int, ...]

    def encode(self) -> bytes:
        return packet(0x90, self.packet_id.to_bytes(2, "big") + bytes(self.codes))


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    packet_id: int
    topics: tuple[str, ...]

    def encode(self) -> bytes:
        return packet(0xA2, self.packet_id.to_bytes(2, "big") + b"".join(map(text, self.topics)))


@dataclass(frozen=True, slots=True)
class Pingreq:
    def encode(self) -> bytes:
        return b"\xc0\x00"


@dataclass(frozen=True, slots=True)
class Pingresp:
    def encode(self) -> bytes:
        return b"\xd0\x00"


@dataclass(frozen=True, slots=True)
class Disconnect:
    def encode(self) -> bytes:
        return b"\xe0\x00"


Packet = (
    Connect | Connack | Publish | Ack | Subscribe | Suback | Unsubscribe | Pingreq | Pingresp | Disconnect
)


def length(n: int) -> bytes:
    """The remaining length of 0 to 268,435,455 as 1 to 4 bytes [2.2.3]."""
    if not 0 <= n <= MAX_REMAINING:
        raise ValueError(f"a packet cannot hold {n} bytes")
    out = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        out.append(low | 0x80 if n else low)
        if not n:
            return bytes(out)


def packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + length(len(body)) + body


def blob(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def text(value: str) -> bytes:
    return blob(value.encode())


class Reader:
    """Takes fields off the front of one packet's body."""

    __slots__ = ("data", "at")

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, n: int) -> bytes:
        if self.left() < n:
            raise Malformed("a packet ends inside a field")
        piece = self.data[self.at : self.at + n]
        self.at += n
        return piece

    def byte(self) -> int:
        return self.take(1)[0]

    def word(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def blob(self) -> bytes:
        return self.take(self.word())

    def text(self) -> str:
        try:
            value = self.blob().decode()
        except UnicodeDecodeError:
            raise Malformed("a string is not UTF-8") from None
        if "\0" in value:
            raise Malformed("a string holds U+0000")
        return value

    def packet_id(self) -> int:
        value = self.word()
        if not value:
            raise Malformed("packet id 0")
        return value

    def end(self) -> None:
        if self.left():
            raise Malformed("bytes after the last field")


def read_connect(flags: int, body: Reader) -> Connect:
    protocol, level = body.text(), body.byte()
    if protocol not in PROTOCOL_NAMES:
        raise Malformed("not MQTT")
    if (protocol, level) not in PROTOCOLS:
        return Connect(protocol=protocol, level=level)
    bits, keep_alive = body.byte(), body.word()
    if bits & 0x01:
        raise Malformed("reserved CONNECT flag set")
    has_will, will_qos, will_retain = bool(bits & 4), bits >> 3 & 3, bool(bits & 0x20)
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise Malformed("contradicting will flags")
    if bits & 0x40 and not bits & 0x80:
        raise Malformed("password without user name")
    client_id = body.text()
    will = Will(topic_name(body.text()), body.blob(), will_qos, will_retain) if has_will else None
    username = body.text() if bits & 0x80 else None
    password = body.blob() if bits & 0x40 else None
    return Connect(client_id, username, password, keep_alive, bool(bits & 2), will, protocol, level)


def read_connack(flags: int, body: Reader) -> Connack:
    present, code = body.byte(), body.byte()
    if present > 1:
        raise Malformed("reserved CONNACK flags set")
    return Connack(code, bool(present))


def topic_name(topic: str) -> str:
    if not topic or "+" in topic or "#" in topic:
        raise Malformed("a topic name is empty or holds a wildcard")
    return topic


def topic_filter(topic: str) -> str:
    """`topic` if it is a filter as [4.7] wants it."""
    levels = topic.split("/")
    whole = all(level in ("+", "#") for level in levels if "+" in level or "#" in level)
    if not topic or not whole or "#" in levels[:-1]:
        raise Malformed("a topic filter is empty or has a wildcard in the wrong place")
    return topic


def read_publish(flags: int, body: Reader) -> Publish:
    qos = flags >> 1 & 3
    if qos == 3 or (flags & 8 and not qos):
        raise Malformed("PUBLISH flags contradict each other")
    topic = topic_name(body.text())
    packet_id = body.packet_id() if qos else None
    return Publish(topic, body.take(body.left()), qos, packet_id, bool(flags & 1), bool(flags & 8))


def read_subscribe(flags: int, body: Reader) -> Subscribe:
    packet_id, topics = body.packet_id(), []
    while body.left():
        topic, qos = topic_filter(body.text()), body.byte()
        if qos > 2:
            raise Malformed("a subscription asks for a QoS above 2")
        topics.append((topic, qos))
    if not topics:
        raise Malformed("SUBSCRIBE without topics")
    return Subscribe(packet_id, tuple(topics))


def read_suback(flags: int, body: Reader) -> Suback:
    packet_id, codes = body.packet_id(), tuple(body.take(body.left()))
    if not codes or not set(codes) <= {0, 1, 2, 0x80}:
        raise Malformed("SUBACK without codes or with unknown ones")
    return Suback(packet_id, codes)


def read_unsubscribe(flags: int, body: Reader) -> Unsubscribe:
    packet_id, topics = body.packet_id(), []
    while body.left():
        topics.append(topic_filter(body.text()))
    if not topics:
        raise Malformed("UNSUBSCRIBE without topics")
    return Unsubscribe(packet_id, tuple(topics))


def reads_ack(kind: str) -> Callable[[int, Reader], Ack]:
    return lambda flags, body: Ack(kind, body.packet_id())


# type -> (flags it must carry, or None where they mean something; reader)
READERS: dict[int, tuple[int | None, Callable[[int, Reader], Packet]]] = {
    1: (0, read_connect),
    2: (0, read_connack),
    3: (None, read_publish),
    4: (0, reads_ack("puback")),
    5: (0, reads_ack("pubrec")),
    6: (2, reads_ack("pubrel")),
    7: (0, reads_ack("pubcomp")),
    8: (2, read_subscribe),
    9: (0, read_suback),
    10: (2, read_unsubscribe),
    11: (0, reads_ack("unsuback")),
    12: (0, lambda flags, body: Pingreq()),
    13: (0, lambda flags, body: Pingresp()),
    14: (0, lambda flags, body: Disconnect()),
}


def check_head(head: int) -> None:
    """Raises `Malformed` for a first byte that begins no packet."""
    wanted, reader = READERS.get(head >> 4, (None, None))
    if reader is None:
        raise Malformed(f"packet type {head >> 4}")
    if wanted not in (None, head & 0x0F):
        raise Malformed("reserved flags of a fixed header")


def read_packet(head: int, data: bytes) -> Packet:
    """One whole packet from its first byte and its body; raises `Malformed`."""
    check_head(head)
    body = Reader(data)
    result = READERS[head >> 4][1](head & 0x0F, body)
    if not (isinstance(result, Connect) and (result.protocol, result.level) not in PROTOCOLS):
        body.end()
    return result


class Decoder:
    """Bytes in any portions in, whole packets out.

    `limit` bounds the remaining length: a packet that announces more raises
    `TooLarge` as soon as its header is there, as a first byte that begins no
    packet is `Malformed` at once.
    """

    def __init__(self, limit=MAX_REMAINING):
        self.limit = limit
        self.buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yields the packets that `data` completes, in order; raises `Malformed` after the good ones."""
        self.buffer += data
        while (found := self.header()) is not None:
            start, end = found
            if len(self.buffer) < end:
                return
            head, body = self.buffer[0], bytes(self.buffer[start:end])
            del self.buffer[:end]
            yield read_packet(head, body)

    def header(self) -> tuple[int, int] | None:
        """(where the body starts, where it ends) of the first packet, None if its header is incomplete."""
        value = 0
        if self.buffer:
            check_head(self.buffer[0])
        for index, byte in enumerate(self.buffer[1:5]):
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if value > self.limit:
                    raise TooLarge(f"a packet of {value} bytes; {self.limit} are allowed")
                return index + 2, index + 2 + value
        if len(self.buffer) >= 5:
            raise Malformed("remaining length of more than 4 bytes")
        return None
