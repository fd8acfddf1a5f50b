"""The newest entries of the cloud's journal, and which of its events say that something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Reversible, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.turns import Turn

if TYPE_CHECKING:
    from tools.emulator.cloud.console.visit import Visit

LOOKED_AT = 10_000  # entries of a journal that one request goes through
WRONG = {
    "alert received",
    "closed by the platform",
    "dropped",
    "error notice",
    "expired",
    "fault",
    "foreign topic",
    "handshake failed",
    "hint",
    "kicked",
    "no session",
    "not emulated",
    "out of files",
    "refused",
    "reply dropped",
    "request failed",
    "too slow",
    "topic too long",
    "web hook failed",
}


def newest(
    entries: Reversible[Any], keep: Callable[[Any], bool], limit: int, before: int | None = None
) -> list[Any]:
    """The last `limit` entries that `keep` takes, newest first; `before` leaves out numbers from there on.

    An entry is a dict with `seq` or a tuple that begins with its number.
    """
    within: Iterable[Any] = reversed(entries)
    if before is not None:
        within = (one for one in within if number(one) < before)
    return list(islice((one for one in islice(within, LOOKED_AT) if keep(one)), limit))


async def latest(
    visit: Visit,
    name: str,
    entries: Sequence[Any],
    keep: Callable[[Any], bool],
    limit: int,
    before: int | None = None,
) -> list[Any]:
    """As `newest`, through all entries however many; others have their turn meanwhile.

    What was found under `name` is remembered for the visit, so that a live region looks only at what has come since.
    """
    seen, rows = visit.remembered.get(name, (0, []))
    if not entries or number(entries[-1]) == seen:
        return rows
    snapshot, turn = list(entries), Turn()
    fresh: list[Any] = []
    for at, entry in enumerate(reversed(snapshot)):
        if number(entry) <= seen or len(fresh) == limit:
            break
        if (before is None or number(entry) < before) and keep(entry):
            fresh.append(entry)
        if at % 200 == 0:
            await turn.pause()
    rows = (fresh + rows)[:limit]
    visit.remembered[name] = number(snapshot[-1]), rows
    return rows


def number(entry: Any) -> int:
    return int(entry["seq"] if isinstance(entry, dict) else entry[0])


def went_wrong(event: dict[str, Any]) -> bool:
    code = event.get("code", 200)
    return event["event"] in WRONG or isinstance(code, int) and not 200 <= code < 300


def details(event: dict[str, Any]) -> dict[str, Any]:
    """What an event has beside its number, time, name and device."""
    return {key: value for key, value in event.items() if key not in ("seq", "time", "event", "pk", "dn")}
