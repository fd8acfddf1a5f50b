"""Canonical content and HMAC; direct.md 1.2 and 2.2. Pure."""

import hashlib


def canonical(fields):
    """Name and value of each field, joined without separators, sorted by name."""
    return "".join([name + str(fields[name]) for name in sorted(fields)])


def hmac_hex(method, key, text):
    """Lower-case hex of the HMAC of `text` (str) under `key` (str or bytes).

    `method` is hmacmd5, hmacsha1 or hmacsha256 in any case; ValueError for another.
    """
    digest = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}.get(
        method.lower()
    )
    if not digest:
        raise ValueError("sign method %s is not known" % method)
    if isinstance(key, str):
        key = key.encode()
    return hmac(digest, key, text.encode()).hex()


def hmac(digest, key, text):
    """The HMAC of `text` under `key`, all bytes; `digest` is one of hashlib."""
    if len(key) > 64:  # the block of all three hashes
        key = digest(key).digest()
    key = int.from_bytes(key + bytes(64 - len(key)), "big")
    for pad in (b"6", b"\\"):  # 0x36, 0x5C
        text = digest((key ^ int.from_bytes(pad * 64, "big")).to_bytes(64, "big") + text).digest()
    return text
