"""The sub-devices that a call is for: from an iterable or from a file, on from where the last request ended."""

from aliot.gateway.errors import GatewayError
from micropython import const

_LINE = const(100)  # bytes


def names(gateway, subdevices):
    """The names behind the first `passed`; what is none is given as it is, and refused later."""
    at = 0
    for name in _lines(subdevices) if isinstance(subdevices, str) else subdevices:
        at += 1
        if at > gateway.passed:
            gateway.passed = at
            yield name


def _lines(path):
    """The names of a file: a line `ProductKey DeviceName` each."""
    try:
        with open(path, "rb") as file:
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
        raise GatewayError("names", "%s: error %s" % (path, problem.args[0]), "never")


def rows(gateway, subdevices, strict, needs=0):
    """The rows of those that have one, and all bits of `needs` in their state.

    With `strict` GatewayError `gateway.order`, before the first is given, where one has not.
    """
    table = gateway.rows
    if strict and not gateway.passed:
        for name in names(gateway, subdevices):
            row = table.find(name)
            if row < 0 or table.state(row) & needs != needs:
                raise GatewayError(
                    "order",
                    "the sub-device %s.%s is %s" % (name[0], name[1], gateway.state_of(name)),
                    "never",
                )
        gateway.passed = 0
    for name in names(gateway, subdevices):
        row = table.find(name)
        if row >= 0 and table.state(row) & needs == needs:
            yield row
