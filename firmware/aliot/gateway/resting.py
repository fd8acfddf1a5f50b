"""What a gateway does when nobody is left to be logged in."""

from aliot.errors import AliotError
from aliot.gateway.rows import ATTACHED, ONLINE
from aliot.ticks import uptime
from micropython import const

_LOOK = const(10000)  # ms between two looks for sub-devices that may log in again
_NEVER = const(1 << 29)


def rest(gateway):
    rows = gateway.rows
    gateway.look = uptime() + (_LOOK if gateway.later else _NEVER)
    try:
        _resend(gateway)
    except AliotError as problem:
        gateway.complain(problem)
    fields = {"stored": rows.count, "attached": rows.number(ATTACHED), "online": rows.number(ONLINE)}
    if fields != gateway.reported:
        gateway.reported = fields
        gateway.device.state("subdevices", dict(fields))


def _resend(gateway):
    """Once more what had no session, after its sub-device has logged in again; gateway.md 9"""
    if gateway.again:
        subdevice, topic, payload, qos = gateway.again
        row = gateway.rows.find(subdevice)
        if row >= 0 and gateway.rows.state(row) & ONLINE:
            gateway.again = None
            gateway.device.publish(topic, payload, qos)
