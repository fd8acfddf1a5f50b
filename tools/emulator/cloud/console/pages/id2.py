"""ID²: what products may do, their identities, the state of each, and the device that it is bound to."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import Paging, matches, pieces, search
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.id2.identities import STATES
from tools.emulator.cloud.id2.keys import KEY_TYPES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.id2.identities import Identity

page = Page("id2", "/id2", order=40)
AT = "/id2/{id2}"
PIECE = 10  # identities that are created between two turns of others
COUNT_MAX = 10_000  # of one batch
BATCH = "id2 batch"  # what a session remembers of it


@page.get("/id2")
async def show(visit: Visit) -> Response:
    identities, query, count = visit.instance.id2.identities, visit.query, Counter[str]()
    wanted, state, pk = query.get("search", ""), query.get("state", ""), query.get("pk", "")
    async for piece in pieces(identities.by_id.values()):
        count.update(one.product_key for one in piece)
    found = await search(
        identities.by_id.values(),
        lambda one: (
            state in ("", one.state)
            and pk in ("", one.product_key)
            and matches(wanted, one.id2, one.device_name or "")
        ),
    )
    products = visit.instance.registry.products
    return visit.render(
        "id2/page.html",
        products=[(products[pk], licence) for pk, licence in identities.licences.items() if pk in products],
        count_of=count,
        paging=Paging(visit, found),
        search=wanted,
        state=state,
        pk=pk,
        states=STATES,
        types=list(KEY_TYPES),
        most=COUNT_MAX,
        batch=visit.session.values.get(BATCH, []),
    )


@page.post("/id2", back="/id2")
async def create(visit: Visit) -> Response:
    pk, key_type, typed = visit.field("product_key"), visit.field("key_type"), visit.field("count")
    count = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 7 else 0
    if not 1 <= count <= COUNT_MAX:
        raise Refused(visit.text("id2.no_count", most=COUNT_MAX))
    visit.product(pk)
    made: list[str] = []
    async for piece in pieces(range(count), PIECE):
        body = {"count": len(piece), "id2_type": key_type}
        made += [one["id2"] for one in await visit.admin("POST", f"/products/{pk}/identities", body)]
    visit.session.values[BATCH] = made
    return visit.done("/id2", "id2.created", n=len(made))


@page.post("/id2/batch.csv", back="/id2")
def download(visit: Visit) -> Response:
    """The identities of the last batch with their keys, as the production line takes them in."""
    known = visit.instance.id2.identities.by_id
    batch = [known[one] for one in visit.session.values.get(BATCH, ()) if one in known]
    return visit.download("identities.csv", keys_csv(batch))


async def keys_csv(identities: Iterable[Identity]) -> AsyncIterator[bytes]:
    """The lines of the CSV, some at a time. An identity that is bound to no device is to be one of its own name."""
    yield b"ProductKey,DeviceName,ID,Key,KeyType\r\n"
    async for piece in pieces(identities):
        file = io.StringIO(newline="")
        csv.writer(file).writerows(
            [one.product_key, one.device_name or one.id2, one.id2, one.key_hex, one.key_type] for one in piece
        )
        yield file.getvalue().encode()


@page.post("/id2/products/{pk}/whitelist", back="/id2")
async def set_whitelist(visit: Visit, pk: str) -> Response:
    enabled = visit.field("enabled") == "1"
    await visit.admin("POST", f"/products/{pk}/whitelist", {"enabled": enabled})
    return visit.done("/id2", "id2.whitelist_" + ("on" if enabled else "off"), pk=pk)


@page.post("/id2/products/{pk}/quota", back="/id2")
async def set_quota(visit: Visit, pk: str) -> Response:
    """How many identities may still be provisioned; empty for any number."""
    left = visit.field("left")
    if left and not (left.isascii() and left.isdigit() and len(left) < 10):
        raise Refused(visit.text("id2.no_quota"))
    await visit.admin("POST", f"/products/{pk}/quota", {"left": int(left) if left else None})
    return visit.done("/id2", "id2.quota_set", pk=pk)


# ---- one identity


async def identity(visit: Visit, id2: str, shown: bool = False) -> Response:
    found = await visit.admin("GET", f"/identities/{id2}", secret="1" if shown else "0")
    return visit.render("id2/identity.html", one=found, shown=shown, states=STATES)


@page.get(AT)
async def show_identity(visit: Visit, id2: str) -> Response:
    return await identity(visit, id2)


@page.post(AT + "/key", back=AT)
async def show_key(visit: Visit, id2: str) -> Response:
    """The identity's key, on the one page that was asked for."""
    return await identity(visit, id2, shown=True)


@page.post(AT + "/state", back=AT)
async def set_state(visit: Visit, id2: str) -> Response:
    state = visit.field("state")
    await visit.admin("POST", f"/identities/{id2}/state", {"state": state})
    return visit.done(address("id2", id2), "id2.state_set", state=visit.text(f"id2.states.{state}"))


@page.post(AT + "/unbind", back=AT)
async def unbind(visit: Visit, id2: str) -> Response:
    await visit.admin("POST", f"/identities/{id2}/unbind")
    return visit.done(address("id2", id2), "id2.unbound")


@page.post(AT + "/authentications", back=AT)
async def reset_authentications(visit: Visit, id2: str) -> Response:
    await visit.admin("POST", f"/identities/{id2}/authentications", {"today": 0})
    return visit.done(address("id2", id2), "id2.authentications_reset")
