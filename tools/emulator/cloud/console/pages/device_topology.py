"""Device details, sub-devices: the topology of a gateway, and what it has found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.pages.device import AT, frame
from tools.emulator.cloud.console.visit import address

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("device_topology")
HERE = AT + "/subdevices"
SHOWN = 200  # sub-devices on the page


@page.get(HERE)
def show(visit: Visit, pk: str, dn: str) -> Response:
    if visit.product(pk).node != "gateway":
        raise Refused(visit.text("device_topology.no_gateway", dn=dn), 404)
    return visit.render("device/topology.html", **frame(visit, pk, dn))


@page.region(HERE, "device/topology_rows.html", every=0.5)
def topology(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    gateways, key = visit.instance.gateways, visit.device(pk, dn).key
    attached = gateways.topology.of(key)
    return {
        "attached": attached[:SHOWN],
        "total": len(attached),
        "of_status": visit.instance.status,
        "found": list(gateways.found.get(key, {}))[:SHOWN],
        "here": address("products", pk, "devices", dn, "subdevices"),
    }


def named(visit: Visit) -> dict[str, Any]:
    """The sub-device that a form names, as the admin API takes it."""
    one = {"product_key": visit.field("product_key"), "device_name": visit.field("device_name")}
    return {"subdevices": [one]}


@page.post(HERE + "/attach", back=HERE)
async def attach(visit: Visit, pk: str, dn: str) -> Response:
    await visit.admin("POST", f"/devices/{pk}/{dn}/topology", named(visit))
    return done(visit, pk, dn, "attached")


@page.post(HERE + "/detach", back=HERE)
async def detach(visit: Visit, pk: str, dn: str) -> Response:
    await visit.admin("DELETE", f"/devices/{pk}/{dn}/topology", named(visit))
    return done(visit, pk, dn, "detached")


@page.post(HERE + "/notify", back=HERE)
async def notify(visit: Visit, pk: str, dn: str) -> Response:
    """Asks the gateway to attach a sub-device."""
    await visit.admin("POST", f"/devices/{pk}/{dn}/notify", named(visit))
    return done(visit, pk, dn, "asked")


@page.post(HERE + "/permit", back=HERE)
async def permit(visit: Visit, pk: str, dn: str) -> Response:
    """Lets the gateway join sub-devices of a product for a while."""
    seconds = visit.field("seconds", "60")
    if not seconds.isascii() or not seconds.isdigit():
        raise Refused(visit.text("device_topology.no_seconds"))
    params = {"productKey": visit.field("product_key"), "time": int(seconds)}
    await visit.admin("POST", f"/devices/{pk}/{dn}/permit", {"params": params})
    return done(visit, pk, dn, "permitted")


def done(visit: Visit, pk: str, dn: str, what: str) -> Response:
    to = address("products", pk, "devices", dn, "subdevices")
    return visit.done(to, f"device_topology.{what}", name=visit.field("device_name"))
