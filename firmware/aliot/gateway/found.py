"""Reporting sub-devices that somebody should create in the console; gateway.md 7."""

from aliot.gateway.pack import collect, pair
from aliot.gateway.names import names


def run(gateway, subdevices, strict):
    return collect(gateway, names(gateway, subdevices), "thing/list/found", pair, 30, 90, 0)
