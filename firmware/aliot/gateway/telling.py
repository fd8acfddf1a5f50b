"""Telling the console and the application what has happened to sub-devices."""

from aliot import load
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.gateway.errors import advice


def tell(gateway):
    """Say it, and tell the watchers; what one of them raises is a line of state too."""
    device = gateway.device
    if gateway.dropped:
        device.state("error", {"code": "gateway.events", "detail": "%d were dropped" % gateway.dropped,
                               "advice": advice("events")})
        gateway.dropped = 0
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
