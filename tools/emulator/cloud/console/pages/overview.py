"""Overview: the instance, its counts, connects and messages a second, and what went wrong lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page
from tools.emulator.cloud.console.recent import details, latest, went_wrong

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("overview", "/", order=10)
SHOWN = 15  # events


@page.get("/")
def show(visit: Visit) -> Response:
    config = visit.instance.config
    return visit.render("overview/page.html", config=config, ports=visit.console.server.ports)


@page.region("/", "overview/counts.html")
def counts(visit: Visit) -> dict[str, Any]:
    products = visit.instance.registry.products.values()
    return {
        "products": len(products),
        "devices": sum(len(product.devices) for product in products),
        "online": len(visit.instance.sessions.live()),
        "faults": len(visit.instance.faults.armed),
        "now": visit.instance.wall(),
        "ahead": visit.instance.wall.ahead,
    }


@page.region("/", "overview/rates.html")
def rates(visit: Visit) -> dict[str, Any]:
    samples = list(visit.console.rates.samples)
    return {
        "logins": [(moment, count) for moment, count, _, _ in samples],
        "up": [(moment, count) for moment, _, count, _ in samples],
        "down": [(moment, count) for moment, _, _, count in samples],
    }


@page.region("/", "overview/wrong.html")
async def wrong(visit: Visit) -> dict[str, Any]:
    events = await latest(visit, "wrong", visit.instance.journal.events, went_wrong, SHOWN)
    return {"events": [(event, details(event)) for event in events]}
