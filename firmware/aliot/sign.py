"""Canonical content and HMAC; direct.md 1.2 and 2.2. Pure."""

import binascii
import hashlib

METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}

_BLOCK = 64  # bytes, for all three hashes


def canonical(fields):
    """Name and value of each field, joined without separators, sorted by name."""
    return "".join([name + str(fields[name]) for name in sorted(fields)])


def hmac_hex(method, key, text):
    """Lower-case hex of the HMAC of `text` under `key`, both str or bytes.

    `method` is hmacmd5, hmacsha1 or hmacsha256 in any case; ValueError for another.
    """
    digest = METHODS.get(method.lower())
    if digest is None:
        raise ValueError("sign method %s is not one of %s" % (method, ", ".join(sorted(METHODS))))
    key = _bytes(key)
    if len(key) > _BLOCK:
        key = digest(key).digest()
    key += bytes(_BLOCK - len(key))
    inner = digest(bytes([b ^ 0x36 for b in key]))
    inner.update(_bytes(text))
    outer = digest(bytes([b ^ 0x5C for b in key]))
    outer.update(inner.digest())
    return binascii.hexlify(outer.digest()).decode()


def _bytes(value):
    return value.encode() if isinstance(value, str) else value
