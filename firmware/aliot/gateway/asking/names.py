"""The sub-devices that a call is for: batch by batch, from an iterable or from a file."""

from aliot.gateway.errors import GatewayError
from micropython import const

_LINE = const(100)  # bytes


def names(subdevices):
    """The names of an iterable, or of a file's lines; what is none is given as it is, and refused later."""
    if not isinstance(subdevices, str):
        for name in subdevices:
            yield name
        return
    try:
        with open(subdevices, "rb") as file:
            number = 0
            while True:
                line = file.readline(_LINE)
                if not line:
                    return
                number += 1
                words = line.split()
                if words and words[0][:1] != b"#":
                    try:
                        product_key, device_name = [word.decode() for word in words]
                        yield product_key, device_name
                    except ValueError:
                        yield "line number %d" % number, ""
    except OSError as problem:
        raise GatewayError("names", "%s: error %s" % (subdevices, problem.args[0]), "never")


def plain(text, most):
    """Whether that is a text of 1 to `most` characters that need no care in JSON or on a line."""
    if not isinstance(text, str) or not 0 < len(text) <= most:
        return False
    for byte in text.encode():
        if not 0x21 <= byte <= 0x7E or byte in b'"\\':
            return False
    return True


def rows(gateway, subdevices, strict, needs=0):
    """The rows of these sub-devices that have one, and all bits of `needs` in their state.

    With `strict` GatewayError `gateway.order`, before the first is given, where one has not.
    """
    table = gateway.rows
    for check in (True, False) if strict else (False,):
        for name in names(subdevices):
            row = table.find(name)
            if row >= 0 and table.state(row) & needs == needs:
                if not check:
                    yield row
            elif check:
                raise GatewayError("order", "the sub-device %s.%s is %s" % (name[0], name[1], gateway.state_of(name)),
                                   "never")
