"""Connects and messages a second, sampled for the last minutes while there is a console."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KEPT = 600  # seconds
BUSY = 20_000  # entries of one second that are looked at, at most


class Rates:
    """`samples` has (Unix seconds, logins, messages up, messages down) for each second of `KEPT`."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.samples: deque[tuple[float, int, int, int]] = deque(maxlen=KEPT)
        self.seen = instance.journal.number

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.sample()

    def sample(self) -> None:
        """Counts what has come since the last sample."""
        journal, up, messages, logins = self.instance.journal, 0, 0, 0
        for number, entry in enumerate(reversed(journal.messages)):
            if entry[0] <= self.seen or number == BUSY:
                break
            messages, up = messages + 1, up + (entry[2] == "up")
        for number, event in enumerate(reversed(journal.events)):
            if event["seq"] <= self.seen or number == BUSY:
                break
            logins += event["event"] == "online"
        self.seen = journal.number
        self.samples.append((journal.wall(), logins, up, messages - up))
