"""Canonical content and HMAC; direct.md 1.2 and 2.2. Pure."""

import hashlib
from binascii import hexlify

_METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def canonical(fields):
    """Name and value of each field, joined without separators, sorted by name."""
    return "".join([name + str(fields[name]) for name in sorted(fields)])


def hmac_hex(method, key, text):
    """Lower-case hex of the HMAC of `text` (str) under `key` (str or bytes).

    `method` is hmacmd5, hmacsha1 or hmacsha256 in any case; ValueError for another.
    """
    digest = _METHODS.get(method.lower())
    if not digest:
        raise ValueError("sign method %s is not known" % method)
    if isinstance(key, str):
        key = key.encode()
    if len(key) > 64:  # the block of all three hashes
        key = digest(key).digest()
    key += bytes(64 - len(key))
    text = digest(bytes([b ^ 0x36 for b in key]) + text.encode()).digest()
    return hexlify(digest(bytes([b ^ 0x5C for b in key]) + text).digest()).decode()
