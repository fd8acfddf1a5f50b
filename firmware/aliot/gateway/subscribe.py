"""Subscribes the custom topics of sub-devices that have just logged in."""

from aliot.errors import AliotError
from aliot.gateway.upkeep import full_topic


def run(gateway, batch):
    device = gateway.device
    for topic in gateway.topics:
        for row in batch:
            whole = full_topic(gateway.rows.entry(row), topic)
            try:
                device.call(type(device.client).subscribe, whole, gateway.topics[topic])
            except AliotError as problem:
                if problem.code != "suback":
                    raise
                device.state("error", {"code": "suback", "detail": whole})
