"""Cipher suites, and the keys of a connection (id2.md 3.1, 4.5)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from tools.emulator.cloud.itls.alerts import HANDSHAKE, Alert


@dataclass(frozen=True)
class Suite:
    """`key` is the cipher key's size in bytes, `hash` that of the MAC."""

    number: int
    name: str
    key: int
    hash: str

    @property
    def mac(self) -> int:
        """Bytes of a MAC, and of its key."""
        return hashlib.new(self.hash).digest_size


SUITES = {
    f"{suite.number:X}": suite
    for suite in (
        Suite(0xD001, "AES128-CBC-SHA", 16, "sha1"),
        Suite(0xD002, "AES256-CBC-SHA", 32, "sha1"),
        Suite(0xD003, "AES128-CBC-SHA256", 16, "sha256"),
        Suite(0xD004, "AES256-CBC-SHA256", 32, "sha256"),
    )
}


@dataclass(frozen=True)
class Keys:
    """What both sides derive at the ServerHello."""

    suite: Suite
    master: bytes = field(repr=False)
    client_mac: bytes = field(repr=False)
    server_mac: bytes = field(repr=False)
    client_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def verify(self, side: bytes, transcript: bytes) -> bytes:
        """The 12 bytes of the Finished of `side`, b"client" or b"server", over handshake messages."""
        return prf(self.master, side + b" finished", hashlib.sha256(transcript).digest(), 12)


def prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """P_SHA256 of RFC 5246, section 5."""
    seed = block = label + seed
    out = b""
    while len(out) < size:
        block = hmac.digest(secret, block, "sha256")
        out += hmac.digest(secret, block + seed, "sha256")
    return out[:size]


def derive(suite: Suite, premaster: bytes, client_random: bytes, server_random: bytes) -> Keys:
    """The `Keys` of a connection."""
    master = prf(premaster, b"master secret", client_random + server_random, 48)
    sizes = (suite.mac, suite.mac, suite.key, suite.key)
    block = prf(master, b"key expansion", server_random + client_random, sum(sizes))
    keys = []
    for size in sizes:
        keys.append(block[:size])
        block = block[size:]
    return Keys(suite, master, *keys)


def choose(hello, switches):
    """The suite that the server likes best of those that the device has; raises `Alert`."""
    for name in switches.itls_suites:
        if SUITES[name].number in hello.suites:
            return SUITES[name]
    raise Alert(HANDSHAKE, "no common cipher suite")
