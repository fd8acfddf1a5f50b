"""The fields of an identity one by one: what a value looks like, and the tag that it has in a record.

The endpoint's fields say where a board connects; config.json may say most of them again (aliot.settings).
"""

import re

from tools.errors import UserError
from tools.firmware import record, settings

METHODS = ("https", "mqtt", "regnwl")
NAME_RULES = ("mac", "MAC", "mac:", "MAC:")
SIGN_METHODS = ("hmacsha256", "hmacsha1", "hmacmd5")
AUTHS = settings.ENDPOINT["auth"][0]
BOOTSTRAPS = settings.ENDPOINT["bootstrap"][0]

SECRET = (r"[!-~]{1,64}", "1 to 64 printable characters without spaces")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = (rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+", "a host name in lower case")

# field -> (pattern, what it says); direct.md 1.4 and 5.1, id2.md 1.1
_RULES = {
    "product_key": (r"[A-Za-z0-9]{1,20}", "1 to 20 letters and digits (ProductKeys have 11)"),
    "device_name": (r"[A-Za-z0-9_@.:-]{4,32}", "4 to 32 letters, digits and - _ @ . :"),
    "device_secret": SECRET,
    "product_secret": SECRET,
    "region": (r"[a-z]{2}-[a-z]+(-[0-9]+)?", "a region id such as cn-shanghai"),
    "instance": (r"[a-z0-9][a-z0-9-]{1,62}", "an instance id such as iot-06z00abc"),
    "host": _HOST,
    "register_host": _HOST,
    "id2": (r"(?![Ff]{24}$)[0-9A-Fa-f]{24}", "an ID of 24 hex digits"),
    "id2_key": (r"([0-9A-Fa-f]{2})+", "a key in hex digits"),
    "id2_type": (r"[A-Za-z0-9_-]{1,16}", "a type such as AES_128"),
}
_CHOICES = {"method": METHODS, "name_rule": NAME_RULES, "sign_method": SIGN_METHODS, "auth": AUTHS,
            "bootstrap": BOOTSTRAPS}
SECRETS = ("device_secret", "product_secret", "id2_key")

ENDPOINT = ("region", "instance", "host", "port", "register_host", "sign_method", "auth", "bootstrap")

# names whose value is text in a record; the rest is packed by the identity that has it
TAGS = {
    "product_key": record.PRODUCT_KEY, "device_name": record.DEVICE_NAME,
    "device_secret": record.DEVICE_SECRET, "product_secret": record.PRODUCT_SECRET,
    "name_rule": record.NAME_RULE, "method": record.METHOD, "sign_method": record.SIGN_METHOD,
    "region": record.REGION, "instance": record.INSTANCE, "host": record.HOST,
    "register_host": record.REGISTER_HOST, "auth": record.AUTH, "bootstrap": record.BOOTSTRAP,
}
_USUAL = {"auth": "mqtt", "bootstrap": "none"}  # what a record says by not having the field


def check(name, value):
    """UserError when a field's value is wrong; it never shows a secret."""
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
        shown = "" if name in SECRETS else f" {value!r}"
        raise UserError(f"{name}{shown} is not {words}")


def encoded(values):
    """{tag: bytes} of text fields {name: value or None}."""
    return {TAGS[name]: value.encode() for name, value in values.items()
            if value is not None and value != _USUAL.get(name)}
