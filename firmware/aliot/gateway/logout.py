"""Taking sub-devices offline; gateway.md 8.3."""

from aliot.gateway.pack import collect, pair
from aliot.gateway.names import rows
from aliot.gateway.rows import ONLINE, WANTED


def run(gateway, subdevices, strict):
    return collect(
        gateway,
        online(gateway, subdevices, strict),
        "combine/batch_logout",
        lambda row: pair(gateway.rows.entry(row)),
        50,
        90,
        90,
        b'"params":[',
        b"]",
        ("combine/logout", b"}"),
    )


def online(gateway, subdevices, strict):
    for row in rows(gateway, subdevices, strict):
        gateway.rows.change(row, WANTED)
        if gateway.rows.state(row) & ONLINE:
            yield row
