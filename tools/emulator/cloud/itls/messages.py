"""Handshake messages: ClientHello read and checked, HelloVerifyRequest, ServerHello and Finished written (id2.md 4)."""

from __future__ import annotations

from dataclasses import dataclass

from tools.emulator.cloud.itls.alerts import BAD_KEY_TYPE, DECODE, HANDSHAKE, ILLEGAL, VERSION, Alert
from tools.emulator.cloud.itls.records import PROTOCOL

CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY, FINISHED = 1, 2, 3, 20
FRAGMENT, PRODUCT_KEY, KEY_ID, CODE, PREMASTER = 0x0001, 0x2000, 0x2001, 0x2002, 0x2003
CHALLENGE, PROVISIONED, EXTENDED_VERSION = 0x2010, 0x2011, 0x2020
MESSAGE_MAX = 4096  # bytes of a handshake message; the longest hello that id2.md allows has about 1,000
HEAD = 4
FRAGMENTS = {1: 512, 2: 1024, 3: 2048, 4: 4096}  # max_fragment_length, RFC 6066
KEY_GROUP, HELLO_VERSION = b"\x00\x10\x00\x10", b"\x00\x02\x01\x00"
ID_SIZES = range(24, 49)


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def extension(number: int, value: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def hello_verify(
    *extensions: tuple[int, bytes], version: bytes = PROTOCOL, before: bytes = b"", after: bytes = b""
) -> bytes:
    """No cookie and no outer length, unlike DTLS."""
    return message(HELLO_VERIFY, version + before + b"".join(extension(*one) for one in extensions) + after)


def finished(verify: bytes) -> bytes:
    return message(FINISHED, verify)


class Joiner:
    """Joins the pieces of handshake messages."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self.buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """(type, whole message) or None; raises `Alert` for one that is too long."""
        if len(self.buffer) < HEAD:
            return None
        size = HEAD + int.from_bytes(self.buffer[1:HEAD], "big")
        if size > MESSAGE_MAX:
            raise Alert(DECODE, f"a handshake message has {size} bytes")
        if len(self.buffer) < size:
            return None
        whole = bytes(self.buffer[:size])
        del self.buffer[:size]
        return whole[0], whole


class Bytes:
    """Reads fields off the front; raises `Alert` where there is too little."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Alert(DECODE, "a ClientHello ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A field whose length stands before it in `size` bytes."""
        return self.take(self.number(size))

    @property
    def left(self) -> int:
        return len(self.data) - self.at


@dataclass(frozen=True)
class ClientHello:
    """`suites` are numbers; `extensions` bytes by number, in the order in which they came."""

    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    methods: bytes
    extensions: dict[int, bytes]

    @classmethod
    def parse(cls, whole: bytes) -> ClientHello:
        """The hello in a handshake message; raises `Alert`."""
        fields = Bytes(whole[HEAD:])
        if fields.take(2) != PROTOCOL:
            raise Alert(VERSION, "a ClientHello of another version")
        random, session_id, suites, methods = (
            fields.take(32),
            fields.vector(1),
            fields.vector(2),
            fields.vector(1),
        )
        if len(session_id) > 32 or len(suites) % 2 or not suites:
            raise Alert(DECODE, "a ClientHello's session id or suites are malformed")
        if 0 not in methods:
            raise Alert(ILLEGAL, "a ClientHello without null compression")
        extensions = cls.parse_extensions(Bytes(fields.vector(2)))
        if fields.left:
            raise Alert(DECODE, "bytes after a ClientHello's extensions")
        numbers = tuple(int.from_bytes(suites[at : at + 2], "big") for at in range(0, len(suites), 2))
        return cls(random, session_id, numbers, methods, extensions)

    @staticmethod
    def parse_extensions(fields: Bytes) -> dict[int, bytes]:
        found = {}
        while fields.left:
            number = fields.number(2)
            if number in found:
                raise Alert(ILLEGAL, f"extension {number:04x} is there twice")
            found[number] = fields.vector(2)
        return found

    @property
    def key_group(self) -> bytes:
        return self.extensions[KEY_ID][:4]

    @property
    def id2(self) -> bytes:
        return self.extensions[KEY_ID][4:]

    def same_as(self, other: ClientHello) -> bool:
        """Whether nothing but random and authentication code differs."""

        def kept(hello):
            return (
                hello.session_id,
                hello.suites,
                hello.methods,
                [one for one in hello.extensions.items() if one[0] != CODE],
            )

        return kept(self) == kept(other)


def check_hello(hello, first, switches):
    """Raises `Alert` for a hello that will not do (id2.md 3.2, 4.2); `first` is the one before it here, or None."""
    for number in (KEY_ID, CODE):
        if number not in hello.extensions:
            raise Alert(HANDSHAKE, f"extension {number:04x} is missing")
    if len(hello.id2) not in ID_SIZES:
        raise Alert(DECODE, "the key id has another length than 4 and 24 to 48")
    fragment = hello.extensions.get(FRAGMENT)
    if fragment is not None and (len(fragment) != 1 or fragment[0] not in FRAGMENTS):
        raise Alert(ILLEGAL, "max_fragment_length is none of 1 to 4")
    if switches.itls_key_group == "checked" and hello.key_group != KEY_GROUP:
        raise Alert(BAD_KEY_TYPE, "another key group")
    if switches.itls_version == "checked" and hello.extensions.get(EXTENDED_VERSION) != HELLO_VERSION:
        raise Alert(VERSION, "another extended version")
    if first and switches.itls_hellos == "same" and not hello.same_as(first):
        raise Alert(ILLEGAL, "the second hello differs from the first")
