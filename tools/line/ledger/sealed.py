"""The sealed columns of the ledger: the place that each is bound to (`Seal.shut`), and sealing all of them anew."""

import json

import sqlalchemy as sa

from tools.line.ledger import description
from tools.line.ledger.entries import Fields
from tools.line.ledger.schema import identities, issued, products
from tools.line.ledger.seal import Seal, Secret
from tools.line.ledger.transaction import Transaction


def product_place(product_key: str) -> tuple[str, ...]:
    return "products", product_key


def gateway_place(product_key: str) -> tuple[str, ...]:
    return "products", product_key, "sub_products"


def identity_place(product_key: str, device_name: str) -> tuple[str, ...]:
    return "identities", product_key, device_name


def issued_place(product_key: str, device_name: str) -> tuple[str, ...]:
    return "issued", product_key, device_name


def _owner(c, row):
    return c.execute(
        sa.select(identities.c.product_key, identities.c.device_name).where(
            identities.c.id == row.identity_id
        )
    ).one()


# every sealed column: table, column, and the place of a row's value
COLUMNS = (
    (products, products.c.product_secret, lambda c, row: product_place(row.product_key)),
    (products, products.c.sub_products, lambda c, row: gateway_place(row.product_key)),
    (identities, identities.c.secret, lambda c, row: identity_place(row.product_key, row.device_name)),
    (issued, issued.c.backup, lambda c, row: issued_place(*_owner(c, row))),
)


def shut_fields(seal: Seal, product_key: str, device_name: str, fields: Fields) -> bytes | None:
    """What is stored of an identity's secret fields {name: text}; None when there are none."""
    if not fields:
        return None
    return seal.shut(json.dumps(fields, sort_keys=True), *identity_place(product_key, device_name))


def open_fields(seal: Seal, product_key: str, device_name: str, stored: bytes | None) -> Fields:
    """The secret fields {name: text} that `shut_fields` stored."""
    if stored is None:
        return {}
    return json.loads(seal.open(stored, *identity_place(product_key, device_name)))


def product_secret(seal: Seal, row: sa.Row) -> Secret | None:
    """The ProductSecret of a product's row, or None."""
    if row.product_secret is None:
        return None
    return Secret(seal.open(row.product_secret, *product_place(row.product_key)))


def sub_products(seal: Seal, row: sa.Row) -> tuple[tuple[str, Secret | None], ...]:
    """((ProductKey, Secret or None), ...) of a gateway's product."""
    if row.sub_products is None:
        return ()
    stored = json.loads(seal.open(row.sub_products, *gateway_place(row.product_key)))
    return tuple((key, None if text is None else Secret(text)) for key, text in stored)


def secrets_of(seal: Seal, row: sa.Row) -> dict[str, Secret]:
    """{field name: Secret} of an identity's row."""
    fields = open_fields(seal, row.product_key, row.device_name, row.secret)
    return {name: Secret(value) for name, value in fields.items()}


def check(c: sa.Connection, seal: Seal) -> int:
    """See `Ledger.check_secrets`."""
    number = 0
    for table, column, place in COLUMNS:
        for row in c.execute(sa.select(table)).all():
            stored = getattr(row, column.name)
            if stored is not None:
                seal.open(stored, *place(c, row))
                number += 1
    return number


def reseal(t: Transaction, fresh: Seal) -> int:
    """Every secret, and the ledger's description, with the Seal `fresh`; returns how many secrets."""
    t.check_key(exclusive=True)
    number = 0
    for table, column, place in COLUMNS:
        for row in t.execute(sa.select(table).with_for_update()).all():
            stored = getattr(row, column.name)
            if stored is not None:
                where = place(t.c, row)
                text = t.seal.open(stored, *where)
                t.execute(
                    table.update().where(_same(table, row)).values({column.name: fresh.shut(text, *where)})
                )
                number += 1
    description.change_key(t.c, fresh)
    t.event("rekey", note=f"{number} secrets")
    return number


def _same(table, row):
    key = next(iter(table.primary_key.columns))
    return key == getattr(row, key.name)
