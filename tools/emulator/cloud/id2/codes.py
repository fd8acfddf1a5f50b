"""Authentication codes, both ways (id2.md 2)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.emulator.cloud.id2.keys import Key

CODE_MAX = 512
CODE = re.compile(r"([0-3])~(\d)~([0-9A-F]{16})~([\x21-\x7d]{1,32})~([A-Za-z0-9+/]+={0,2})")
CHALLENGE = "0"
INVERSE = str.maketrans("0123456789ABCDEF", "FEDCBA9876543210")


@dataclass(frozen=True)
class DeviceCode:
    """`type` 0 to 3, `digit` of the hash, the device's and the server's random, the signature's bytes."""

    type: str
    digit: str
    device_random: str
    server_random: str
    signature: bytes

    def holds(self, id2: str, key: Key, extra: str = "") -> bool:
        """Whether it is signed with `key` for `id2`; `extra` of types 2 and 3 is signed but not sent."""
        return key.signed(id2 + self.device_random + self.server_random + extra, self.signature)


def parse(data: bytes) -> DeviceCode:
    """The `DeviceCode` in bytes; raises ValueError for what is none."""
    found = CODE.fullmatch(data.decode("ascii")) if len(data) <= CODE_MAX and data.isascii() else None
    if found is None:
        raise ValueError("not a device code")
    kind, digit, device_random, server_random, signature = found.groups()
    return DeviceCode(kind, digit, device_random, server_random, base64.b64decode(signature, validate=True))


def server_code(id2: str, key: Key, challenge: str, extra: str | None = None) -> str:
    """The code that proves the server to a device that sent `challenge`."""
    signature = key.sign(id2.translate(INVERSE) + challenge + (extra or ""))
    head = "10" if extra is None else "11"
    return "~".join((head, key.kind.digit, challenge, base64.b64encode(signature).decode()))
