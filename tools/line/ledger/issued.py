"""What registration issued to a device, kept sealed beside its identity."""

import json
from collections.abc import Mapping

import sqlalchemy as sa

from tools.line.ledger.entries import Identity
from tools.line.ledger.schema import issued
from tools.line.ledger.seal import Seal
from tools.line.ledger.sealed import issued_place
from tools.line.ledger.transaction import Transaction


def keep(t: Transaction, identity: Identity, fields: Mapping[int, bytes]) -> None:
    """Store {record tag: bytes} in the place of what was kept before."""
    text = json.dumps({str(tag): value.hex() for tag, value in sorted(fields.items())})
    place = issued_place(identity.product_key, identity.device_name)
    t.check_key()
    t.execute(issued.delete().where(issued.c.identity_id == identity.id))
    t.execute(
        issued.insert().values(identity_id=identity.id, backup=t.seal.shut(text, *place), taken=t.now())
    )
    t.event(
        "backup",
        identity_id=identity.id,
        mac=identity.mac,
        product_key=identity.product_key,
        device_name=identity.device_name,
    )


def is_kept(c: sa.Connection, identity: Identity) -> bool:
    query = sa.select(issued.c.identity_id).where(issued.c.identity_id == identity.id)
    return c.execute(query).first() is not None


def kept(c: sa.Connection, identity: Identity) -> bytes | None:
    """The sealed fields as they are stored, or None."""
    return c.execute(sa.select(issued.c.backup).where(issued.c.identity_id == identity.id)).scalar()


def open_kept(seal: Seal, identity: Identity, stored: bytes) -> dict[int, bytes]:
    """The fields {record tag: bytes} of what `kept` gave."""
    fields = json.loads(seal.open(stored, *issued_place(identity.product_key, identity.device_name)))
    return {int(tag): bytes.fromhex(value) for tag, value in fields.items()}
