"""Who has signed a package: its head, the key on the board, RSA; and the platform's own signature of a digest.

Loaded for these moments. The form of the head is that of tools/ota/package.py.
"""

import os
import struct
from binascii import a2b_base64, unhexlify
from hashlib import sha256

from aliot.ota.trees import hexadecimal
from aliot.ota.writer import UpdateError
from micropython import const

KEYS = "/aliot/keys/"
_PLATFORM = "platform"
LARGEST = const(32768)  # bytes of a manifest
# DigestInfo of a SHA-256; RFC 8017 9.2, note 1
_DIGEST = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def head(data):
    """(bytes of the signature, bytes of the manifest, modulus of its key) of the first 20 bytes. UpdateError."""
    mark, form, _, signature, size, key = struct.unpack("<4sBBHI8s", data)
    if mark != b"ALOT" or form != 1 or size > LARGEST or signature > 384:
        raise UpdateError("no package of form 1", "update.form")
    name = hexadecimal(key)
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
        raise UpdateError("not signed", "update.signature")
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
