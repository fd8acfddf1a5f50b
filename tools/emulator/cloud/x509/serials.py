"""Serial numbers in their one normal form (x509.md 3.1)."""

import re

BYTES_MAX = 20  # RFC 5280 4.1.2.2
HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)


def of_number(number):
    """Upper-case hex without leading zeros; raises ValueError for what is not above zero."""
    if number <= 0:
        raise ValueError("a serial number is above zero")
    return format(number, "X")


def normal(text):
    """The normal form of what any tool prints: `0x`, colons, spaces, case and zeros in front mean nothing.

    Raises ValueError.
    """
    digits = re.sub(r"[:\s]", "", text)
    digits = digits[2:] if digits[:2] in ("0x", "0X") else digits
    if not HEX.fullmatch(digits):
        raise ValueError(f"{text!r} is not hexadecimal")
    if len(digits.lstrip("0")) > 2 * BYTES_MAX:
        raise ValueError(f"{text[:60]!r} is longer than {BYTES_MAX} bytes")
    return of_number(int(digits, 16))
