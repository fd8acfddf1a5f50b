"""Long work in the cloud's loop, in steps between which others have their turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

TURN = 0.002  # seconds
T = TypeVar("T")
Steps = Generator[None, None, T]


class Turn:
    """`pause` lets others have their turn after `TURN` seconds of work."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    async def pause(self) -> None:
        if time.perf_counter() - self.start > TURN:
            await asyncio.sleep(0)
            self.start = time.perf_counter()


async def in_turns(steps: Steps[T]) -> T:
    """What a generator returns; it yields wherever others may have their turn."""
    turn = Turn()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        await turn.pause()
