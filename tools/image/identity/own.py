"""Identities with a secret: the device's own, or its product's, with which the device registers and gets its own.

The secret may lie in an eFuse key block of the board instead, and the record names the block (hardware_hmac.md 1).
Either may be a gateway: then the products of its sub-devices are burned too (gateway.md 1 and 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tools.errors import UserError
from tools.firmware import record
from tools.image.identity import base, endpoint
from tools.secrets import mask

_LIMIT = 4000  # bytes of a record's field


@dataclass(frozen=True, kw_only=True)
class Own(base.Identity):
    """`kind` is "device" when it has its own secret, "product" when that has still to be issued.

    `key_block`: 0 to 5, in place of either secret; with a `method` it is the product's.
    `sub_products`: ((ProductKey, ProductSecret or None), ...) of a gateway.
    """

    NAMES = (
        "product_key",
        "device_name",
        "device_secret",
        "product_secret",
        "key_block",
        "name_rule",
        "method",
        *endpoint.ENDPOINT,
        "sub_products",
    )
    NEEDED = ("product_key",)

    product_key: str
    device_name: str | None = None
    device_secret: str | None = field(default=None, repr=False)
    product_secret: str | None = field(default=None, repr=False)
    key_block: int | None = None
    name_rule: str | None = None
    method: str | None = None
    sub_products: tuple[tuple[str, str | None], ...] | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        return "product" if self.method else "device"

    @classmethod
    def parse(
        cls, values: dict[str, Any], folder: Path | str | None = None, now: float | None = None
    ) -> Self:
        """The identity of a dict of fields, its sub-devices' products among them; UserError for what is wrong."""
        cls.checked(values)
        if "sub_products" in values:
            products = tuple(
                (one["product_key"], one.get("product_secret")) for one in values["sub_products"]
            )
            check_products(products, values["product_key"])
            values = {**values, "sub_products": products}
        return cls(**_complete(values))

    @classmethod
    def check(cls, name: str, value: object) -> None:
        if name != "sub_products":
            endpoint.check(name, value)
            return
        if not isinstance(value, list) or not value:
            raise UserError('sub_products is not a list such as [{"product_key": "a1..."}]')
        for one in value:
            if not isinstance(one, dict) or not {"product_key"} <= one.keys() <= {
                "product_key",
                "product_secret",
            }:
                raise UserError(
                    "a product of sub_products has a product_key and, to register by proxy, its "
                    "product_secret, and nothing else"
                )
            for inner, text in one.items():
                try:
                    endpoint.check(inner, text)
                except UserError as error:
                    raise UserError(f"sub_products: {error}") from None

    def fields(self) -> dict[int, bytes]:
        values = super().fields()
        if self.key_block is not None:
            values[record.KEY_BLOCK] = bytes([self.key_block])
        if self.sub_products:
            values[record.SUB_PRODUCTS] = _lines(self.sub_products)
        return values

    def masked(self) -> dict[str, object]:
        shown = super().masked()
        if self.sub_products:
            shown["sub_products"] = products_shown(_lines(self.sub_products))
        return shown


def _lines(products):
    return "\n".join(key if secret is None else f"{key} {secret}" for key, secret in products).encode()


def products_shown(data: bytes) -> str:
    """What may be shown of the field of a record: the products, each secret masked."""
    lines = (line.partition(" ") for line in data.decode("utf-8", "backslashreplace").split("\n"))
    return ", ".join(f"{key} {mask(secret)}" if secret else key for key, _, secret in lines)


def secrets(data: bytes) -> list[bytes]:
    """The ProductSecrets (bytes) in the field of a record."""
    return [line.partition(b" ")[2] for line in data.split(b"\n") if b" " in line]


def check_products(products: Sequence[tuple[str, str | None]], own: str) -> None:
    keys = [key for key, _ in products]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"sub_products has {key} twice")
    if own in keys:
        raise UserError(f"sub_products has {own}, which is the gateway's own product")
    if len(_lines(products)) > _LIMIT:
        raise UserError(
            f"sub_products take {len(_lines(products))} bytes of the record, which has {_LIMIT} for them: "
            "leave products out, or secrets of products that register through the gateway's session"
        )


def _complete(values):
    """The fields with what follows from the rest filled in; UserError for what does not go together."""
    if "device_secret" in values and "product_secret" in values:
        raise UserError(
            "a product secret is never burned into a device that has its own secret: "
            "give device_secret or product_secret"
        )
    if "key_block" in values:
        _check_key_block(values)
    named = base.named(values)
    if "device_secret" in values or "key_block" in values and "method" not in values:
        if "device_name" not in values:
            raise UserError(
                "device_name is missing: a device_secret belongs to one name"
                + ("; with a method the key_block is the product's secret" if "key_block" in values else "")
            )
        if "method" in values:
            raise UserError("method is for registration, and a device with its own secret does not register")
        return values
    values = named
    if not {"product_secret", "key_block"} & values.keys():
        raise UserError("device_secret or product_secret is missing")
    values = {"method": "https", **values}
    if values["method"] == "regnwl" and values.get("auth") == "https":
        raise UserError(
            "auth https signs with a DeviceSecret, and method regnwl issues none: register by https or mqtt"
        )
    return values


def _check_key_block(values):
    secret = {"device_secret", "product_secret"} & values.keys()
    if secret:
        raise UserError(f"key_block says that the secret lies in eFuse: leave {secret.pop()} out of flash")
    if values.get("sign_method", "hmacsha256") != "hmacsha256":
        raise UserError("a key in eFuse signs with hmacsha256 only: leave sign_method out")
