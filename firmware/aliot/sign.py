"""Canonical content and HMAC; direct.md 1.2 and 2.2. Pure."""

import hashlib
from binascii import hexlify

_METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def canonical(fields):
    """Name and value of each field, joined without separators, sorted by name."""
    return "".join([name + str(fields[name]) for name in sorted(fields)])


def hmac_hex(method, key, text):
    """Lower-case hex of the HMAC of `text` under `key`, both str or bytes.

    `method` is hmacmd5, hmacsha1 or hmacsha256 in any case; ValueError for another.
    """
    if method.lower() not in _METHODS:
        raise ValueError("sign method %s is not known" % method)
    digest = _METHODS[method.lower()]
    key = _bytes(key)
    if len(key) > 64:  # the block of all three hashes
        key = digest(key).digest()
    key += bytes(64 - len(key))
    text = digest(bytes([b ^ 0x36 for b in key]) + _bytes(text)).digest()
    return hexlify(digest(bytes([b ^ 0x5C for b in key]) + text).digest()).decode()


def _bytes(value):
    return value.encode() if isinstance(value, str) else value
