"""/auth/bootstrap, of a region and the global one: where a device connects, unsigned (direct.md 6.2)."""

from dataclasses import dataclass

from tools.emulator.cloud.calls import Call, read_form
from tools.emulator.cloud.centres import homes

FIELDS = ("productKey", "deviceName", "clientId", "resources")
NEEDED = ("productKey", "deviceName")


@dataclass
class RegionAsked:
    """One request for the endpoint of a region."""

    region: str
    product = device = centre = None
    names = (None, None)


def read(request, centre, instance):
    return read_form(request.body, instance.registry, homes.served, centre)


def verdict(asked, instance):
    if not asked.complete(NEEDED, FIELDS):
        return 460
    if asked.device is None:
        return 5001
    return homes.verdict(asked.device, asked.centre, instance, True) or 200


def carry_out(asked, instance, link):
    found = homes.resources(asked.fields, asked.device, instance)
    return {"resources": with_ip(found, instance, link)}


def read_region(request, centre, instance):
    return RegionAsked(request.path.rsplit("/", 1)[1])


def verdict_region(asked, instance):
    known = asked.region in instance.config.centres
    return 200 if known else instance.config.switches.bootstrap_region


def carry_out_region(asked, instance, link):
    return {"resources": with_ip({"mqtt": homes.endpoint(asked.region, None, instance)}, instance, link)}


def with_ip(resources, instance, link):
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
