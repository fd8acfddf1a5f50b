"""What a gateway's request holds: items that name sub-devices, with their proof (gateway.md 4 to 8). Pure."""

from dataclasses import dataclass

from tools.emulator.cloud import signing
from tools.emulator.cloud.gateway.codes import Refused

METHOD_KEY = "signmethod"  # spelt signMethod by some; gateway.md 6.1
UNSIGNED = ("sign", METHOD_KEY, "cleansession")
CLEAN = {"true": True, "false": False}


@dataclass(frozen=True)
class Item:
    """One sub-device in a request. `fields` are those that were sent, numbers as their decimal text."""

    product_key: str
    device_name: str
    fields: dict
    clean: bool | None = None

    @property
    def key(self):
        return self.product_key, self.device_name

    @property
    def pair(self):
        return {"productKey": self.product_key, "deviceName": self.device_name}

    def get(self, name):
        """A field by its name in lower case, or None."""
        return next((value for key, value in self.fields.items() if key.lower() == name), None)

    def signed(self):
        """The fields that the sign covers: all that were sent but sign, method and cleanSession."""
        return {key: value for key, value in self.fields.items() if key.lower() not in UNSIGNED}

    def proves(self, secret, method, **more):
        """Whether the sign in it was made with `secret`; `more` are further signed fields."""
        return signing.matches(self.get("sign"), method, secret, self.signed() | more)


def pair_of(device):
    return {"productKey": device.product_key, "deviceName": device.device_name}


def read_items(params, limit, needed=(), method=None):
    """The items of an array, one for each sub-device; raises `Refused` with 460.

    `needed` are fields, in lower case, that each item must have; `method` is
    a sign method that the request names for all of them.
    """
    if not isinstance(params, list) or not 0 < len(params) <= limit:
        raise Refused(460)
    found = [read_item(one, needed, method) for one in params]
    return list({item.key: item for item in found}.values())


def read_item(values, needed=(), method=None):
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


def read_clean(value):
    """cleanSession: text as the page has it, or a JSON boolean."""
    clean = value if isinstance(value, bool) else CLEAN.get(value) if isinstance(value, str) else None
    if clean is None:
        raise Refused(460)
    return clean


def text(value):
    """A field's text: text as it is, a number in decimal digits; raises `Refused` with 460."""
    if isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Refused(460)


def method_of(item, unknown):
    """The signing method of `item`; raises `Refused` with the code `unknown` for one that is not known."""
    method = signing.method(item.get(METHOD_KEY))
    if method is None:
        raise Refused(unknown)
    return method
