"""/auth/bootstrap, of a region and the global one: where a device connects, unsigned (direct.md 6.2)."""

from dataclasses import dataclass

from tools.emulator.cloud.calls import Call, parse_form
from tools.emulator.cloud.centres import homes

FIELDS = ("productKey", "deviceName", "clientId", "resources")
NEEDED = ("productKey", "deviceName")


@dataclass
class Asked:
    """One request of a device; `centre` is the region of the host that was asked, or `names.GLOBAL`."""

    fields: dict
    well_formed: bool
    centre: str
    product: object
    device: object

    @property
    def names(self):
        return self.fields.get("productKey"), self.fields.get("deviceName")


@dataclass
class RegionAsked:
    """One request for the endpoint of a region."""

    region: str
    product = device = None
    names = (None, None)


def read(request, centre, instance):
    fields, well_formed = parse_form(request.body)
    return Asked(fields, well_formed, centre, *homes.find(instance.registry, fields))


def verdict(asked, instance):
    complete = all(asked.fields.get(name) for name in NEEDED) and all(asked.fields.values())
    if not asked.well_formed or not complete or set(asked.fields) - set(FIELDS):
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
    return {name: {"host": one["host"], "ip": address, "port": one["port"]}
            for name, one in resources.items()}


EVENTS = ("bootstrapped", "bootstrap refused")
BOOTSTRAP = Call("bootstrap", "POST", read, verdict, carry_out, EVENTS)
REGION = Call("bootstrap", "GET", read_region, verdict_region, carry_out_region, EVENTS)
