"""Registration by the gateway's session; gateway.md 4."""

from aliot import load
from aliot.gateway.asking.batch import collect, pair
from aliot.gateway.asking.names import names
from aliot.gateway.asking.plain import plain
from aliot.gateway.errors import drop
from micropython import const

_ANSWER = const(250)  # bytes that the answer has for one: iotId, names and DeviceSecret


def run(gateway, subdevices, strict):
    return (collect(gateway, new(gateway, subdevices), "thing/sub/register", pair, 30, 90, _ANSWER)
            and has_room(gateway))


def new(gateway, subdevices):
    """The names of those that have no secret here."""
    for name in names(gateway, subdevices):
        if not plain(name[0], 20) or not plain(name[1], 32):
            load("gateway.asking.answer").fail(gateway, name, "name")
        elif gateway.rows.find(name) < 0:
            yield name


def has_room(gateway):
    """True; GatewayError where what is to be issued could not be kept."""
    if gateway.rows.lacks(len(gateway.batch)):
        try:
            load("gateway.records.room").run(gateway.rows, len(gateway.batch))
        finally:
            drop("records")
    return True
