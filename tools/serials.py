"""Serial numbers of certificates and the one way to write them (x509.md 3.1)."""

import re
import secrets
from collections.abc import Callable

BYTES = 10  # 8 to 16 are advised; RFC 5280 4.1.2.2 allows at most 20
LONGEST = 20
_HEX = re.compile(r"[0-9A-Fa-f]+")
_NUMBER = re.compile(r"[0-9]+(E[0-9]+)?")


def text(number: int) -> str:
    """The normal form of a serial number given as an integer above zero."""
    if number <= 0:
        raise ValueError(f"a serial number is above zero, this one is {number}")
    return format(number, "X")


def normal(written: str) -> str:
    """The normal form of a serial any tool prints: upper-case hex without 0x, colons, spaces, leading zeros.

    Raises ValueError that names what is wrong.
    """
    digits = re.sub(r"[:\s]", "", written)
    if digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    if not digits:
        raise ValueError("the serial number is empty")
    if "(0x" in digits.lower():
        raise ValueError(
            f"{written!r} is decimal with the hexadecimal in brackets; take what stands after 0x"
        )
    if re.fullmatch(r"[0-9]+[.,][0-9]+[Ee]\+?[0-9]+", digits):
        raise ValueError(
            f"{written!r} is a serial that a spreadsheet has rounded; take the file as it was written"
        )
    if not _HEX.fullmatch(digits):
        raise ValueError(f"{written!r} is not hexadecimal")
    number = int(digits, 16)
    if number == 0:
        raise ValueError("serial number zero is refused")
    if number.bit_length() > 8 * LONGEST:
        raise ValueError(f"{written!r} is longer than {LONGEST} bytes")
    return text(number)


def fresh(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new serial in normal form: 10 random bytes, the first from 0x10 to 0x7F.

    So every tool prints the same 20 digits, padded or not, and DER needs no
    leading zero byte. One that a spreadsheet would take for a number (only
    digits, or digits with one E) is drawn again.
    """
    while True:
        drawn = bytearray(random_bytes(BYTES))
        drawn[0] &= 0x7F
        serial = drawn.hex().upper()
        if drawn[0] >= 0x10 and not looks_like_number(serial):
            return serial


def looks_like_number(serial: str) -> bool:
    """True if a spreadsheet would take this text for a number and change it."""
    return bool(_NUMBER.fullmatch(serial))
