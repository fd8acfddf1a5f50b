"""Codes that prove a device and a server to each other, the premaster, and what an application can do. Pure.

All over a secure element (aliot.id2); id2.md 2, 4.5. IDs, challenges, codes and seeds are ASCII as bytes.
"""

import os
from binascii import a2b_base64, b2a_base64, hexlify
from hashlib import sha256

from cryptolib import aes


def pad(data, less=0):
    """`data` with PKCS#5 padding to whole blocks of 16 bytes; TLS says one `less` in each byte."""
    size = 16 - len(data) % 16
    return data + bytes((size - less,)) * size


def unpad(data):
    """`data` (whole blocks) without its PKCS#5 padding; ValueError when that is wrong anywhere."""
    size = data[-1]
    if not 0 < size <= 16 or data[-size:] != data[-1:] * size:
        raise ValueError("padding")
    return data[:-size]


def wrap(key, data):
    """`data`, padded, under `key` itself: AES-ECB."""
    return aes(key, 1).encrypt(pad(data))


def unwrap(key, data):
    """What `wrap` made `data` of; ValueError as from `unpad`."""
    return unpad(aes(key, 1).decrypt(data))


def same(data, other):
    """Whether two byte strings are equal, in a time that does not tell where they differ."""
    difference = len(data) ^ len(other)
    for a, b in zip(data, other):
        difference |= a ^ b
    return not difference


def digits(data):
    """`data` as upper-case hex."""
    return hexlify(data).upper()


def digest(data):
    """The SHA-256 of `data`."""
    return sha256(data).digest()


def sign(element, data):
    """48 bytes: the SHA-256 of `data`, padded, under the element's key (id2.md 2.2)."""
    return element.ecb_encrypt(pad(digest(data)))


def device_code(element, kind, challenge, extra=b"", rng=os.urandom):
    """The code that proves the device to a server, b"T~2~DRAND~SRAND~SIG" (id2.md 2.1).

    `kind` is 0 for a challenge, 1 for a timestamp, 2 and 3 for the same with `extra` of 1 to 512 bytes;
    `challenge` is that of the server (1 to 32 printable characters, no ~) or the time in milliseconds as
    decimal digits. ValueError when these do not fit together.
    """
    if (
        not 0 <= kind < 4
        or (kind > 1) != bool(extra)
        or len(extra) > 512
        or not challenge
        or len(challenge) > 32
        or kind & 1
        and not challenge.isdigit()
        or min(challenge) < 32
        or max(challenge) > 125
    ):
        raise ValueError("challenge")
    return _code(element, kind, element.get_id(), digits(rng(8)) + b"~" + challenge, extra)


def verify_server(element, code, challenge, extra=b""):
    """Whether `code` proves the server: type, hash, `challenge` and signature all right (id2.md 2.3)."""
    inverted = b"%024X" % (int(b"F" * 24, 16) - int(element.get_id(), 16))
    return same(code, _code(element, 11 if extra else 10, inverted, challenge, extra))


def _code(element, kind, id, data, extra):
    signed = sign(element, id + data.replace(b"~", b"") + extra)
    return b"%d~2~%s~%s" % (kind, data, b2a_base64(signed)[:-1])


def premaster(element, data, device, server):
    """The 48 bytes that a server chose (id2.md 4.5), or None when it may be one without the key.

    All that the key ever encrypts is ECB under this one key, so that a server without it could put a
    "premaster" together from blocks whose plain text it knows (id2.md 7.2). Refused are the blocks of both
    codes of this handshake, the constant padding block, the padded ID (as a provisioning response carries
    it) and a block that comes twice. Blocks of earlier handshakes cannot be told from others: that weakness
    is the protocol's.
    """
    known = a2b_base64(device[-64:] + server[-64:])
    known += element.ecb_encrypt(pad(pad(element.get_id())))  # the padding block is the last one
    if len(data) != 64 or data[48:] != known[-16:]:
        return None
    for start in range(0, 48, 16):
        block = data[start : start + 16]
        if block in known:
            return None
        known += block
    return element.ecb_decrypt(data)[:48]


# For an application beside its link.


def decrypt(element, data):
    """The plain bytes of data that a server encrypted for this device, at most 1024 (id2.md 2.2).

    ValueError when the length is not one of ECB or the padding is wrong.
    """
    if not data or len(data) > 1024 or len(data) % 16:
        raise ValueError("length")
    return unpad(element.ecb_decrypt(data))


def get_secret(element, seed):
    """A secret of this device for `seed`: 64 upper-case hex digits (id2.md 2.2)."""
    return digits(digest(sign(element, seed)))


def derive_key(element, seed, size=32):
    """A key of `size` bytes (1 to 32) of this device for `seed` (id2.md 2.2)."""
    if not 0 < size <= 32:
        raise ValueError("length")
    return digest(sign(element, element.get_id() + seed))[:size]


def encrypt(element, seed, data):
    """`data` under AES-256-ECB with the derived key of `seed` (id2.md 2.2); equal blocks show as equal."""
    return wrap(derive_key(element, seed), data)
