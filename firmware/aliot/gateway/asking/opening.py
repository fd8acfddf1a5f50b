"""What comes before the first request on a connection."""

from aliot.ticks import uptime
from micropython import const

_SPREAD = const(5000)  # ms


def run(gateway):
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
