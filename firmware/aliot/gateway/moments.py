"""What a gateway does at some moments: something has happened, a connection is new, nobody is left to be logged in."""

from aliot import load
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.gateway.errors import advice
from aliot.gateway.rows import ATTACHED, ONLINE
from aliot.ticks import uptime
from micropython import const

_SPREAD = const(5000)  # ms
_LOOK = const(10000)  # ms between two looks for sub-devices that may log in again
_NEVER = const(1 << 29)


def report(gateway):
    """Say what has happened, and tell the watchers; what one of them raises is a line of state too."""
    device = gateway.device
    if gateway.spilled:
        device.state(
            "error",
            {
                "code": "gateway.event",
                "detail": "%d were dropped" % gateway.spilled,
                "advice": advice("event"),
            },
        )
        gateway.spilled = 0
    while gateway.events:
        event, name, code, detail = gateway.events.pop(0)
        fields = {"event": event}
        if name:
            fields["product_key"], fields["device_name"] = name
        if code:
            fields["code"] = code
            fields["advice"] = advice(code)
        device.state("subdevice", fields)
        for handler in gateway.watchers:
            try:
                handler(event, name, detail or code)
            except (LinkError, ProtocolError):
                pass  # it was said where it happened
            except AliotError as problem:
                gateway.complain(problem)
            except Exception as problem:
                load("crash").handler_failed(device, problem, event)


def begin(gateway):
    """Before the first request on a connection."""
    device = gateway.device
    gateway.fresh = False
    gateway.reported = None
    errors = "/ext/error/%s/%s" % (device.product_key, device.device_name)
    if errors not in device.topics:
        device.subscribe(errors)
    if gateway.rows.left:
        gateway.complain(gateway.rows.problem)
    spread = device.config.get("spread", _SPREAD) if gateway.spread is None else gateway.spread
    gateway.spread = 0
    if spread:
        gateway.calm = uptime() + device.session.random(spread)


def rest(gateway):
    """Nobody is left to be logged in."""
    rows = gateway.rows
    gateway.due_at = uptime() + (_LOOK if gateway.later else _NEVER)
    if gateway.again:
        try:
            _resend(gateway)
        except LinkError:
            pass  # it was said where it happened
    fields = {"stored": rows.count, "attached": rows.number(ATTACHED), "online": rows.number(ONLINE)}
    if fields != gateway.reported:
        gateway.reported = fields
        gateway.device.state("subdevices", dict(fields))


def _resend(gateway):
    """Once more what had no session, after its sub-device has logged in again; gateway.md 9"""
    subdevice, topic, payload, qos = gateway.again
    row = gateway.rows.find(subdevice)
    if row >= 0 and gateway.rows.state(row) & ONLINE:
        gateway.again = None
        gateway.device.publish(topic, payload, qos)
