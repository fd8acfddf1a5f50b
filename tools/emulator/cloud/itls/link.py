"""The port that speaks iTLS, MQTT inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.itls.session import Session
from tools.emulator.cloud.link import Link, Listener
from tools.emulator.cloud.shapers import SHAPERS

if TYPE_CHECKING:
    from tools.emulator.cloud.faults import Fault


class ItlsListener(Listener):
    """`contexts` is the ID² service."""

    transport = "itls"

    def connection(self, loop: asyncio.AbstractEventLoop) -> ItlsLink:
        return ItlsLink(self, loop)


class ItlsLink(Link):
    """A connection whose `tls` is an iTLS `Session`."""

    def wrap(self, fault: Fault | None) -> Session:
        return Session(self.listener.contexts, self.incoming, self.outgoing, self)

    @property
    def gone(self) -> bool:
        return self.ended or self.deaf

    def note(self, event: str, **fields: Any) -> None:
        self.listener.journal.event(event, where=self.listener.where, **fields)

    def strike(self, fault: Fault) -> bool:
        """Lets a fault strike that shapes or ends the connection; returns whether the answer is still due."""
        self.flush()
        if fault.kind in SHAPERS:
            self.raw_shaper = SHAPERS[fault.kind](self, self.put, fault)
            return True
        return self.arm(fault)

    def close_after(self) -> None:
        """Ends the connection once what is written now is on its way."""
        self.flush()
        self.close()

    def later(self, ms: int, what: Callable[[], object]) -> None:
        def act():
            if not self.gone:
                what()
                self.flush()

        self.loop.call_later(ms / 1000, act)

    def put(self, data: bytes) -> None:
        if not self.gone:
            super().put(data)
