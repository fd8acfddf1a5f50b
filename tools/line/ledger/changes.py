"""Changes of one identity's state: what each sets, and how it is stored with its event.

A change is a function of the identity's row that gives the state after it and
the columns that it sets; it raises `transitions.Refused`.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.ledger import holdings, transitions
from tools.line.ledger.connection import Busy
from tools.line.ledger.entries import Identity
from tools.line.ledger.schema import events, identities
from tools.line.ledger.transaction import Transaction

if TYPE_CHECKING:
    from tools.line.job import Job


Change = Callable[[sa.Row], tuple[str, Mapping[str, Any]]]


def begin(row: sa.Row) -> tuple[str, Mapping[str, Any]]:
    return row.state, {"touched": True}


def stay(row: sa.Row) -> tuple[str, Mapping[str, Any]]:
    return row.state, {}


def by_table(action: str, columns: Mapping[str, Any]) -> Change:
    """Return a change that does one action of the transition table and sets `columns`."""
    return lambda row: (transitions.step(row.state, action, row.touched), columns)


def void(row: sa.Row) -> tuple[str, Mapping[str, Any]]:
    return transitions.step(row.state, "void"), {"mac": None, "last_mac": row.mac or row.last_mac}


def release(row: sa.Row) -> tuple[str, Mapping[str, Any]]:
    return transitions.step(row.state, "release", row.touched), {"mac": None, "last_mac": row.mac}


def reopen(row: sa.Row) -> tuple[str, Mapping[str, Any]]:
    after = transitions.step(row.state, "reopen")
    if row.last_mac is None:
        raise transitions.Refused("it was never on a board")
    return after, {"mac": row.last_mac}


def take(
    t: Transaction, identity: Identity, action: str, change: Change, note: str | None = None, **hashes: str
) -> sa.Row:
    """One guarded step of one visit; returns the row as it is now.

    UserError when another visit took the board over, or when `change` refuses.
    """
    row = holdings.find_to_change(t.c, identities.c.id == identity.id)
    if row is None or row.attempt != identity.attempt:
        raise UserError(
            f"{identity.device_name} was taken up elsewhere meanwhile"
            + (f" (station {row.station})" if row else "")
            + "; this visit ends here"
        )
    try:
        state, columns = change(row)
    except transitions.Refused as error:
        raise UserError(f"{identity.device_name}: {error}") from None
    return store(t, row, state, action, columns, note, **hashes)


def store(
    t: Transaction,
    row: sa.Row,
    state: str,
    action: str,
    columns: Mapping[str, Any],
    note: str | None = None,
    **hashes: str,
) -> sa.Row:
    """Write the row's new state with its event; returns the row as it is now."""
    values = {
        "state": state,
        "station": t.who.station,
        "operator": t.who.operator,
        "changed": t.now(),
        **columns,
    }
    after = t.execute(
        identities.update()
        .values(values)
        .where(identities.c.id == row.id)
        .where(identities.c.attempt == row.attempt, identities.c.state == row.state)
        .returning(identities)
    ).first()
    if after is None:
        raise Busy
    t.event(
        action,
        identity_id=row.id,
        product_key=row.product_key,
        device_name=row.device_name,
        mac=columns.get("mac") or row.mac or row.last_mac,
        from_state=row.state,
        to_state=state,
        note=note,
        **hashes,
    )
    return after


def start_job(t: Transaction, job: "Job") -> None:
    """The event of a job's start at a station; where its signature counts, no later one of that name ran there."""
    name, number = job.name, job.number
    query = sa.select(events.c.note).where(events.c.action == "job", events.c.station == t.who.station)
    ran = [json.loads(note) for note in t.c.execute(query).scalars()]
    last = max(
        (one["number"] for one in ran if one["job"] == name and one["number"] and one["checked"]),
        default=None,
    )
    if job.checked and last is not None and (number is None or number < last):
        raise UserError(
            f"job {name} has {'no number' if number is None else f'number {number}'}, and this station ran "
            f"number {last} of it: fetch the newer signed job"
        )
    note = json.dumps({"job": name, "number": number, "signer": job.signer, "checked": job.checked})
    t.event("job", product_key=job.product_key, firmware=job.firmware_hash, image=job.image_hash, note=note)


def reject(t: Transaction, mac: str | None, note: str) -> None:
    """The event of a board that failed before it got an identity, once however often it is tried."""
    if t.execute(sa.select(events.c.id).where(events.c.token == t.token)).first() is None:
        t.event("reject", mac=mac, note=note)
