"""POST /auth/devicename: iotId, iotToken and where to connect (direct.md 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import calls, signing
from tools.emulator.cloud.centres import homes
from tools.emulator.cloud.setting import first_refusal

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.web import Request

FIELDS = (
    "productKey",
    "deviceName",
    "signmethod",
    "sign",
    "version",
    "clientId",
    "timestamp",
    "resources",
    "ext",
)
NEEDED = ("productKey", "deviceName", "sign")
UNSIGNED = ("signmethod", "sign", "version", "resources")


class Asked(calls.Asked):
    """One request for a token."""

    @property
    def method(self) -> str | None:
        """The method of the signature, hmacmd5 if none is named; None if there is no such."""
        return signing.method(self.fields.get("signmethod", "hmacmd5"))


def read(request: Request, centre: str, instance: Instance) -> Asked:
    return calls.read_form(request.body, instance.registry, homes.served, centre, kind=Asked)


def check_parameters(asked: Asked, instance: Instance) -> int | None:
    strict = instance.config.switches.auth_surplus == 460
    return None if asked.complete(NEEDED, FIELDS if strict else asked.fields) else 460


def check_type(asked: Asked, instance: Instance) -> int | None:
    if asked.device is None:
        return None
    return 6200 if asked.product.auth != "secret" or asked.device.free else None


def check_centre(asked: Asked, instance: Instance) -> int | None:
    if asked.device is None:
        return None
    switches = instance.config.switches
    handed = asked.fields.get("ext") == "1" or switches.router_ext == "optional"
    return homes.verdict(asked.device, asked.centre, instance, handed)


def check_signature(asked: Asked, instance: Instance) -> int | None:
    if asked.device is None or asked.method is None:
        return None
    surplus = instance.config.switches.auth_surplus == "signed"
    signed = {
        name: value
        for name, value in asked.fields.items()
        if name not in UNSIGNED and (surplus or name in FIELDS)
    }
    good = signing.matches(asked.fields.get("sign", ""), asked.method, asked.device.secret, signed)
    return None if good else 401


def check_disabled(asked: Asked, instance: Instance) -> int | None:
    disabled = asked.device is not None and asked.device.disabled
    return instance.config.switches.auth_disabled if disabled else None


CHECKS = {
    "parameters": check_parameters,
    "method": lambda asked, instance: None if asked.method else instance.config.switches.auth_method,
    "device": lambda asked, instance: None if asked.device else 5001,
    "type": check_type,
    "centre": check_centre,
    "signature": check_signature,
    "disabled": check_disabled,
}


def verdict(asked: Asked, instance: Instance) -> int:
    """200, or the code of the first check that fails."""
    return first_refusal(instance.config.switches.auth_order, CHECKS, asked, instance) or 200


def carry_out(asked: Asked, instance: Instance, link: Link) -> dict[str, Any]:
    """Issues the token, in the store before it is told; the `data` of the answer."""
    registry, now = instance.registry, instance.wall()
    if instance.config.switches.auth_activates:
        registry.activate(asked.device, now)
    iot_id, token = registry.tokens.issue(asked.device, now)
    return {
        "iotId": iot_id,
        "iotToken": token,
        "resources": homes.resources(asked.fields, asked.device, instance),
    }


AUTH = calls.Call("auth", "POST", read, verdict, carry_out, ("authenticated", "authentication refused"))
