"""POST /auth/devicename: iotId, iotToken and where to connect (direct.md 6.1)."""

from dataclasses import dataclass

from tools.emulator.cloud import signing
from tools.emulator.cloud.calls import Call, parse_form
from tools.emulator.cloud.centres import homes

FIELDS = ("productKey", "deviceName", "signmethod", "sign", "version", "clientId", "timestamp", "resources",
          "ext")
NEEDED = ("productKey", "deviceName", "sign")
UNSIGNED = ("signmethod", "sign", "version", "resources")


@dataclass
class Asked:
    """One request; `centre` is the region of the host that was asked."""

    fields: dict
    well_formed: bool
    centre: str
    product: object
    device: object

    @property
    def names(self):
        return self.fields.get("productKey"), self.fields.get("deviceName")

    @property
    def method(self):
        """The method of the signature, hmacmd5 if none is named; None if there is no such."""
        return signing.method(self.fields.get("signmethod", "hmacmd5"))


def read(request, centre, instance):
    fields, well_formed = parse_form(request.body)
    return Asked(fields, well_formed, centre, *homes.find(instance.registry, fields))


def check_parameters(asked, instance):
    surplus = set(asked.fields) - set(FIELDS) and instance.config.switches.auth_surplus == 460
    complete = all(asked.fields.get(name) for name in NEEDED) and all(asked.fields.values())
    return None if asked.well_formed and complete and not surplus else 460


def check_type(asked, instance):
    if asked.product is None or asked.device is None:
        return None
    return 6200 if asked.product.auth != "secret" or asked.device.free else None


def check_centre(asked, instance):
    if asked.device is None:
        return None
    switches = instance.config.switches
    handed = asked.fields.get("ext") == "1" or switches.router_ext == "optional"
    return homes.verdict(asked.device, asked.centre, instance, handed)


def check_signature(asked, instance):
    if asked.device is None or asked.method is None:
        return None
    surplus = instance.config.switches.auth_surplus == "signed"
    signed = {name: value for name, value in asked.fields.items()
              if name not in UNSIGNED and (surplus or name in FIELDS)}
    good = signing.matches(asked.fields.get("sign", ""), asked.method, asked.device.secret, signed)
    return None if good else 401


def check_disabled(asked, instance):
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


def verdict(asked, instance):
    """200, or the code of the first check that fails."""
    codes = (CHECKS[name](asked, instance) for name in instance.config.switches.auth_order)
    return next((code for code in codes if code), 200)


def carry_out(asked, instance, link):
    """Issues the token, in the store before it is told; the `data` of the answer."""
    registry, now = instance.registry, instance.wall()
    if instance.config.switches.auth_activates:
        registry.activate(asked.device, now)
    iot_id, token = registry.tokens.issue(asked.device, now)
    return {"iotId": iot_id, "iotToken": token,
            "resources": homes.resources(asked.fields, asked.device, instance)}


AUTH = Call("auth", "POST", read, verdict, carry_out, ("authenticated", "authentication refused"))
