"""Takes into the ledger: products, the products of a gateway's sub-devices, identities and their renewal."""

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from tools.errors import UserError
from tools.line import device_names
from tools.line.identities import mark as mark_of
from tools.line.identities import public
from tools.line.ledger import holdings, marks, sealed, transitions
from tools.line.ledger.entries import Product, Rows, Taken
from tools.line.ledger.schema import identities, products
from tools.line.ledger.transaction import Transaction


def add_product(t: Transaction, product: Product) -> bool:
    """See `Ledger.add_product`."""
    device_names.check_product_key(product.product_key)
    row = t.execute(sa.select(products).where(products.c.product_key == product.product_key)).first()
    if row is not None:
        return _same_product(t.seal, row, product)
    t.check_key()
    secret = None
    if product.secret is not None:
        secret = t.seal.shut(product.secret.reveal(), *sealed.product_place(product.product_key))
    t.execute(
        products.insert().values(
            product_key=product.product_key,
            way=product.kind,
            name_rule=product.name_rule,
            listed=product.listed,
            product_secret=secret,
        )
    )
    t.event("product", product_key=product.product_key)
    return True


def _same_product(seal, row, product):
    if (row.way, row.name_rule, row.listed) != (product.kind, product.name_rule, product.listed):
        raise UserError(
            f"product {row.product_key} is in the ledger as of kind {row.way}, "
            f"name rule {row.name_rule or 'none'}, listed {'yes' if row.listed else 'no'}"
        )
    stored = sealed.product_secret(seal, row)
    if product.secret is not None and stored != product.secret:
        raise UserError(f"product {row.product_key} is in the ledger with another ProductSecret")
    return False


def set_sub_products(t: Transaction, product_key: str, subs: Sequence[tuple[str, str | None]]) -> None:
    """See `Ledger.set_sub_products`."""
    t.check_key()
    row = holdings.product(t.c, product_key)
    if row.way not in ("device", "product"):
        raise UserError(f"a gateway has a secret; product {product_key} is of kind {row.way}")
    stored = t.seal.shut(json.dumps(subs), *sealed.gateway_place(product_key)) if subs else None
    t.execute(products.update().where(products.c.product_key == product_key).values(sub_products=stored))
    t.event(
        "gateway",
        product_key=product_key,
        note=f"products of sub-devices: {', '.join(key for key, _ in subs) or 'none'}",
    )


def add_batches(
    t: Transaction,
    batches: Mapping[str, Rows],
    note: str | None = None,
    products: Sequence[Product] = (),
    renew: bool = False,
) -> Taken:
    """See `Ledger.add_batches`."""
    t.check_key()
    taken = Taken()
    for product in products:
        add_product(t, product)
    for product_key, rows in batches.items():
        known = holdings.stored_secrets(t.c, product_key, [name for name, _ in rows])
        changed = _changed(t.seal, product_key, rows, known)
        if changed and not renew:
            raise UserError(
                f"{changed[0][0]} of {product_key} is in the ledger with another secret; "
                "'line intake --renew' gives it the new one"
            )
        fresh = _fresh(t, product_key, [row for row in rows if row[0] not in known])
        marks.check(t.c, fresh + [_public(product_key, *row) for row in changed])
        for row in changed:
            _renew(t, product_key, *row)
        if fresh:
            t.execute(identities.insert(), fresh)
            t.event(
                "intake",
                product_key=product_key,
                note=f"{len(fresh)} identities" + (f" from {note}" if note else ""),
            )
        taken.new += len(fresh)
        taken.known += len(known) - len(changed)
        taken.renewed += len(changed)
    return taken


def _changed(seal, product_key, rows, known):
    """Those rows whose name is known with other secrets."""
    return [
        (name, fields)
        for name, fields in rows
        if name in known and sealed.open_fields(seal, product_key, name, known[name]) != dict(fields)
    ]


def _fresh(t, product_key, rows):
    """Rows to insert."""
    at = t.now()
    return [
        {
            **_public(product_key, name, fields),
            "state": transitions.FREE,
            "touched": False,
            "attempt": 0,
            "changed": at,
            "station": t.who.station,
            "operator": t.who.operator,
            "secret": sealed.shut_fields(t.seal, product_key, name, fields),
        }
        for name, fields in rows
    ]


def _renew(t, product_key, name, fields):
    """Give a known identity other secrets; a visit that is burning the old ones ends."""
    row = holdings.find_to_change(t.c, holdings.of_name(product_key, name))
    if row.state == transitions.VOID:
        raise UserError(f"{name} of {product_key} is void; 'line void --undo' takes it back into use first")
    columns = public(fields)
    old, new = mark_of(row._mapping), mark_of(columns)
    marks.replace(t, row.id, old, new)
    t.execute(
        identities.update()
        .where(identities.c.id == row.id)
        .values(
            secret=sealed.shut_fields(t.seal, product_key, name, fields),
            attempt=row.attempt + 1,
            changed=t.now(),
            **columns,
        )
    )
    t.event(
        "renew",
        identity_id=row.id,
        product_key=product_key,
        device_name=name,
        mac=row.mac,
        note=f"{old[0]} {old[1]}, now {new[1]}" if old and new else None,
    )


def _public(product_key, name, fields):
    return {"product_key": product_key, "device_name": name, **public(fields)}
