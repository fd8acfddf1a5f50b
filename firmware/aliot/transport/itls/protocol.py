"""What iTLS puts on the wire: hellos, keys and records (id2.md 3, 4; RFC 5246 sections 5 and 6.2.3.2). Pure.

A handshake message is whole here, with its header of 4 bytes. What cannot be accepted raises ItlsError with
the alert to send.
"""

import struct
from binascii import a2b_base64
from hashlib import sha1, sha256

from aliot.errors import LinkError
from aliot.id2.codes import pad, same
from cryptolib import aes
from micropython import const

_HANDSHAKE_FAILURE = const(40)
_DECODE_ERROR = const(50)
_PROTOCOL_VERSION = const(70)
_INTERNAL_ERROR = const(80)

_FRAGMENT = b"\x02"  # 1024 bytes

# suite: AES key size, hash, MAC size. The two of SHA-1 are those of the 2018 build, not offered by default.
SUITES = {
    b"\xd0\x01": (16, sha1, 20),
    b"\xd0\x02": (32, sha1, 20),
    b"\xd0\x03": (16, sha256, 32),
    b"\xd0\x04": (32, sha256, 32),
}


class ItlsError(LinkError):
    """iTLS was refused: by this client (code `itls`), or with an alert of the server's (`itls.163`).

    `alert` is the number that this client sends, or that the server sent.
    """

    code = "itls"
    retry = "later"

    def __init__(self, detail, alert):
        super().__init__(detail)
        self.alert = alert


def client_hello(product_key, identity, code, random, suites):
    """The ClientHello (id2.md 4.2); `code` is empty, the device code or a provisioning request."""
    group = b"\x00\x10\x00\x10"  # u32 LE 0x10001000
    version = b"\x00\x02\x01\x00"  # u32 LE 0x00010200
    # max_fragment_length, auth extra, key id, auth code, extended version
    extensions = b"\x00\x01" + _sized(_FRAGMENT) + b"\x20\x00" + _sized(product_key)
    extensions += b"\x20\x01" + _sized(group + identity) + b"\x20\x02" + _sized(code)
    extensions += b"\x20\x20" + _sized(version)
    suites = _sized(suites + b"\x00\xff")
    return message(1, b"\x03\x03" + random + b"\x00" + suites + b"\x01\x00" + _sized(extensions))


def message(kind, body):
    """The handshake message of this type."""
    return bytes((kind, 0)) + _sized(body)


def extensions(data, at):
    """{number: bytes} of a server's hello from its extensions on; each may be there once."""
    if data[4:6] != b"\x03\x03":
        raise ItlsError("version", _PROTOCOL_VERSION)
    found = {}
    end = len(data)
    while at + 4 <= end:
        number, size = struct.unpack_from(">HH", data, at)
        at += 4 + size
        if number in found:
            at = end + 1
        found[number] = data[at - size : at]
    if at != end:
        raise ItlsError("extensions", _DECODE_ERROR)
    return found


def server_hello(data, suites):
    """(server random, suite, server code, encrypted premaster) of a ServerHello (id2.md 4.4).

    Code and premaster must both be there: without the premaster anyone could derive the keys
    (id2.md 7.1). Unknown extensions are ignored.
    """
    at = 39 + (data + bytes(39))[38]
    suite, compression, size = struct.unpack_from(">2sBH", data + bytes(300), at)
    found = extensions(data, at + 5)
    if suite not in SUITES or suite not in suites:
        raise ItlsError("suite", _INTERNAL_ERROR)
    if at > 71 or compression or len(data) != at + 5 + size or found.get(1, _FRAGMENT) != _FRAGMENT:
        raise ItlsError("ServerHello", _DECODE_ERROR)
    return data[6:38], suite, found.get(0x2002, b""), found.get(0x2003, b"")


def premaster(element, encrypted, device_code, server_code):
    """The 48 bytes of the premaster (id2.md 4.5), or ItlsError.

    All that the key ever encrypts is ECB under this one key, so that a server without it could put a
    "premaster" together from blocks whose plain text it knows (id2.md 7.2). Refused are the blocks of both
    codes of this handshake, the constant padding block, the padded ID (as a provisioning response carries
    it) and a block that comes twice. Blocks of earlier handshakes cannot be told from others: that weakness
    is the protocol's.
    """
    known = element.ecb_encrypt(b"\x10" * 16 + pad(element.get_id())) + a2b_base64(
        device_code[-64:] + server_code[-64:]
    )
    blocks = _blocks(encrypted[:48])
    if len(encrypted) != 64 or encrypted[48:] != known[:16] or len(blocks) != 3 or blocks & _blocks(known):
        raise ItlsError("premaster", _HANDSHAKE_FAILURE)
    return element.ecb_decrypt(encrypted)[:48]


def _blocks(data):
    return {data[i : i + 16] for i in range(0, len(data), 16)}


def _sized(data):
    return struct.pack(">H", len(data)) + data


def hmac(hash, key, data):
    """The HMAC of `data` under `key` (at most 64 bytes), both bytes."""
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    for mask in (b"6", b"\\"):  # 0x36, 0x5C
        data = hash((key ^ int.from_bytes(mask * 64, "big")).to_bytes(64, "big") + data).digest()
    return data


def prf(secret, label, seed, size):
    """`size` bytes of P_SHA256(secret, label + seed)."""
    seed = chain = label + seed
    out = b""
    while len(out) < size:
        chain = hmac(sha256, secret, chain)
        out += hmac(sha256, secret, chain + seed)
    return out[:size]


class Direction:
    """The protection of one direction: its keys, and its sequence number, which begins with its Finished."""

    def __init__(self, suite, mac_key, key):
        _, self._hash, self._size = SUITES[suite]
        self._mac_key = mac_key
        self._key = key
        self._sequence = 0

    def seal(self, kind, data, iv):
        """The body of a record of `data`; `iv` is 16 fresh random bytes."""
        body = data + self._tag(kind, data)
        size = 15 - len(body) % 16
        return iv + aes(self._key, 2, iv).encrypt(body + bytes((size,)) * (size + 1))

    def open(self, kind, body):
        """The plain data of a record's body, or None when anything about it is wrong.

        Padding and MAC give one answer, after the same work: with a wrong padding too the MAC is computed,
        and what the padding leaves out of the hash is hashed beside it.
        """
        if len(body) % 16 or len(body) < 17 + self._size:
            return None
        plain = aes(self._key, 2, body[:16]).decrypt(body[16:])
        size = plain[-1] + 1
        room = len(plain) - self._size
        good = size <= room and plain[-size:] == plain[-1:] * size
        end = room - (size if size <= room else 1)
        tag = self._tag(kind, plain[:end])
        hmac(self._hash, self._mac_key, plain[end:room])
        return plain[:end] if same(plain[end : end + self._size], tag) and good else None

    def _tag(self, kind, data):
        self._sequence += 1
        head = struct.pack(">QBHH", self._sequence - 1, kind, 0x0303, len(data))
        return hmac(self._hash, self._mac_key, head + data)


def directions(suite, master, client_random, server_random):
    """(client to server, server to client), each a `Direction`, out of the master secret of 48 bytes."""
    key, _, mac = SUITES[suite]
    block = prf(master, b"key expansion", server_random + client_random, 2 * (mac + key))
    keys = block[2 * mac :]
    return Direction(suite, block[:mac], keys[:key]), Direction(suite, block[mac : 2 * mac], keys[key:])
