"""Queries of the ledger: products, identities, counts and history, as rows."""

from collections.abc import Sequence

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.ledger.schema import events, identities, products

AT_ONCE = 500  # values in one query


def all_products(c: sa.Connection) -> Sequence[sa.Row]:
    return c.execute(sa.select(products).order_by("product_key")).all()


def product(c: sa.Connection, product_key: str) -> sa.Row:
    """A product's row. UserError when the ledger has none of that key."""
    row = c.execute(sa.select(products).where(products.c.product_key == product_key)).first()
    if row is None:
        raise UserError(f"the ledger knows no product {product_key}; take it in with 'line intake'")
    return row


def of_mac(mac: str) -> sa.ColumnElement[bool]:
    """The condition for the identity that a MAC (twelve lower-case hex digits) holds."""
    return identities.c.mac == mac


def of_name(product_key: str | None, device_name: str | None) -> sa.ColumnElement[bool]:
    """The condition for the identity of that name."""
    return (identities.c.product_key == product_key) & (identities.c.device_name == device_name)


def find(c: sa.Connection, condition: sa.ColumnElement[bool]) -> sa.Row | None:
    return c.execute(sa.select(identities).where(condition)).first()


def find_to_change(c: sa.Connection, condition: sa.ColumnElement[bool]) -> sa.Row | None:
    """As `find`; nobody else changes the row before this transaction ends."""
    return c.execute(sa.select(identities).where(condition).with_for_update()).first()


def all_identities(
    c: sa.Connection,
    product_key: str | None = None,
    states: Sequence[str] | None = None,
    macs: Sequence[str] | None = None,
) -> Sequence[sa.Row]:
    query = sa.select(identities).order_by(identities.c.id)
    if product_key:
        query = query.where(identities.c.product_key == product_key)
    if states:
        query = query.where(identities.c.state.in_(states))
    if macs:
        query = query.where(identities.c.mac.in_(macs))
    return c.execute(query).all()


def stored_secrets(c: sa.Connection, product_key: str, wanted: Sequence[str]) -> dict[str, bytes | None]:
    """{device name: sealed secret fields} of those of `wanted` that the ledger has."""
    found: dict[str, bytes | None] = {}
    for start in range(0, len(wanted), AT_ONCE):
        query = sa.select(identities.c.device_name, identities.c.secret).where(
            identities.c.product_key == product_key,
            identities.c.device_name.in_(wanted[start : start + AT_ONCE]),
        )
        found.update((row.device_name, row.secret) for row in c.execute(query))
    return found


def counts(c: sa.Connection, product_key: str | None = None) -> Sequence[sa.Row[str, str, int]]:
    """(product key, state, number) of each state in which there are identities."""
    query = sa.select(identities.c.product_key, identities.c.state, sa.func.count())
    if product_key:
        query = query.where(identities.c.product_key == product_key)
    return c.execute(query.group_by(identities.c.product_key, identities.c.state)).all()


def history(
    c: sa.Connection, mac: str | None = None, device_name: str | None = None, since: str | None = None
) -> Sequence[sa.Row]:
    query = sa.select(events).order_by(events.c.id)
    if mac is not None:
        query = query.where(events.c.mac == mac)
    if device_name is not None:
        query = query.where(events.c.device_name == device_name)
    if since is not None:
        query = query.where(events.c.at >= since)
    return c.execute(query).all()
