"""Refuses a file tree with a secret in it: an identity is burned as a record, never written as a file."""

import re
from collections.abc import Iterable, Mapping

from tools.errors import UserError
from tools.firmware import record
from tools.image.decision import Copy
from tools.image.identity import own

_NAMED = re.compile(
    rb"""(?ix) ["']? ( (?:device|product) [_ -]? secret | id2 [_ -]? key ) ["']? \s* [:=] \s*
    ["'] ( [!-~]{12,64}? ) ["']"""
)
_SECRETS = (
    record.DEVICE_SECRET,
    record.PRODUCT_SECRET,
    record.DEVICE_TOKEN,
    record.PRIVATE_KEY,
    record.ID2_KEY,
)
_PLACEHOLDER = re.compile(rb"(?i)^[x*.<>_-]+$|your|example|secret|change|\.\.\.|placeholder")
_KEY_TEXT = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
# an RSA key in DER: PKCS#1, or PKCS#8 with the algorithm's identifier; RFC 8017 A.1.2, RFC 5208
_KEY_DER = re.compile(
    rb"\x30\x82..\x02\x01\x00(\x02\x82..\x00|\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01)", re.S
)


def refuse(tree: Mapping[str, bytes], copies: Iterable[Copy] = ()) -> None:
    """UserError when a file of `tree` {path: bytes} looks as if it held a secret, a private key or a record.

    `copies` are records found on the board; a file that holds one of their secrets is refused.
    """
    known = {secret for copy in copies for secret in _secrets(copy.fields)}
    for path, data in sorted(tree.items()):
        what = _held(data, known)
        if what:
            raise UserError(
                f"{path} looks as if it held {what}: every board flashed with it would "
                "be the same device; take it out and burn it ('make burn')"
            )


def _held(data, known):
    """What a file seems to hold, in words, or None."""
    found = _NAMED.search(data)
    if found and not _PLACEHOLDER.search(found.group(2)):
        return "an ID² key" if found.group(1)[:3].lower() == b"id2" else "a device or product secret"
    if _KEY_TEXT.search(data) or _KEY_DER.search(data):
        return "a private key"
    if any(secret in data for secret in known):
        return "a device or product secret"
    return "an identity record" if _is_record(data) else None


def _secrets(fields):
    """The secrets of a record as they could stand in a file."""
    for tag in _SECRETS:
        if len(fields.get(tag, b"")) >= 8:
            yield fields[tag]
    key = fields.get(record.ID2_KEY, b"").hex()
    yield from (text.encode() for text in (key, key.upper()) if key)
    yield from (secret for secret in own.secrets(fields.get(record.SUB_PRODUCTS, b"")) if len(secret) >= 8)


def _is_record(data):
    try:
        return bool(record.decode(data))
    except ValueError:
        return False
