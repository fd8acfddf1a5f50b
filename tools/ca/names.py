"""The names of an X.509 product: what the console takes, and file names made of them (x509.md 2 and 3)."""

import re
from dataclasses import dataclass
from typing import Self

from tools.image.identity import endpoint

_CA_NAME = re.compile(r"[A-Za-z0-9_\u4e00-\u9fff]{4,30}")
_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
_STEM = re.compile(r"([A-Za-z0-9]{1,20})_(.+)_([0-9A-F]{1,40})")


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


@dataclass(frozen=True)
class Stem:
    """`[ProductKey]_[DeviceName]_[CA_SN]`, the name of a certificate's and a key's file without its ending.

    A colon, which Windows refuses in a file name, is written %3A; no DeviceName
    holds a percent sign, so two names never become one file.
    """

    product_key: str
    device_name: str
    ca_serial: str

    def __str__(self) -> str:
        return f"{self.product_key}_{self.device_name.replace(':', '%3A')}_{self.ca_serial}"

    @classmethod
    def parse(cls, stem: str) -> Self:
        """The parts of such a name; ValueError if it does not follow the pattern."""
        match = _STEM.fullmatch(stem)
        if not match:
            raise ValueError("the file name is not [ProductKey]_[DeviceName]_[CA_SN]")
        device_name = match[2].replace("%3A", ":")
        fault = device_name_fault(device_name)
        if fault:
            raise ValueError(f"the file name is not [ProductKey]_[DeviceName]_[CA_SN]: {fault}")
        return cls(match[1], device_name, match[3])
