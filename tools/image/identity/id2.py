"""ID² identities: an ID with its key (id2.md 1), or the token with which a board asks for its first one."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tools.errors import UserError
from tools.firmware import record
from tools.image.identity import base

SIZES = {"AES_128": 16, "AES_256": 32}  # type -> bytes of its key; stock firmware has no cipher for others
_TOKEN_KEYS = {"1": 16, "3": 32}  # key type digit of a provisioning token; id2.md 1.4
REGION = "cn-shanghai"  # the one with a public host name; id2.md 6


@dataclass(frozen=True, kw_only=True)
class Id2(base.Identity):
    """`id2`, `id2_key` (hex) and `id2_type`, or `product_secret`, the token of a one-time provisioning."""

    NAMES = (
        "product_key",
        "device_name",
        "name_rule",
        "id2",
        "id2_key",
        "id2_type",
        "product_secret",
        "region",
        "instance",
        "host",
        "port",
        "sign_method",
    )
    NEEDED = ("product_key",)
    TITLE = "an ID² identity"
    kind = "id2"

    product_key: str
    device_name: str | None = None
    name_rule: str | None = None
    id2: str | None = None
    id2_key: str | None = field(default=None, repr=False)
    id2_type: str | None = None
    product_secret: str | None = field(default=None, repr=False)

    @classmethod
    def parse(
        cls, values: dict[str, Any], folder: Path | str | None = None, now: float | None = None
    ) -> Self:
        """The identity of a dict of fields; UserError for what is wrong or does not go together."""
        cls.checked(values)
        values = base.named(values)
        if "product_secret" in values:
            if {"id2", "id2_key", "id2_type"} & values.keys():
                raise UserError(
                    "product_secret is for an ID² that is still to be provisioned, id2 and id2_key are "
                    "one that is there: give one or the other"
                )
            check_token(values["product_secret"])
        else:
            values = {**values, **checked_key(values)}
        if "host" not in values and ("instance" in values or values.get("region", REGION) != REGION):
            raise UserError(
                f"host is missing: the platform publishes a host for ID² only for the public instance of "
                f"{REGION}; the console shows others on the instance's page"
            )
        return cls(**values)

    def fields(self) -> dict[int, bytes]:
        values = super().fields()
        if self.id2:
            assert self.id2_key and self.id2_type
            values |= {
                record.ID2: self.id2.encode(),
                record.ID2_KEY: bytes.fromhex(self.id2_key),
                record.ID2_KEY_TYPE: self.id2_type.encode(),
            }
        return values


def checked_key(values: Mapping[str, str]) -> dict[str, str]:
    """{"id2", "id2_key", "id2_type"} of `values` as they are kept; UserError when they are no identity."""
    for name in ("id2", "id2_key", "id2_type"):
        if name not in values:
            raise UserError(
                f"{name} is missing: an ID² identity is an ID, a key and its type, or a product_secret "
                "to be provisioned with"
            )
        base.endpoint.check(name, values[name])
    size = SIZES.get(values["id2_type"])
    if size is None:
        raise UserError(
            f"id2_type {values['id2_type']} cannot be used: boards have {' and '.join(SIZES)} only"
        )
    if len(values["id2_key"]) != 2 * size:
        raise UserError(
            f"id2_key has {len(values['id2_key']) // 2} bytes, a key of {values['id2_type']} has {size}"
        )
    return {
        "id2": values["id2"].upper(),
        "id2_key": values["id2_key"].lower(),
        "id2_type": values["id2_type"],
    }


def check_token(text: str) -> None:
    """UserError when a ProductSecret is no provisioning token of a type that boards have; id2.md 1.4"""
    if len(text) < 32 or not re.match("[ix][12][0-9]", text):
        raise UserError(
            "product_secret is not a provisioning token of ID² (32 characters or more, of the form "
            "i or x, 1 or 2, a digit, and on)"
        )
    if text[2] not in _TOKEN_KEYS:
        raise UserError(
            f"product_secret provisions key type {text[2]}, boards have 1 (AES_128) and 3 (AES_256) only"
        )
    if text[1] == "2":
        try:
            size = len(base64.b64decode(text[8:], validate=True))
        except binascii.Error:
            size = 0
        if size not in (16, 32):
            raise UserError(
                "product_secret is not a provisioning token of ID²: what follows its eighth character is "
                "not the base64 of 16 or 32 bytes"
            )
