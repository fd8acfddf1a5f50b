"""The identity to burn, as a JSON file says it: read, checked field by field, and made into a record.

    {"product_key": "a1...", "device_name": "dev1", "device_secret": "..."}      a device with its own secret
    {"product_key": "a1...", "product_secret": "...", "method": "https"}         one per product, named by MAC
"""

import json
import re
import struct
import time
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tools import availability
from tools.errors import UserError
from tools.firmware import record
from tools.private import mask

METHODS = ("https", "mqtt", "regnwl")
NAME_RULES = ("mac", "MAC", "mac:", "MAC:")
SIGN_METHODS = ("hmacsha256", "hmacsha1", "hmacmd5")

_SECRET = (r"[!-~]{1,64}", "1 to 64 printable characters without spaces")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = (rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+", "a host name in lower case")

# field -> (pattern, what it says); direct.md 1.4 and 5.1
_RULES = {
    "product_key": (r"[A-Za-z0-9]{1,20}", "1 to 20 letters and digits (ProductKeys have 11)"),
    "device_name": (r"[A-Za-z0-9_@.:-]{4,32}", "4 to 32 letters, digits and - _ @ . :"),
    "device_secret": _SECRET,
    "product_secret": _SECRET,
    "region": (r"[a-z]{2}-[a-z]+(-[0-9]+)?", "a region id such as cn-shanghai"),
    "instance": (r"[a-z0-9][a-z0-9-]{1,62}", "an instance id such as iot-06z00abc"),
    "host": _HOST,
    "register_host": _HOST,
}
_CHOICES = {"method": METHODS, "name_rule": NAME_RULES, "sign_method": SIGN_METHODS}
_TAGS = {
    "product_key": record.PRODUCT_KEY, "device_name": record.DEVICE_NAME,
    "device_secret": record.DEVICE_SECRET, "product_secret": record.PRODUCT_SECRET,
    "name_rule": record.NAME_RULE, "method": record.METHOD, "sign_method": record.SIGN_METHOD,
    "region": record.REGION, "instance": record.INSTANCE, "host": record.HOST,
    "register_host": record.REGISTER_HOST,
}
_SECRETS = ("device_secret", "product_secret")


@dataclass(frozen=True)
class Identity:
    """A checked identity. Secrets do not show when it is printed."""

    product_key: str
    device_name: str | None = None
    device_secret: str | None = field(default=None, repr=False)
    product_secret: str | None = field(default=None, repr=False)
    name_rule: str | None = None
    method: str | None = None
    region: str | None = None
    instance: str | None = None
    host: str | None = None
    port: int | None = None
    register_host: str | None = None
    sign_method: str | None = None

    @property
    def way(self):
        """"device" when it has its own secret, "product" when that has still to be issued."""
        return "device" if self.device_secret else "product"

    def fields(self):
        """The fields of its burned record, by tag."""
        values = {record.WAY: self.way.encode()}
        for name, tag in _TAGS.items():
            if getattr(self, name) is not None:
                values[tag] = getattr(self, name).encode()
        if self.port is not None:
            values[record.PORT] = struct.pack("<H", self.port)
        return values

    def to_record(self, generation):
        """The burned record's bytes, to go onto both media."""
        return record.encode(record.BURNED, generation, self.fields())

    def warning(self):
        """One line when the documents do not have this way in its region and edition, else None."""
        own = (self.host or "").removesuffix(".mqtt.iothub.aliyuncs.com")
        instance = self.instance or (own if own != self.host else None)
        if self.host and not self.region:
            return None  # where that host is cannot be known
        return availability.warning(self.way, self.method, self.region, instance)

    def masked(self):
        """What may be shown of it, by field name."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return {"way": self.way, **{name: mask(v) if name in _SECRETS else v for name, v in shown.items()}}


def load(path):
    """The `Identity` in a JSON file; UserError, in one line, for whatever is wrong with it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse(json.loads(text, object_pairs_hook=_once))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _once(pairs):
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"'{name}' is there twice")
    return dict(pairs)


def parse(values):
    """The `Identity` of a dict of fields; UserError names the first field that is wrong and its rule."""
    if not isinstance(values, dict):
        raise UserError("an identity is a JSON object with product_key and more")
    known = {f.name for f in fields(Identity)}
    values = {name: value for name, value in values.items() if value is not None}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"'{name}' is not a field of an identity; there are {', '.join(sorted(known))}")
        _check(name, value)
    if "product_key" not in values:
        raise UserError("product_key is missing")
    return _complete(Identity(**values))


def _check(name, value):
    if name == "port":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
            raise UserError("port is not a number from 1 to 65535")
        return
    if not isinstance(value, str):
        raise UserError(f"{name} is not a text")
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise UserError(f"{name} is not one of {', '.join(_CHOICES[name])}")
        return
    pattern, words = _RULES[name]
    if not re.fullmatch(pattern, value):
        shown = "" if name in _SECRETS else f" {value!r}"
        raise UserError(f"{name}{shown} is not {words}")


def _complete(identity):
    """The identity with what follows from the rest filled in; UserError for what does not go together."""
    if identity.device_secret and identity.product_secret:
        raise UserError("a product secret is never burned into a device that has its own secret: "
                        "give device_secret or product_secret")
    if identity.device_name and identity.name_rule:
        raise UserError("device_name and name_rule exclude each other: the rule makes the name from the MAC")
    if identity.device_secret:
        if not identity.device_name:
            raise UserError("device_name is missing: a device_secret belongs to one name")
        if identity.method:
            raise UserError("method is for registration, and a device with its own secret does not register")
        return identity
    if not identity.product_secret:
        raise UserError("device_secret or product_secret is missing")
    method = identity.method or "https"
    rule = identity.name_rule or (None if identity.device_name else "mac")
    return replace(identity, method=method, name_rule=rule)


def name_from_mac(rule, mac):
    """The DeviceName that a name rule makes of a MAC (12 hex digits, with or without colons)."""
    digits = mac.replace(":", "").lower()
    if rule.endswith(":"):
        digits = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return digits.upper() if rule.startswith("MAC") else digits


def check_availability(identity, anyway=False):
    """UserError when the documents do not have this way there, unless `anyway`; then the line is returned."""
    line = identity.warning()
    if line and not anyway:
        raise UserError(f"{line}; --anyway goes on")
    return line


def next_generation(highest=0, now=None):
    """The generation of a burn: the time in Unix seconds, but above the highest found on either medium."""
    return max(int(time.time() if now is None else now), highest + 1)
