"""The fields of an identity one by one: what a value looks like, and the tag that it has in a record.

The endpoint's fields say where a board connects; config.json may say most of them again (aliot.settings).
"""

import re
from collections.abc import Mapping

from tools.errors import UserError
from tools.firmware import record, settings
from tools.image.identity import spellings

METHODS = ("https", "mqtt", "regnwl")
NAME_RULES = ("mac", "MAC", "mac:", "MAC:")
SIGN_METHODS = ("hmacsha256", "hmacsha1", "hmacmd5")
AUTHS = tuple(settings.ENDPOINT["auth"][0])
BOOTSTRAPS = tuple(settings.ENDPOINT["bootstrap"][0])

SECRET = (r"[!-~]{6,64}", "6 to 64 printable characters without spaces")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = (rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+", "a host name in lower case")

# field -> (pattern, what it says); direct.md 1.4 and 5.1, id2.md 1.1
_RULES = {
    "product_key": (r"[A-Za-z0-9]{1,20}", "1 to 20 letters and digits (ProductKeys have 11)"),
    "device_name": (r"[A-Za-z0-9_@.:-]{4,32}", "4 to 32 letters, digits and - _ @ . :"),
    "device_secret": SECRET,
    "product_secret": SECRET,
    "region": (r"[a-z]{2}-[a-z]+(-[0-9]+)?", "a region id such as cn-shanghai"),
    "instance": (
        r"iot-[a-z0-9][a-z0-9-]{0,58}",
        "an instance id such as iot-06z00abc; the legacy public instance has none: leave it out",
    ),
    "host": _HOST,
    "register_host": _HOST,
    "id2": (r"(?![Ff]{24}$)[0-9A-Fa-f]{24}", "an ID of 24 hex digits"),
    "id2_key": (r"([0-9A-Fa-f]{2})+", "a key in hex digits"),
    "id2_type": (r"[A-Za-z0-9_-]{1,16}", "a type such as AES_128"),
}
_CHOICES = {
    "method": METHODS,
    "name_rule": NAME_RULES,
    "sign_method": SIGN_METHODS,
    "auth": AUTHS,
    "bootstrap": BOOTSTRAPS,
}
SECRETS = ("device_secret", "product_secret", "id2_key")

ENDPOINT = ("region", "instance", "host", "port", "register_host", "sign_method", "auth", "bootstrap")

# names whose value is text in a record; the rest is packed by the identity that has it
TAGS = {
    "product_key": record.PRODUCT_KEY,
    "device_name": record.DEVICE_NAME,
    "device_secret": record.DEVICE_SECRET,
    "product_secret": record.PRODUCT_SECRET,
    "name_rule": record.NAME_RULE,
    "method": record.METHOD,
    "sign_method": record.SIGN_METHOD,
    "region": record.REGION,
    "instance": record.INSTANCE,
    "host": record.HOST,
    "register_host": record.REGISTER_HOST,
    "auth": record.AUTH,
    "bootstrap": record.BOOTSTRAP,
}
_USUAL = {"auth": "mqtt", "bootstrap": "none"}  # what a record says by not having the field


def check(name: str, value: object) -> None:
    """UserError when a field's value is wrong; it never shows a secret."""
    if name == "port":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
            raise UserError("port is not a number from 1 to 65535")
        return
    if name == "key_block":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 5:
            raise UserError("key_block is not a number from 0 to 5, for KEY0 to KEY5")
        return
    if not isinstance(value, str):
        raise UserError(f"{name} is not a text")
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise UserError(f"{name} is not one of {', '.join(_CHOICES[name])}")
        return
    problem = wrong(name, value)
    if problem:
        raise UserError(problem)


def wrong(name: str, value: str, title: str | None = None) -> str | None:
    """What is wrong with a text under one of the rules, in words that show no secret; None when it is right.

    `title` is the field's name in the source, for messages. All tools use these rules.
    """
    title = title or name
    pattern, rule = _RULES[name]
    hidden = spellings.invisible(value)
    if hidden:
        at = "" if name in SECRETS else f" '{spellings.shown(value)[:40]}'"
        return f"{title}{at} holds {hidden}: type it anew, or copy it from the console again"
    if name in (*SECRETS, "id2") and re.fullmatch(_NUMBER, value):
        return f"{title} was turned into a number by a spreadsheet; download the file again"
    if name in SECRETS and (spoiled := _spoiled(name, value)):
        return f"{title} {spoiled}"
    if not re.fullmatch(pattern, value):
        return (
            f"{title} is not {rule} (it has {len(value)})"
            if name in SECRETS
            else f"{title} {value[:40]!r} is not {rule}"
        )
    return None


_NUMBER = r"[0-9]([.,][0-9]+)?E[+-]?[0-9]{1,3}"  # what a spreadsheet makes of digits with one E among them


def _spoiled(name, secret):
    """What happened to a secret on its way here, or None."""
    if "***" in secret or secret.count("*") > len(secret) // 3:
        return "is masked with stars; copy the real one from the console"
    if "..." in secret and len(secret) < 32 or re.fullmatch(r"<.*>|\{.*\}|\$.*|your.*", secret, re.I):
        return "is a placeholder or was cut short; put the whole of the real one there"
    if name == "device_secret" and len(secret) in range(28, 37) and len(secret) != 32:
        return f"has {len(secret)} characters, the platform's have 32: copy the whole of it"
    return None


def encoded(values: Mapping[str, str | None]) -> dict[int, bytes]:
    """{tag: bytes} of text fields {name: value or None}."""
    return {
        TAGS[name]: value.encode()
        for name, value in values.items()
        if value is not None and value != _USUAL.get(name)
    }
