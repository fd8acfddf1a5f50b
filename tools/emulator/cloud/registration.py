"""The HTTPS registration's verdict (direct.md 2): a table of checks in the order of a switch. Pure."""

from dataclasses import dataclass

from tools.emulator.cloud import signing
from tools.emulator.cloud.calls import Call, parse_form

FIELDS = ("productKey", "deviceName", "random", "sign", "signMethod")

@dataclass
class Request:
    """The form of one registration and what the registry knows about it."""

    fields: dict
    well_formed: bool
    product: object
    device: object

    @property
    def names(self):
        return self.fields.get("productKey"), self.fields.get("deviceName")

    @property
    def method(self):
        return signing.method(self.fields.get("signMethod", ""))


def read(body, registry):
    """The `Request` in a form-encoded body; anything else gives one that is not well formed."""
    fields, once = parse_form(body)
    well_formed = once and set(fields) == set(FIELDS) and all(fields.values())
    product = registry.products.get(fields.get("productKey"))
    if product is not None and (product.auth != "secret" or product.node == "subdevice"):
        product = None
    device = product.devices.get(fields.get("deviceName")) if product else None
    return Request(fields, well_formed, product, device)


def check_signature(request, registry, switches):
    if request.product is None or request.method is None:
        return None
    signed = {name: request.fields.get(name, "") for name in ("deviceName", "productKey", "random")}
    good = signing.matches(request.fields.get("sign", ""), request.method, request.product.secret, signed)
    return None if good else 6600


def check_device(request, registry, switches):
    if request.device is None:
        return switches.https_unknown_device if request.product else None
    return switches.https_disabled_device if request.device.disabled else None


def check_active(request, registry, switches):
    return 6289 if request.device is not None and not registry.may_register(request.device) else None


CHECKS = {
    "parameters": lambda request, registry, switches: None if request.well_formed else 460,
    "product": lambda request, registry, switches: None if request.product else 6250,
    "switch": lambda request, registry, switches:
        6288 if request.product and not request.product.dynamic_registration else None,
    "method": lambda request, registry, switches: None if request.method else 6292,
    "signature": check_signature,
    "device": check_device,
    "active": check_active,
}


def verdict(request, registry, switches):
    """200, or the code of the first check that fails."""
    for name in switches.https_order:
        if code := CHECKS[name](request, registry, switches):
            return code
    return 200


def carry_out(request, instance, link):
    """Issues the DeviceSecret, in the store before it is told; the `data` of the answer."""
    secret = instance.registry.issue(request.device)
    return {"deviceName": request.device.device_name, "deviceSecret": secret,
            "productKey": request.device.product_key}


REGISTER = Call("register", "POST",
                lambda request, centre, instance: read(request.body, instance.registry),
                lambda asked, instance: verdict(asked, instance.registry, instance.config.switches),
                carry_out, ("registered", "registration refused"), "register")
