"""The ledger's own description (table `meta`): its id, and which key seals it."""

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.ledger.schema import meta
from tools.line.ledger.seal import Key, Seal

KEY_CHECK = "aliot ledger"


def describe(c: sa.Connection, seal: Seal, at: str) -> None:
    """The first rows of a new ledger. UserError when the database has a ledger already."""
    if c.execute(sa.select(meta.c.value).where(meta.c.name == "ledger_id")).first():
        raise UserError("there is a ledger already in this database; it is never overwritten")
    c.execute(
        meta.insert(),
        [{"name": "ledger_id", "value": seal.ledger_id}, {"name": "made", "value": at}] + _cipher_rows(seal),
    )


def facts(c: sa.Connection) -> dict[str, str]:
    """{name: value}: ledger_id, cipher, key_id, key_check, made."""
    return {row.name: row.value for row in c.execute(sa.select(meta))}


def prove(found: dict[str, str], key: Key | None) -> Seal:
    """The Seal for this ledger, the key proved; a Seal without key when none was given."""
    if found["cipher"] == "plain":
        return Seal(found["ledger_id"], None)
    seal = Seal(found["ledger_id"], key)
    if key is not None:
        if key.id.hex() != found["key_id"]:
            raise UserError(
                f"this is not the ledger's key: the ledger is sealed with key {found['key_id']}, "
                f"given was {key.id.hex()}"
            )
        seal.open(bytes.fromhex(found["key_check"]), "meta", "key_check")
    return seal


def check_key(c: sa.Connection, seal: Seal, exclusive: bool = False) -> None:
    """UserError when the ledger was rekeyed since this program opened it."""
    query = sa.select(meta.c.value).where(meta.c.name == "key_id")
    if not exclusive:
        query = query.with_for_update(read=True)
    stored = c.execute(query).scalar()
    if stored != _key_id(seal):
        raise UserError(
            "the ledger was given another key meanwhile (line rekey), or none was given here; "
            "start again with the new key"
        )


def change_key(c: sa.Connection, seal: Seal) -> None:
    """Record the key of `seal` as the ledger's key."""
    c.execute(meta.delete().where(meta.c.name.in_(("cipher", "key_id", "key_check"))))
    c.execute(meta.insert(), _cipher_rows(seal))


def _cipher_rows(seal):
    return [
        {"name": "cipher", "value": "plain" if seal.key is None else "aes-256-gcm"},
        {"name": "key_id", "value": _key_id(seal)},
        {"name": "key_check", "value": seal.shut(KEY_CHECK, "meta", "key_check").hex()},
    ]


def _key_id(seal):
    return seal.key.id.hex() if seal.key else "none"
