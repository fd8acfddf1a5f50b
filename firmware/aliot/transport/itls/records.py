"""Over the premaster: the PRF and the protection of records, as in RFC 5246 sections 5 and 6.2.3.2. Pure.

id2.md 4.7.
"""

import struct
from hashlib import sha1, sha256

from aliot.id2.codes import pad, same
from aliot.sign import hmac
from cryptolib import aes


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

    count = -1  # of the last record

    def __init__(self, hash, mac, key):
        self.hash = hash
        self.mac = mac  # the key of the MAC, and as long as one
        self.key = key

    def seal(self, kind, data, iv):
        """The body of a record of `data`; `iv` is 16 fresh random bytes."""
        return iv + aes(self.key, 2, iv).encrypt(pad(data + self.tag(kind, data), 1))

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
        end = max(0, room - size)
        tag = self.tag(kind, data[:end])
        hmac(self.hash, self.mac, data[end:room])
        return data[:end] if same(data[end : end + len(tag)], tag) and good else None

    def tag(self, kind, data):
        self.count += 1
        return hmac(self.hash, self.mac, struct.pack(">QBHH", self.count, kind, 0x0303, len(data)) + data)


def directions(suite, key, device, server):
    """(client to server, server to client), each a `Direction`, out of the master secret of 48 bytes.

    Suites D001 and D002 are those of SHA-1 in the 2018 build; D002 and D004 have cipher keys of 32 bytes.
    """
    suite = suite[1]
    hash, size = (sha1, 20) if suite < 3 else (sha256, 32)
    end = 2 * size
    step = 32 >> (suite & 1)
    data = prf(key, b"key expansion", server + device, end + 2 * step)
    return (
        Direction(hash, data[:size], data[end : end + step]),
        Direction(hash, data[size:end], data[end + step :]),
    )
