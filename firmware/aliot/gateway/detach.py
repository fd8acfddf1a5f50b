"""Taking sub-devices out of the topology; gateway.md 6.2."""

from aliot.gateway.pack import collect, pair
from aliot.gateway.names import rows


def run(gateway, subdevices, strict):
    return collect(
        gateway,
        rows(gateway, subdevices, strict),
        "thing/topo/delete",
        lambda row: pair(gateway.rows.entry(row)),
        30,
        90,
    )
