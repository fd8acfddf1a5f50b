"""A certificate or an ID (`identities.mark`) is in a ledger only once; one that was replaced counts too."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.identities import mark as mark_of
from tools.line.ledger.holdings import AT_ONCE
from tools.line.ledger.schema import identities, replaced
from tools.line.ledger.transaction import Transaction


def holders(
    c: sa.Connection, columns: Sequence[Mapping[str, str | None]]
) -> dict[tuple[str, ...], tuple[str, str]]:
    """{mark: (ProductKey, DeviceName)} of those certificates and IDs (`identities.public`) that the ledger has."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    for column, wanted in (
        (identities.c.serial, [one["serial"] for one in columns if one["serial"]]),
        (identities.c.id2, [one["id2"] for one in columns if one["id2"]]),
    ):
        for start in range(0, len(wanted), AT_ONCE):
            query = sa.select(identities).where(column.in_(wanted[start : start + AT_ONCE]))
            for row in c.execute(query):
                found[mark_of(row._asdict()) or ()] = row.product_key, row.device_name
    marks = {"/".join(mark): mark for mark in map(mark_of, columns) if mark}
    wanted = list(marks)
    for start in range(0, len(wanted), AT_ONCE):
        query = sa.select(identities.c.product_key, identities.c.device_name, replaced.c.mark).join(replaced)
        for row in c.execute(query.where(replaced.c.mark.in_(wanted[start : start + AT_ONCE]))):
            found.setdefault(marks[row.mark], (row.product_key, row.device_name))
    return found


def check(c: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """UserError when a certificate or an ID is another's already, in the ledger or in these rows."""
    taken = holders(c, rows)
    for row in rows:
        mark = mark_of(row)
        if mark is None:
            continue
        owner = row["product_key"], row["device_name"]
        if taken.get(mark, owner) != owner:
            raise UserError(
                f"{mark[0]} {mark[1]} of {row['device_name']} is {taken[mark][1]}'s in the ledger already"
            )
        taken[mark] = owner


def replace(
    t: Transaction, identity_id: int, old: tuple[str, ...] | None, new: tuple[str, ...] | None
) -> None:
    """Replace the mark `old` of an identity by `new`; no other identity may take `old`. Either may be None."""
    if old and old != new:
        t.execute(replaced.insert().values(mark="/".join(old), identity_id=identity_id))
    if new:
        t.execute(replaced.delete().where(replaced.c.mark == "/".join(new)))
