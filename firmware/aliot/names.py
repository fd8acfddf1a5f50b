"""What a name, a secret or a host may look like. Pure."""

from aliot.errors import CredentialError


def check_product_key(value):
    """`value` itself if it can be a ProductKey; CredentialError otherwise, as of all functions here."""
    return check("ProductKey", value, 1, 20, "")


def check_device_name(value):
    return check("DeviceName", value, 4, 32, "-_@.:")


def check_secret(what, value, most=64):
    """`value` itself if it can be a secret called `what`, of at most `most` characters."""
    return check(what, value, 1, most)


def check_host(value):
    return check("host", value, 1, 128, ".-")


def text(fields, tag):
    """A field of a record as str, "" where the record does not have it."""
    try:
        return fields.get(tag, b"").decode()
    except UnicodeError:
        raise CredentialError("field %d is not text" % tag)


def check(what, value, least, most, signs=None):
    """`value` itself if it has least to most letters, digits and `signs` (None: printable characters without blank)."""
    if not isinstance(value, str):
        value = ""
    for c in value.encode():  # each character of a text would become one of the heap's names, for good
        if not (
            0x61 <= c <= 0x7A
            or 0x41 <= c <= 0x5A
            or 0x30 <= c <= 0x39
            or (0x20 < c < 0x7F if signs is None else c in signs.encode())
        ):
            least = 1000
    if not least <= len(value) <= most:
        raise CredentialError(what + " is missing or wrong")
    return value
