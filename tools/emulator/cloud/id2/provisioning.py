"""One-time provisioning: the product's secret, the device's request, the answer (id2.md 1.4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from tools.emulator.cloud.id2.keys import NUMBERS, Key

SECRET = re.compile(r"[ix][12][1-9][\x21-\x7e]{29,61}")
SECRET_RULE = (
    "of an ID2 product is the provisioning token: i or x, 1 or 2, the key type's digit "
    "(1 AES-128, 2 AES-192, 3 AES-256), then 16 characters or, after 2, base64 from the 9th on; "
    "32 to 64 in all"
)
VERSION = b"\x00\x00\x01\x00"
REQUEST_MAX = 256
SESSION_KEY = 16


class Malformed(ValueError):
    """A request that is none, or was made with another secret."""


@dataclass(frozen=True)
class Wish:
    """What a device asks with: number of the key type, its session key, its fingerprint."""

    key_type: int
    session_key: bytes = field(repr=False)
    fingerprint: bytes


def provisioning_key(secret: str) -> Key:
    """The AES `Key` in a product secret; raises ValueError for a secret that holds none."""
    if not SECRET.fullmatch(secret):
        raise ValueError(SECRET_RULE)
    try:
        value = secret[3:19].encode() if secret[1] == "1" else base64.b64decode(secret[8:], validate=True)
    except binascii.Error:
        raise ValueError(SECRET_RULE) from None
    name = next((name for name in NUMBERS.values() if len(value) == Key(name, b"").kind.size), None)
    if name is None:
        raise ValueError(SECRET_RULE)
    return Key(name, value)


def key_type(secret: str) -> int:
    """The number of the key type that a product secret asks for."""
    return int(secret[2])


def is_of(request: bytes, key: Key) -> bool:
    """Whether a request names the provisioning key `key` by its digest."""
    return request[4:36] == hashlib.sha256(key.value).digest()


def read(request: bytes, key: Key) -> Wish:
    """The `Wish` in a request that is of `key`; raises `Malformed`."""
    if len(request) > REQUEST_MAX or request[:4] != VERSION or len(request) < 84:
        raise Malformed("not a provisioning request")
    try:
        report = key.decrypt(request[68:])
    except ValueError:
        raise Malformed("the request does not decrypt") from None
    if hashlib.sha256(report).digest() != request[36:68] or len(report) < 1 + SESSION_KEY:
        raise Malformed("the request's digest is wrong")
    return Wish(report[0], report[1 : 1 + SESSION_KEY], report[1 + SESSION_KEY :])


def answer(wish: Wish, id2: str, key: Key) -> bytes:
    """The response that gives `id2` and its `key`."""
    return (
        bytes((wish.key_type,))
        + id2.encode()
        + Key("AES_128", wish.session_key).encrypt(key.value)
        + key.encrypt(id2.encode())
    )
