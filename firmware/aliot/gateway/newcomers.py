"""The sub-devices of a call that have no secret here."""

from aliot import load
from aliot.gateway.names import names
from aliot.gateway.text import plain


def new(gateway, subdevices):
    """The names of those that have no secret here."""
    for name in names(gateway, subdevices):
        if not plain(name[0], 20) or not plain(name[1], 32):
            load("gateway.answer").fail(gateway, name, "name")
        elif gateway.rows.find(name) < 0:
            yield name
