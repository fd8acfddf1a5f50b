"""Adding sub-devices to the topology; gateway.md 6.1."""

from aliot.gateway.pack import collect
from aliot.gateway.items import signed, timestamp
from aliot.gateway.names import rows
from aliot.gateway.rows import ATTACHED


def run(gateway, subdevices, strict):
    table = gateway.rows

    def item(row):
        key, name, secret = table.entry(row)
        return signed((key, name), secret, key + "." + name, timestamp(), ',"signmethod":"hmacSha256"')

    things = (row for row in rows(gateway, subdevices, strict) if not table.state(row) & ATTACHED)
    return collect(gateway, things, "thing/topo/add", item, 30, 300)
