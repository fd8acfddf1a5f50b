"""The keys on the board, and what they have signed: a package; the platform's own has signed a digest.

Loaded for these moments. The form of a package's head is that of tools/ota/package.py.
"""

import os
from binascii import a2b_base64, unhexlify
from hashlib import sha256

from aliot.ota.writer import UpdateError
from micropython import const

KEYS = "/aliot/keys/"
_PLATFORM = "platform"
LARGEST = const(32768)  # bytes of a manifest
# DigestInfo of a SHA-256; RFC 8017 9.2, note 1
_DIGEST = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def head(data):
    """(bytes of the signature, bytes of the manifest, modulus of its key) of the first 20 bytes. UpdateError."""
    signature = int.from_bytes(data[6:8], "little")
    size = int.from_bytes(data[8:12], "little")
    if data[:5] != b"ALOT\x01" or size > LARGEST or signature > 384:
        raise UpdateError("no package of form 1", "update.form")
    name = bytes(data[12:]).hex()
    try:
        with open(KEYS + name, "rb") as file:
            modulus = file.read(512)
    except OSError:
        modulus = b""
    if not modulus:
        try:
            known = [one for one in os.listdir(KEYS[:-1]) if one != _PLATFORM]
        except OSError:
            known = ()
        if not known:
            raise UpdateError("no key on the board", "update.keyless")
        raise UpdateError("signed by the key " + name, "update.key")
    if signature != len(modulus):
        raise UpdateError("it is not signed", "update.signature")
    return signature, size, modulus


def check(signature, digest, modulus):
    """UpdateError unless `signature` is that of a SHA-256 digest; RSA, PKCS#1 v1.5, exponent 65537."""
    found = pow(int.from_bytes(signature, "big"), 65537, int.from_bytes(modulus, "big"))
    size = len(modulus)
    padded = b"\x00\x01" + b"\xff" * (size - 54) + b"\x00" + _DIGEST + digest
    if found.to_bytes(size, "big") != padded:
        raise UpdateError("wrong signature", "update.signature")


def check_digest(sign, digestsign):
    """UpdateError unless the platform has signed the digest `sign` (hex), where the board has the platform's key.

    application.md 5.7, with PKCS#1 v1.5, which is inferred there.
    """
    try:
        with open(KEYS + _PLATFORM, "rb") as file:
            modulus = file.read(512)
    except OSError:
        return
    try:
        signature = a2b_base64(digestsign)
    except (ValueError, TypeError):
        signature = b""
    check(signature, sha256(unhexlify(sign)).digest(), modulus)
