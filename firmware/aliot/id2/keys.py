"""What ID² and iTLS make of keys: codes, data, keys, and records. Pure (id2.md 2, 4.5, 4.7).

Over a secure element (aliot.id2): codes, which prove a device and a server to each other, the premaster, and
what an application can do with an identity beside its link. Over the premaster: the PRF and the protection of
records, as in RFC 5246 sections 5 and 6.2.3.2. IDs, challenges, codes and seeds are ASCII as bytes.
"""

import os
import struct
from binascii import a2b_base64, b2a_base64, hexlify
from hashlib import sha1, sha256

from aliot.sign import hmac
from cryptolib import aes


def pad(data):
    """`data` with PKCS#5 padding to whole blocks of 16 bytes."""
    size = 16 - len(data) % 16
    return data + bytes((size,)) * size


def unpad(data):
    """`data` (whole blocks) without its PKCS#5 padding; ValueError when that is wrong anywhere."""
    size = data[-1]
    if not 0 < size < 17 or data[-size:] != data[-1:] * size:
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
        raise ValueError("challenge")
    return _code(element, kind, element.get_id(), digits(rng(8)) + b"~" + server_random, extra)


def verify_server(element, code, challenge, extra=b""):
    """Whether `code` proves the server: type, hash, `challenge` and signature all right (id2.md 2.3)."""
    inverted = b"%024X" % (int(element.get_id(), 16) ^ (1 << 96) - 1)
    return same(code, _code(element, 11 if extra else 10, inverted, challenge, extra))


def _code(element, kind, who, text, extra):
    signed = sign(element, who + text.replace(b"~", b"") + extra)
    return b"%d~2~%s~%s" % (kind, text, b2a_base64(signed)[:-1])


def premaster(element, encrypted, device, server):
    """The 48 bytes that a server chose (id2.md 4.5), or None when it may be one without the key.

    All that the key ever encrypts is ECB under this one key, so that a server without it could put a
    "premaster" together from blocks whose plain text it knows (id2.md 7.2). Refused are the blocks of both
    codes of this handshake, the constant padding block, the padded ID (as a provisioning response carries
    it) and a block that comes twice. Blocks of earlier handshakes cannot be told from others: that weakness
    is the protocol's.
    """
    known = a2b_base64(device[-64:] + server[-64:]) + element.ecb_encrypt(pad(element.get_id()) + b"\x10" * 16)
    if len(encrypted) != 64 or encrypted[48:] != known[-16:]:
        return None
    for start in (0, 16, 32):
        block = encrypted[start : start + 16]
        if block in known:
            return None
        known += block
    return element.ecb_decrypt(encrypted)[:48]


# For an application beside its link.


def decrypt(element, data):
    """The plain bytes of data that a server encrypted for this device, at most 1024 (id2.md 2.2).

    ValueError when the length is not one of ECB or the padding is wrong.
    """
    if not 0 < len(data) <= 1024 or len(data) % 16:
        raise ValueError("length")
    return unpad(element.ecb_decrypt(data))


def get_secret(element, seed):
    """A secret of this device for `seed`: 64 upper-case hex digits (id2.md 2.2)."""
    return digits(sha256(sign(element, seed)).digest())


def derive_key(element, seed, size=32):
    """A key of `size` bytes (1 to 32) of this device for `seed` (id2.md 2.2)."""
    if not 0 < size <= 32:
        raise ValueError("length")
    return sha256(sign(element, element.get_id() + seed)).digest()[:size]


def encrypt(element, seed, data):
    """`data` under AES-256-ECB with the derived key of `seed` (id2.md 2.2); equal blocks show as equal."""
    return aes(derive_key(element, seed), 1).encrypt(pad(data))


# The link: keys and records.


def prf(key, label, data, size):
    """`size` bytes of P_SHA256(key, label + data)."""
    data = chain = label + data
    out = b""
    while len(out) < size:
        chain = hmac(sha256, key, chain)
        out += hmac(sha256, key, chain + data)
    return out[:size]


class Direction:
    """The protection of one direction: its keys, and its sequence number, which begins with its Finished."""

    count = 0

    def __init__(self, hash, mac, key):
        self.hash = hash
        self.mac = mac  # the key of the MAC, and as long as one
        self.key = key

    def seal(self, kind, data, iv):
        """The body of a record of `data`; `iv` is 16 fresh random bytes."""
        data += self.tag(kind, data)
        size = 15 - len(data) % 16
        return iv + aes(self.key, 2, iv).encrypt(data + bytes((size,)) * (size + 1))

    def open(self, kind, data):
        """The plain data of a record's body, or None when anything about it is wrong.

        Padding and MAC give one answer, after the same work: with a wrong padding too the MAC is computed,
        and what the padding leaves out of the hash is hashed beside it.
        """
        room = len(data) - 16 - len(self.mac)
        if len(data) % 16 or room < 1:
            return None
        data = aes(self.key, 2, data[:16]).decrypt(data[16:])
        size = data[-1] + 1
        good = size <= room and data[-size:] == data[-1:] * size
        end = room - (size if size <= room else 1)
        tag = self.tag(kind, data[:end])
        hmac(self.hash, self.mac, data[end:room])
        return data[:end] if same(data[end : end + len(tag)], tag) and good else None

    def tag(self, kind, data):
        self.count += 1
        return hmac(self.hash, self.mac, struct.pack(">QBHH", self.count - 1, kind, 0x0303, len(data)) + data)


def directions(suite, master, client_random, server_random):
    """(client to server, server to client), each a `Direction`, out of the master secret of 48 bytes.

    Suites D001 and D002 are those of SHA-1 in the 2018 build; D002 and D004 have cipher keys of 32 bytes.
    """
    suite = suite[1]
    hash, size = (sha1, 20) if suite < 3 else (sha256, 32)
    end = 2 * size
    step = 32 >> (suite & 1)
    data = prf(master, b"key expansion", server_random + client_random, end + 2 * step)
    return (
        Direction(hash, data[:size], data[end : end + step]),
        Direction(hash, data[size:end], data[end + step :]),
    )
