"""Records: taken apart, and protected by CBC and HMAC, MAC before padding (id2.md 4.1, 4.7)."""

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tools.emulator.cloud.itls.alerts import BAD_RECORD, OVERFLOW, UNEXPECTED, VERSION, Alert

ALERT, HANDSHAKE, DATA = 21, 22, 23
KINDS = (ALERT, HANDSHAKE, DATA)
PROTOCOL = b"\x03\x03"
HEAD = 5
PLAIN_MAX = 2**14
GROWTH = 2048  # what protection may add to a record, RFC 5246 6.2.3
BLOCK = 16
BAD = "a record's padding or MAC is wrong"


def frame(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + PROTOCOL + len(body).to_bytes(2, "big") + body


class Reader:
    """Cuts a stream of bytes into records."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self.buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """(type, body) of the next whole record, or None; raises `Alert` as soon as a header is wrong."""
        head = self.buffer[:HEAD]
        if head and head[0] not in KINDS:
            raise Alert(UNEXPECTED, f"no record is of type {head[0]}")
        if len(head) < HEAD:
            return None
        size = int.from_bytes(head[3:], "big")
        if head[1:3] != PROTOCOL:
            raise Alert(VERSION, f"a record is of version {head[1:3].hex()}")
        if size > PLAIN_MAX + GROWTH:
            raise Alert(OVERFLOW, f"a record has {size} bytes")
        if len(self.buffer) < HEAD + size:
            return None
        body = bytes(self.buffer[HEAD : HEAD + size])
        del self.buffer[: HEAD + size]
        return head[0], body


@dataclass
class Protection:
    """One direction's keys and sequence number."""

    mac_key: bytes
    key: bytes
    hash: str
    sequence: int = 0

    def mac(self, kind: int, data: bytes) -> bytes:
        head = self.sequence.to_bytes(8, "big") + bytes((kind,)) + PROTOCOL + len(data).to_bytes(2, "big")
        return hmac.digest(self.mac_key, head + data, self.hash)

    def seal(self, kind: int, data: bytes, iv: bytes) -> bytes:
        """The protected body of a record with `data`."""
        sealed = self.close(data + self.mac(kind, data), iv)
        self.sequence += 1
        return sealed

    def close(self, text: bytes, iv: bytes) -> bytes:
        """Pads and encrypts what holds its MAC already."""
        padding = BLOCK - 1 - len(text) % BLOCK
        return self.encrypt(text + bytes((padding,)) * (padding + 1), iv)

    def encrypt(self, text: bytes, iv: bytes) -> bytes:
        encryptor = Cipher(AES(self.key), CBC(iv)).encryptor()
        return iv + encryptor.update(text) + encryptor.finalize()

    def open(self, kind: int, body: bytes) -> bytes:
        """The data in a protected body; raises the same `Alert` whatever is wrong with it."""
        size = hmac.new(self.mac_key, digestmod=self.hash).digest_size
        if len(body) % BLOCK or len(body) < BLOCK + size + 1:
            raise Alert(BAD_RECORD, BAD)
        decryptor = Cipher(AES(self.key), CBC(body[:BLOCK])).decryptor()
        text = decryptor.update(body[BLOCK:]) + decryptor.finalize()
        padding = text[-1]
        room = padding + 1 + size <= len(text)
        good = room & hmac.compare_digest(text[-padding - 1 :], bytes((padding,)) * (padding + 1))
        end = len(text) - size - (padding + 1 if good else 1)
        if not good & hmac.compare_digest(self.mac(kind, text[:end]), text[end : end + size]):
            raise Alert(BAD_RECORD, BAD)
        if end > PLAIN_MAX:
            raise Alert(OVERFLOW, f"a record holds {end} bytes")
        self.sequence += 1
        return text[:end]
