"""One writing transaction on the ledger: its events, its key, and how it is repeated."""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from tools.errors import UserError
from tools.line.ledger import description
from tools.line.ledger.connection import Connection, T
from tools.line.ledger.entries import Who
from tools.line.ledger.schema import Clock, events, identities, stamp
from tools.line.ledger.seal import Seal


@dataclass(frozen=True)
class Transaction:
    """Who writes what with which seal, through `c`, a SQLAlchemy connection inside one transaction.

    With `token` the transaction writes one event, by which it is known again;
    without one it may write several.
    """

    c: sa.Connection
    seal: Seal
    clock: Clock
    who: Who
    token: str | None = None

    def execute(self, statement: sa.Executable, *rows: Sequence[Mapping[str, Any]]) -> sa.CursorResult:
        return self.c.execute(statement, *rows)

    def now(self) -> str:
        return stamp(self.clock())

    def event(self, action: str, **columns: object) -> None:
        self.execute(
            events.insert().values(
                token=self.token or new_token(),
                at=self.now(),
                action=action,
                station=self.who.station,
                operator=self.who.operator,
                **columns,
            )
        )

    def check_key(self, exclusive: bool = False) -> None:
        """See `description.check_key`: nothing is sealed with a key that is no longer the ledger's."""
        description.check_key(self.c, self.seal, exclusive)


def new_token() -> str:
    return secrets.token_hex(16)


def unique(connection: Connection, work: Callable[[sa.Connection], T]) -> T:
    """Run a writing call; when two stations met on one unique value, the second sees the first's row."""
    for _ in range(3):
        with contextlib.suppress(exc.IntegrityError):
            return connection.write(work)
    raise UserError("another station changes the same rows; try again")


def once(token: str, work: Callable[[sa.Connection], sa.Row]) -> Callable[[sa.Connection], sa.Row]:
    """`work`, which gives an identity's row, made repeatable: a try whose commit went through is not
    redone.
    """
    tries = 0

    def run(c):
        nonlocal tries
        tries += 1
        settled = None
        if tries > 1:
            query = sa.select(identities).join(events, events.c.identity_id == identities.c.id)
            settled = c.execute(query.where(events.c.token == token)).first()
        return settled or work(c)

    return run
