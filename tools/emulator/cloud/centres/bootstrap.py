"""/auth/bootstrap, of a region and the global one: where a device connects, unsigned (direct.md 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.calls import Asked, Call, read_form
from tools.emulator.cloud.centres import homes

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.web import Request

FIELDS = ("productKey", "deviceName", "clientId", "resources")
NEEDED = ("productKey", "deviceName")


@dataclass
class RegionAsked:
    """One request for the endpoint of a region."""

    region: str
    product = device = centre = None
    names = (None, None)


def read(request: Request, centre: str, instance: Instance) -> Asked:
    return read_form(request.body, instance.registry, homes.served, centre, kind=Asked)


def verdict(asked: Asked, instance: Instance) -> int:
    if not asked.complete(NEEDED, FIELDS):
        return 460
    if asked.device is None:
        return 5001
    return homes.verdict(asked.device, asked.centre, instance, True) or 200


def carry_out(asked: Asked, instance: Instance, link: Link) -> dict[str, Any]:
    found = homes.resources(asked.fields, asked.device, instance)
    return {"resources": with_ip(found, instance, link)}


def read_region(request: Request, centre: str, instance: Instance) -> RegionAsked:
    return RegionAsked(request.path.rsplit("/", 1)[1])


def verdict_region(asked: RegionAsked, instance: Instance) -> int:
    known = asked.region in instance.config.centres
    return 200 if known else instance.config.switches.bootstrap_region


def carry_out_region(asked: RegionAsked, instance: Instance, link: Link) -> dict[str, Any]:
    return {"resources": with_ip({"mqtt": homes.endpoint(asked.region, None, instance)}, instance, link)}


def with_ip(resources: dict[str, Any], instance: Instance, link: Link) -> dict[str, Any]:
    """`resources`, with the address that the client has reached if the switch says so."""
    if not instance.config.switches.bootstrap_ip:
        return resources
    address = link.transport.get_extra_info("sockname")[0]
    return {
        name: {"host": one["host"], "ip": address, "port": one["port"]} for name, one in resources.items()
    }


EVENTS = ("bootstrapped", "bootstrap refused")
BOOTSTRAP = Call("bootstrap", "POST", read, verdict, carry_out, EVENTS)
REGION = Call("bootstrap", "GET", read_region, verdict_region, carry_out_region, EVENTS)
