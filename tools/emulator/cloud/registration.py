"""The HTTPS registration's verdict (direct.md 2): a table of checks in the order of a switch. Pure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from tools.emulator.cloud import calls, signing
from tools.emulator.cloud.setting import first_refusal

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.registry import Product, Registry

FIELDS = ("productKey", "deviceName", "random", "sign", "signMethod")


class Asked(calls.Asked):
    """One registration."""

    @property
    def method(self) -> str | None:
        return signing.method(self.fields.get("signMethod", ""))


def served(product: Product) -> bool:
    return product.auth == "secret" and product.node != "subdevice"


def read(body: bytes, registry: Registry) -> Asked:
    """What is `Asked` by a form-encoded body; anything else gives one that is not well formed."""
    return calls.read_form(body, registry, served, kind=Asked)


def check_signature(request: Asked, registry: Registry, switches: SimpleNamespace) -> int | None:
    if request.product is None or request.method is None:
        return None
    signed = {name: request.fields.get(name, "") for name in ("deviceName", "productKey", "random")}
    good = signing.matches(request.fields.get("sign", ""), request.method, request.product.secret, signed)
    return None if good else 6600


def check_device(request: Asked, registry: Registry, switches: SimpleNamespace) -> int | None:
    if request.device is None:
        return switches.https_unknown_device if request.product else None
    return switches.https_disabled_device if request.device.disabled else None


def check_active(request: Asked, registry: Registry, switches: SimpleNamespace) -> int | None:
    return 6289 if request.device is not None and not registry.may_register(request.device) else None


CHECKS = {
    "parameters": lambda request, registry, switches: None if request.complete(FIELDS, FIELDS) else 460,
    "product": lambda request, registry, switches: None if request.product else 6250,
    "switch": lambda request, registry, switches: (
        6288 if request.product and not request.product.dynamic_registration else None
    ),
    "method": lambda request, registry, switches: None if request.method else 6292,
    "signature": check_signature,
    "device": check_device,
    "active": check_active,
}


def verdict(request: Asked, registry: Registry, switches: SimpleNamespace) -> int:
    """200, or the code of the first check that fails."""
    return first_refusal(switches.https_order, CHECKS, request, registry, switches) or 200


def carry_out(request: Asked, instance: Instance, link: Link) -> dict[str, str]:
    """Issues the DeviceSecret, in the store before it is told; the `data` of the answer."""
    secret = instance.registry.issue(request.device)
    return {
        "deviceName": request.device.device_name,
        "deviceSecret": secret,
        "productKey": request.device.product_key,
    }


REGISTER = calls.Call(
    "register",
    "POST",
    lambda request, centre, instance: read(request.body, instance.registry),
    lambda asked, instance: verdict(asked, instance.registry, instance.config.switches),
    carry_out,
    ("registered", "registration refused"),
    "register",
)
