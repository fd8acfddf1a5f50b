"""Dropping the secrets of sub-devices."""

from aliot.gateway.asking.names import rows
from aliot.gateway.rows import GONE


def ask(gateway, subdevices, strict):
    for row in rows(gateway, subdevices, True):
        gateway.rows.change(row, 0, GONE)
    gateway.dirty = True
