"""The names of an X.509 product: what the console takes, and file names made of them (x509.md 2 and 3)."""

import re

from tools.image.identity import endpoint

_CA_NAME = re.compile(r"[A-Za-z0-9_\u4e00-\u9fff]{4,30}")
_CODE = re.compile(r"[A-Za-z0-9]{1,64}")


def product_key_fault(name: str) -> str | None:
    """None, or what is wrong with a ProductKey (direct.md 1: 11 characters in every example, 20 at most)."""
    return endpoint.wrong("product_key", name, "ProductKey")


def device_name_fault(name: str) -> str | None:
    """None, or what is wrong with a DeviceName (direct.md 1)."""
    return endpoint.wrong("device_name", name, "DeviceName")


def ca_name_fault(name: str) -> str | None:
    """None, or what is wrong with the name of a CA (x509.md 2; Chinese characters: only its Chinese page)."""
    if _CA_NAME.fullmatch(name):
        return None
    return f"CA name {name!r} is not 4 to 30 letters, digits and underscores"


def code_fault(code: str) -> str | None:
    """None, or what is wrong with a registration code.

    The console's sample has 64 hex digits, which is also the longest Common
    Name that RFC 5280 allows (ub-common-name); that it is always hex is inferred.
    """
    if "*" in code:
        return "the registration code is masked with *; copy the whole code from the console"
    if _CODE.fullmatch(code):
        return None
    return f"registration code {code!r} is not 1 to 64 letters and digits"
