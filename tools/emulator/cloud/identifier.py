"""The identity that a CONNECT claims: the client identifier and the user name (direct.md 1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEVICE_NAME = re.compile(r"[A-Za-z0-9\-_@.:]{4,32}", re.ASCII)
PRODUCT_KEY = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)
CLIENT_ID_MAX = 64


@dataclass(frozen=True)
class ClientIdentifier:
    """`client_id` before the first pipe, `extra` the keys and values between the pipes."""

    client_id: str
    extra: dict[str, str]


def parse_client_identifier(text: str) -> ClientIdentifier:
    """Splits `{clientId}|key=value,...|`; raises ValueError for what is not of this form.

    The list runs from the first pipe to the last, so that a value may hold a
    pipe; empty elements and keys nobody knows are normal (direct.md 1.1).
    """
    client_id, first, rest = text.partition("|")
    if not first or not rest.endswith("|"):
        raise ValueError("the client identifier has no |key=value,...| list")
    if len(client_id) > CLIENT_ID_MAX:
        raise ValueError(f"the clientId is longer than {CLIENT_ID_MAX} characters")
    pairs = (element.partition("=") for element in rest[:-1].split(","))
    return ClientIdentifier(client_id, {key: value for key, equals, value in pairs if equals})


def whole_number(text: str) -> int | None:
    """The number that decimal digits say, or None for any other text and for more than 18 digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def parse_username(text: str | None) -> tuple[str, str]:
    """(DeviceName, ProductKey) of `{dn}&{pk}`; raises ValueError. Neither may hold `&` (direct.md 1.4)."""
    device_name, ampersand, product_key = (text or "").partition("&")
    if not ampersand or not DEVICE_NAME.fullmatch(device_name) or not PRODUCT_KEY.fullmatch(product_key):
        raise ValueError("the user name is not DeviceName&ProductKey")
    return device_name, product_key
