"""Log service: the events of the cloud, newest first; filtered, live, and paged backwards by their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page
from tools.emulator.cloud.console.paging import ROWS, matches
from tools.emulator.cloud.console.recent import details, latest, went_wrong

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("log", "/log", order=60)
Event = dict[str, Any]
OWN_COLUMNS = ("client_id", "code")
FIELDS = ("pk", "dn", "client_id", "code", "text")
SHOWS: dict[str, Callable[[Event], bool]] = {
    "all": lambda event: True,
    "wrong": went_wrong,
    "unemulated": lambda event: event["event"] == "not emulated",
}


@page.get("/log")
def show(visit: Visit) -> Response:
    query = visit.query
    return visit.render(
        "log/page.html",
        wanted={name: query.get(name, "") for name in FIELDS},
        show=shown(visit),
        shows=list(SHOWS),
        products=list(visit.instance.registry.products.values())[:ROWS],
        before=visit.number("before", 0),
        newest=visit.instance.journal.number + 1,
    )


@page.region("/log", "log/rows.html", every=0.5)
async def events(visit: Visit) -> dict[str, Any]:
    """The newest events that fit, or those before the number that the query names."""
    journal, before = visit.instance.journal, visit.number("before", 0)
    rows = await latest(visit, "log", journal.events, wanted(visit), ROWS, before or None)
    return {
        "rows": [(one, more(one), went_wrong(one)) for one in rows],
        "older": {**visit.query, "before": rows[-1]["seq"]} if len(rows) == ROWS else None,
        "filtered": shown(visit) != "all" or any(visit.query.get(name) for name in FIELDS),
        "most": journal.events.maxlen,
        "before": before,
    }


def shown(visit: Visit) -> str:
    """Which of `SHOWS` the query asks for."""
    found = visit.query.get("show", "all")
    return found if found in SHOWS else "all"


def more(event: Event) -> Event:
    """The details of an event beside its columns."""
    return {key: value for key, value in details(event).items() if key not in OWN_COLUMNS}


def wanted(visit: Visit) -> Callable[[Event], bool]:
    """Whether an event is one that the query asks for."""
    of_kind = SHOWS[shown(visit)]
    code, text = visit.query.get("code", "").strip(), visit.query.get("text", "").strip()
    names = [(name, visit.query.get(name, "").strip()) for name in ("pk", "dn", "client_id")]
    names = [(name, value) for name, value in names if value]

    def keep(event: Event) -> bool:
        return (
            of_kind(event)
            and all(matches(value, str(event.get(name, ""))) for name, value in names)
            and (not code or str(event.get("code")) == code)
            and (not text or matches(text, *map(str, [*event.values()][2:])))
        )

    return keep
