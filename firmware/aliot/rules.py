"""What a setting has to be, in words, and a repair: read only when it is needed. The tables are in aliot.settings."""

from aliot import settings
from aliot.errors import AliotError


def rule(kind, least, most):
    """The rule of a row of settings.RULES or settings.ENDPOINT as words for people."""
    if kind is bool:
        return "true or false"
    if kind is dict:
        return "an object"
    if kind == "password":
        return "8 to 63 characters, a key of 64 hex digits, or nothing for an open network"
    if isinstance(kind, tuple):
        return "one of " + ", ".join(kind)
    if kind == "hosts":
        return "a list of %d to %d host names" % (least, most)
    if kind[:6] == "number":
        return "a number from %d to %d" % (least, most) + kind[6:]
    unit = {"text": "bytes of UTF-8", "hex": "hex digits"}.get(kind, "lower-case letters, digits and -")
    return "%d to %d %s" % (least, most, unit + (" ." if kind == "host" else ""))


def report(device, what, name=None):
    """Say in a line of state what is wrong with the setting `name`, or with the file."""
    if name:
        row = (
            settings.RULES.get(name)
            or settings.ENDPOINT.get(name[9:])
            or (tuple(sorted(settings.ENDPOINT)), 0, 0)
        )
        what = "%s has to be %s" % (name, rule(*row))
    device.state(
        "error",
        {
            "code": "settings",
            "detail": settings.FILE + (": " if name else " ") + what,
            "advice": AliotError(code="settings").advice,
        },
    )


def joined(text):
    """`text` with each two halves of a character above U+FFFF as one; a half that stands alone stays."""
    whole = ""
    for c in text:
        low = ord(c) - 0xDC00
        high = ord(whole[-1]) - 0xD800 if whole and 0 <= low < 0x400 else -1
        if 0 <= high < 0x400:
            whole = whole[:-1] + chr(0x10000 + (high << 10) + low)
        else:
            whole += c
    return whole
