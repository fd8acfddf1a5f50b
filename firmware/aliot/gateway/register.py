"""Registration by the gateway's session; gateway.md 4."""

from aliot.gateway.newcomers import new
from aliot.gateway.pack import collect, pair
from aliot.gateway.room import make_room
from micropython import const

_ANSWER = const(250)  # bytes that the answer has for one: iotId, names and DeviceSecret


def run(gateway, subdevices, strict):
    return collect(
        gateway, new(gateway, subdevices), "thing/sub/register", pair, 30, 90, _ANSWER
    ) and make_room(gateway.rows, len(gateway.batch))
