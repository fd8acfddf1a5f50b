"""Dropping the secrets of sub-devices: all of them, or none when one has none."""

from aliot.gateway.names import rows
from aliot.gateway.rows import GONE


def run(gateway, subdevices, strict):
    for row in rows(gateway, subdevices, strict):
        gateway.rows.change(row, 0, GONE)
        gateway.dirty = True
    return False
