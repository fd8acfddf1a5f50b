"""Long lists in pages, searched on the server without holding the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tools.emulator.cloud.console.visit import Visit

ROWS = 50
TURN = 0.002  # seconds that a search runs before others have their turn
BATCH = 100  # entries between two looks at the clock
T = TypeVar("T")


class Paging:
    """The rows of the page that the query names by `page`, from 1; `found` is all there are."""

    def __init__(self, visit: Visit, found: Sequence[Any]):
        self.visit, self.total = visit, len(found)
        self.last = max(1, -(-self.total // ROWS))
        self.number = min(max(1, visit.number("page", 1)), self.last)
        self.rows = found[(self.number - 1) * ROWS : self.number * ROWS]

    def query(self, number: int) -> dict[str, Any]:
        """The query of another page of the same list."""
        return {**self.visit.query, "page": number}


def matches(wanted: str, *texts: str) -> bool:
    """Whether one of `texts` has what somebody searches for, in capitals or not."""
    return not wanted or any(wanted.casefold() in text.casefold() for text in texts)


async def search(entries: Iterable[T], keep: Callable[[T], bool]) -> list[T]:
    """What `keep` takes of a snapshot of `entries`, however many; others have their turn meanwhile."""
    snapshot, kept, start = list(entries), [], time.perf_counter()
    for at in range(0, len(snapshot), BATCH):
        kept += [one for one in snapshot[at : at + BATCH] if keep(one)]
        if time.perf_counter() - start > TURN:
            await asyncio.sleep(0)
            start = time.perf_counter()
    return kept
