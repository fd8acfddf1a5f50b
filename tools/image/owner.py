"""The owner of a record: its name in messages, and whether an issued record belongs to a burned one. Pure.

A device is its ProductKey and DeviceName. An X.509 board is its certificate:
what is issued to it is only its name, which the platform tells it again.
"""

import struct
from collections.abc import Mapping

from tools.errors import printable
from tools.firmware import record
from tools.image import identity as identities
from tools.image.identity import pair

_SECRET, _NAME, _ID2 = "secret", "name", "id2"  # what an issued record holds


def owner(fields: Mapping[int, bytes], mac: str) -> tuple[str, str]:
    """(ProductKey, DeviceName) that a record's fields name on the board with this MAC; ("X.509", serial)."""
    if fields.get(record.KIND) == b"x509" and record.PRODUCT_KEY not in fields:
        return "X.509", pair.describe(fields.get(record.CERTIFICATE, b""), 0).get("serial", "unreadable")
    name = fields.get(record.DEVICE_NAME, b"").decode("utf-8", "replace")
    if not name:
        name = identities.name_from_mac(fields.get(record.NAME_RULE, b"mac").decode("utf-8", "replace"), mac)
    return fields.get(record.PRODUCT_KEY, b"").decode("utf-8", "replace"), name


def describe(fields: Mapping[int, bytes], mac: str) -> str:
    """ProductKey/DeviceName that a record's fields name, for a message: a board may hold anything."""
    return printable("/".join(owner(fields, mac)))


def same(one: Mapping[int, bytes], other: Mapping[int, bytes], mac: str) -> bool:
    """Whether two burned records' fields are one identity, whatever their endpoints are."""
    return (
        owner(one, mac) == owner(other, mac)
        and _burned(one) == _burned(other)
        and one.get(record.CERTIFICATE) == other.get(record.CERTIFICATE)
    )


def belongs(
    issued: Mapping[int, bytes], burned: Mapping[int, bytes], mac: str, generation: int | None = None
) -> bool:
    """Whether an issued record's fields are of the identity in a burned record's fields.

    generation: that of the burned record. The name of an X.509 board belongs to
    it by this number only.
    """
    kind = _issued(issued)
    if kind != _burned(burned):
        return False
    if kind == _NAME:
        return generation is not None and issued.get(record.FOR_GENERATION) == struct.pack("<I", generation)
    return owner(issued, mac) == owner(burned, mac)


def holds_secret(issued: Mapping[int, bytes]) -> bool:
    """Whether a record holds a secret that cannot be had again; the name of an X.509 board is none."""
    return _issued(issued) != _NAME or record.PRIVATE_KEY in issued


def sealed(burned: Mapping[int, bytes]) -> str | None:
    """Where the secret of a burned record is when it is not in the record, in words; None where it is."""
    if record.KEY_BLOCK not in burned:
        return None
    number = int.from_bytes(burned[record.KEY_BLOCK], "little")
    return f"the secret is in KEY{number} and cannot be read"


def _burned(fields):
    return {b"x509": _NAME, b"id2": _ID2}.get(fields.get(record.KIND), _SECRET)


def _issued(fields):
    if record.ID2_KEY in fields:
        return _ID2
    return _SECRET if record.DEVICE_SECRET in fields or record.DEVICE_TOKEN in fields else _NAME
