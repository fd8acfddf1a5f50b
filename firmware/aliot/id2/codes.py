"""How a device and a server prove themselves by ID², over a `SecureElement`: pure, no I/O (id2.md 2).

IDs, challenges and codes are ASCII as bytes.
"""

import os
from binascii import b2a_base64, hexlify
from hashlib import sha256


def pad(data):
    """`data` with PKCS#5 padding to whole blocks of 16 bytes."""
    size = 16 - len(data) % 16
    return data + bytes((size,)) * size


def unpad(data):
    """`data` (whole blocks) without its PKCS#5 padding; ValueError when that is wrong anywhere."""
    size = data[-1]
    if not 0 < size < 17 or data[-size:] != bytes((size,)) * size:
        raise ValueError("padding")
    return data[:-size]


def same(one, other):
    """Whether two byte strings are equal, in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for a, b in zip(one, other):
        difference |= a ^ b
    return not difference


def digits(data):
    """`data` as upper-case hex."""
    return hexlify(data).upper()


def sign(element, message):
    """48 bytes: the SHA-256 of `message`, padded, under the element's key (id2.md 2.2)."""
    return element.ecb_encrypt(pad(sha256(message).digest()))


def device_code(element, kind, server_random, extra=b"", rng=os.urandom):
    """The code that proves the device to a server, b"T~2~DRAND~SRAND~SIG" (id2.md 2.1).

    `kind` is 0 for a challenge, 1 for a timestamp, 2 and 3 for the same with `extra` of 1 to 512 bytes;
    `server_random` the server's challenge (1 to 32 printable characters, no ~) or the time in milliseconds
    as decimal digits. ValueError when these do not fit together.
    """
    if (
        not 0 <= kind <= 3
        or (kind > 1) != (0 < len(extra) <= 512)
        or not 0 < len(server_random) <= 32
        or kind & 1
        and not server_random.isdigit()
        or min(server_random) < 32
        or max(server_random) > 125
    ):
        raise ValueError("no device code can be made of this")
    device_random = digits(rng(8))
    proof = sign(element, element.get_id() + device_random + server_random + extra)
    return b"%d~2~%s~%s~%s" % (kind, device_random, server_random, _base64(proof))


def verify_server(element, code, challenge, extra=b""):
    """Whether `code` proves the server: type, hash, `challenge` and signature all right (id2.md 2.3)."""
    inverted = b"%024X" % (int(element.get_id(), 16) ^ (1 << 96) - 1)
    proof = sign(element, inverted + challenge + extra)
    return same(code, b"%d~2~%s~%s" % (11 if extra else 10, challenge, _base64(proof)))


def _base64(data):
    return b2a_base64(data)[:-1]
