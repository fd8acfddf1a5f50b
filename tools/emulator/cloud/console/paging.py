"""Long lists in pages, searched on the server without holding the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tools.emulator.cloud.turns import Turn

if TYPE_CHECKING:
    from tools.emulator.cloud.console.visit import Visit

ROWS = 50
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
    kept: list[T] = []
    async for piece in pieces(entries):
        kept += [one for one in piece if keep(one)]
    return kept


async def pieces(entries: Iterable[T], size: int = 100) -> AsyncIterator[list[T]]:
    """A snapshot of `entries`, `size` at a time, with pauses between them."""
    snapshot, turn = list(entries), Turn()
    for at in range(0, len(snapshot), size):
        yield snapshot[at : at + size]
        await turn.pause()
