"""What a gateway's request holds: items that name sub-devices, with their proof (gateway.md 4 to 8). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import signing
from tools.emulator.cloud.codes import Refused

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Device

METHOD_KEY = "signmethod"  # spelt signMethod by some; gateway.md 6.1
UNSIGNED = ("sign", METHOD_KEY, "cleansession")
CLEAN = {"true": True, "false": False}


@dataclass(frozen=True)
class Item:
    """One sub-device in a request. `fields` are those that were sent, numbers as their decimal text."""

    product_key: str
    device_name: str
    fields: dict[str, Any]
    clean: bool | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.product_key, self.device_name

    @property
    def pair(self) -> dict[str, str]:
        return {"productKey": self.product_key, "deviceName": self.device_name}

    def get(self, name: str) -> Any:
        """A field by its name in lower case, or None."""
        return next((value for key, value in self.fields.items() if key.lower() == name), None)

    def signed(self) -> dict[str, Any]:
        """The fields that the sign covers: all that were sent but sign, method and cleanSession."""
        return {key: value for key, value in self.fields.items() if key.lower() not in UNSIGNED}

    def proves(self, secret: str, method: str, **more: Any) -> bool:
        """Whether the sign in it was made with `secret`; `more` are further signed fields."""
        return signing.matches(self.get("sign"), method, secret, self.signed() | more)


def pair_of(device: Device) -> dict[str, str]:
    return {"productKey": device.product_key, "deviceName": device.device_name}


def read_items(
    params: Any, limit: int, needed: Collection[str] = (), method: str | None = None
) -> list[Item]:
    """The items of an array, one for each sub-device; raises `Refused` with 460.

    `needed` are fields, in lower case, that each item must have; `method` is
    a sign method that the request names for all of them.
    """
    if not isinstance(params, list) or not 0 < len(params) <= limit:
        raise Refused(460)
    found = [read_item(one, needed, method) for one in params]
    return list({item.key: item for item in found}.values())


def read_item(values: Any, needed: Collection[str] = (), method: str | None = None) -> Item:
    """One item; raises `Refused` with 460."""
    if not isinstance(values, dict):
        raise Refused(460)
    clean = read_clean(values["cleanSession"]) if "cleanSession" in values else None
    fields = {key: text(value) for key, value in values.items() if key != "cleanSession"}
    if method is not None:
        fields.setdefault("signMethod", text(method))
    item = Item(fields.pop("productKey", ""), fields.pop("deviceName", ""), fields, clean)
    item.fields.update(item.pair)
    if not all(item.key) or not all(item.get(name) for name in needed):
        raise Refused(460)
    return item


def read_clean(value: object) -> bool | None:
    """cleanSession: text as the page has it, or a JSON boolean."""
    clean = value if isinstance(value, bool) else CLEAN.get(value) if isinstance(value, str) else None
    if clean is None:
        raise Refused(460)
    return clean


def text(value: object) -> str:
    """A field's text: text as it is, a number in decimal digits; raises `Refused` with 460."""
    if isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Refused(460)


def method_of(item: Item, unknown: int) -> str:
    """The signing method of `item`; raises `Refused` with the code `unknown` for one that is not known."""
    method = signing.method(item.get(METHOD_KEY))
    if method is None:
        raise Refused(unknown)
    return method
