"""ID²: an identity that is an ID and a secret key in a secure element (id2.md). The way in `id2`.

Opt-in: nothing of it is loaded unless a board's record asks for it. The contract of a secure element, which a
driver of a security chip fills in (id2.md 1, 9.1, 10); its key is of type AES_128 or AES_256:

    is_provisioned()     whether there is an identity
    get_id()             the ID: 24 upper-case hex digits, as bytes; 48 F where there is none yet
    ecb_encrypt(data)    a multiple of 16 bytes under the key, AES-ECB without padding
    ecb_decrypt(data)    the reverse
    store(id, key)       only where an identity may come over the air: keep the first and only one (AES by
                         the key's size), whole or not at all, before returning; CredentialError when there
                         is one already or this is none

What follows the credential is pure (id2.md 2, 4.5, 4.7). Over a secure element: codes, which prove a device and a
server to each other, the premaster, and what an application can do with an identity beside its link. Over the
premaster: the PRF and the protection of records, as in RFC 5246 sections 5 and 6.2.3.2. IDs, challenges, codes
and seeds are ASCII as bytes.
"""

import os
import struct
import time
from array import array
from binascii import a2b_base64, b2a_base64, hexlify
from hashlib import sha1, sha256

from aliot import part
from aliot.credentials import Identity, device_name, text
from aliot.errors import AliotError, CredentialError
from aliot.sign import hmac, hmac_hex
from aliot.store import Nvs, Store, _owner
from cryptolib import aes
from micropython import const

_PRODUCT_KEY = const(2)  # tags of aliot.record
_PRODUCT_SECRET = const(5)
_REGION = const(8)
_INSTANCE = const(9)
_HOST = const(10)
_CLIENT_ID = const(11)
_PORT = const(15)
_ID = const(24)  # 24 upper-case hex digits
_KEY = const(25)
_KEY_TYPE = const(26)  # b"AES_128", b"AES_256"


class SoftwareElement:
    """A key in flash that software reads: demo grade unless flash encryption guards it (id2.md 7.8, 9.1).

    `fields` are those of a record in flash (aliot.record); CredentialError when they are not an AES-128 or
    AES-256 identity.
    """

    def __init__(self, fields):
        id = fields.get(_ID, b"")
        key = fields.get(_KEY, b"")
        kind = fields.get(_KEY_TYPE, b"")
        if (
            len(key) not in (16, 32)  # for the others of id2.md 1.1 stock firmware has no cipher
            or kind != b"AES_%d" % (8 * len(key))
            or len(id) != 24
            or id.strip(b"0123456789ABCDEF")
            or not id.strip(b"F")
        ):
            raise CredentialError("ID2 needs 24 hex digits and an AES_128 or AES_256 key, not %s" % kind)
        self.id = id
        self.key = key

    def fields(self):
        """The identity as fields of a record."""
        return {_ID: self.id, _KEY: self.key, _KEY_TYPE: b"AES_%d" % (8 * len(self.key))}

    def is_provisioned(self):
        return len(self.key) > 0

    def get_id(self):
        return self.id

    def ecb_encrypt(self, data):
        return aes(self.key, 1).encrypt(data)

    def ecb_decrypt(self, data):
        return aes(self.key, 1).decrypt(data)


class Quota:
    """How often a device may do what costs: `limit` times in any 24 hours, across resets (id2.md 1.4, 1.6).

    So in any calendar day of any time zone. `nvs` reads and writes a blob (aliot.store.Nvs) under `key`: the
    last times, u32 LE each. `clock` gives seconds. Where it stands behind what is kept (it was never set, or
    it was wrong), what is kept counts from now on, so that the limit holds but no wait is longer than a day.
    Without NVS it counts until the next reset.
    """

    def __init__(self, nvs, key, limit, clock=time.time):
        self.nvs = nvs
        self.key = key
        self.limit = limit
        self.clock = clock
        try:
            data = nvs.read(key) or b""
        except OSError:
            data = b""
        self.times = array("I", data[: len(data) // 4 * 4])

    def check(self):
        """The time in seconds; AliotError `id2.quota`, to be tried later, when none is left."""
        now = int(self.clock())
        times = array("I")
        for at in self.times:
            if now < at + 86400:
                times.append(min(now, at))
        self.times = times
        if len(times) >= self.limit:
            wait = times[-self.limit] + 86400 - now
            raise AliotError("%d in 24 hours, the next in %d s" % (self.limit, wait), "id2.quota", "later")
        return now

    def spend(self):
        """Count one, before it is made; raises as `check` does."""
        now = self.check()
        self.times.append(now)
        try:
            self.nvs.write(self.key, bytes(self.times))
        except OSError:
            pass


class Id2(Identity):
    """ProductKey, DeviceName, and a secure element that has an identity or can be given one.

    `element` is the secure element, `provisioning` (aliot.id2.provisioning) what asks for the identity of an
    empty one, `quota` counts authentications. The DeviceName is free, and registered by the platform at the
    first connect; with the product's white list on it has to be one that is registered (id2.md 6).
    """

    TRANSPORT = "itls"
    provisioning = None

    def __init__(self, product_key, device_name, client_id="", instance=""):
        super().__init__(product_key, device_name)
        self.client_id = client_id or device_name
        self.instance = instance
        self.quota = Quota(Nvs(), "id2.logins", 10)

    def login(self, timestamp, method):
        """(client id, its settings, password) of CONNECT (id2.md 6).

        Without a clock the SDKs' constant serves. The password is made as for any device, of any secret: the
        platform does not check it.
        """
        timestamp = timestamp or 2524608000000
        settings = "securemode=8,signmethod=%s,timestamp=%s,authtype=id2" % (method, timestamp)
        if self.instance:
            settings += ",instanceId=" + self.instance
        signed = "clientId%sdeviceName%sproductKey%stimestamp%s" % (
            self.client_id,
            self.device_name,
            self.product_key,
            timestamp,
        )
        return self.client_id, settings, hmac_hex(method, "any-value-works", signed)


def burned(fields, mac, store=None):
    """The `Id2` of a burned record's fields; CredentialError names what is missing or wrong.

    Without an ID, the ProductSecret in the record is the token that a first identity is asked with. Host and
    port, where nobody burned them, are put into `fields`: a host only for the public instance of cn-shanghai,
    since no other is public.
    """
    key = text(fields, _PRODUCT_KEY)
    instance = text(fields, _INSTANCE)
    made = Id2(key, device_name(fields, mac), text(fields, _CLIENT_ID), instance)
    found = 0, fields
    if _ID not in fields and _KEY not in fields:
        store = store or Store()
        found = store._load("issued", _owner(fields[0], made))
    if found:
        made.element = SoftwareElement(found[1])
    else:
        made.provisioning, made.element = part("id2.provisioning").burned(
            fields, text(fields, _PRODUCT_SECRET), mac, made, store
        )
        made.provisioning.quota = Quota(Nvs(), "id2.requests", 4)
    region = fields.get(_REGION, b"cn-shanghai")
    if not instance and region == b"cn-shanghai":
        fields.setdefault(_HOST, b"%s.itls.%s.aliyuncs.com" % (key.encode(), region))
    fields.setdefault(_PORT, b"\x5b\x07")  # 1883
    return made


# Blocks, digests and codes.


def pad(data, less=0):
    """`data` with PKCS#5 padding to whole blocks of 16 bytes; TLS says one `less` in each byte."""
    size = 16 - len(data) % 16
    return data + bytes((size - less,)) * size


def unpad(data):
    """`data` (whole blocks) without its PKCS#5 padding; ValueError when that is wrong anywhere."""
    size = data[-1]
    if not size or size > 16 or data[-size:] != data[-1:] * size:
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
        kind not in range(4)
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
    if size < 1 or size > 32:
        raise ValueError("length")
    return digest(sign(element, element.get_id() + seed))[:size]


def encrypt(element, seed, data):
    """`data` under AES-256-ECB with the derived key of `seed` (id2.md 2.2); equal blocks show as equal."""
    return wrap(derive_key(element, seed), data)


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
