"""Products: the list of them, and creating one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.emulator.cloud.config import AUTHS, NODES
from tools.emulator.cloud.console.page import Page
from tools.emulator.cloud.console.paging import Paging, matches
from tools.emulator.cloud.console.visit import address

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("products", "/products", order=20)


@page.get("/products")
def show(visit: Visit) -> Response:
    wanted = visit.query.get("search", "")
    products = visit.instance.registry.products.values()
    found = [one for one in products if matches(wanted, one.name, one.product_key)]
    return visit.render(
        "products/page.html",
        paging=Paging(visit, found),
        search=wanted,
        auths=AUTHS,
        nodes=NODES,
        models=visit.instance.things.models,
    )


@page.post("/products", back="/products")
async def create(visit: Visit) -> Response:
    auth = visit.field("auth")
    made = await visit.admin(
        "POST",
        "/products",
        {
            "name": visit.field("name"),
            "node": visit.field("node"),
            "auth": auth,
            "private_ca": auth != "x509" or visit.ticked("private_ca"),
        },
    )
    pk = made["product_key"]
    return visit.done(address("products", pk), "products.created", name=made["name"], pk=pk)
