"""The newest entries of the cloud's journal, and which of its events say that something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Reversible
from itertools import islice
from typing import Any

LOOKED_AT = 20_000  # entries of a journal that one request goes through
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


def number(entry: Any) -> int:
    return int(entry["seq"] if isinstance(entry, dict) else entry[0])


def went_wrong(event: dict[str, Any]) -> bool:
    code = event.get("code", 200)
    return event["event"] in WRONG or isinstance(code, int) and not 200 <= code < 300


def details(event: dict[str, Any]) -> dict[str, Any]:
    """What an event has beside its number, time, name and device."""
    return {key: value for key, value in event.items() if key not in ("seq", "time", "event", "pk", "dn")}
