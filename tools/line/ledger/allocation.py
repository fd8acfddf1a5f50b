"""Which identity a board gets: its own again, the one on it, the one that its MAC names, or a free one."""

import sqlalchemy as sa

from tools.errors import UserError
from tools.line import device_names
from tools.line.ledger import changes, holdings, transitions
from tools.line.ledger.connection import Busy
from tools.line.ledger.schema import identities
from tools.line.ledger.transaction import Transaction

CURE = "; a job with 'replace = true' overwrites it"


def take_up(t: Transaction, mac: str, product_key: str, holds: tuple[str, str] | None) -> sa.Row | None:
    """Give a known board its own identity again, whatever its state is."""
    row = holdings.find_to_change(t.c, holdings.of_mac(mac))
    if row is None:
        return None
    if row.product_key != product_key:
        raise UserError(
            f"board {device_names.colons(mac)} holds {row.device_name} of product {row.product_key} "
            f"({row.state}); 'line void --mac {device_names.colons(mac)}' frees the board for {product_key}"
        )
    if holds and holds != (row.product_key, row.device_name):
        raise UserError(
            f"the board holds {holds[1]} of product {holds[0]}, "
            f"but the ledger gave it {row.device_name}" + CURE
        )
    state = transitions.step(row.state, "resume")
    return changes.store(t, row, state, "resume", {"attempt": row.attempt + 1})


def take(t: Transaction, mac: str, product: sa.Row, holds: tuple[str, str] | None) -> sa.Row:
    """Bind an identity to a new board: the one that its MAC names, or a free one."""
    if product.name_rule in device_names.MAC_RULES:
        row = _named(t, product, device_names.of_mac(product.name_rule, mac))
    elif holds is None:
        row = _next_free(t, product.product_key)
    else:
        row = _on_board(t, product.product_key, holds)
    if holds and holds != (row.product_key, row.device_name):
        raise UserError(f"the board holds {holds[1]} of product {holds[0]}, not {row.device_name}" + CURE)
    state = transitions.step(row.state, "reserve")
    return changes.store(t, row, state, "reserve", {"attempt": row.attempt + 1, "mac": mac})


def _next_free(t, product_key):
    free = (identities.c.product_key == product_key) & (identities.c.state == transitions.FREE)
    ended = identities.c.expires <= t.now()
    over = sa.select(identities.c.id).where(free, ended).limit(1)
    free &= identities.c.expires.is_(None) | ~ended
    query = sa.select(identities).where(free).order_by(identities.c.id).limit(1)
    row = t.execute(query.with_for_update(skip_locked=True)).first()
    if row is None and t.execute(sa.select(identities.c.id).where(free).limit(1)).first():
        raise Busy  # free ones are left, all of them in other stations' hands just now
    if row is None:
        raise UserError(
            f"no free identity of product {product_key} is left"
            + (" whose certificate has not ended" if t.execute(over).first() else "")
            + "; take more in with 'line intake'"
        )
    return row


def _on_board(t, product_key, holds):
    """The identity that a board of unknown MAC holds already: bound to it if the ledger takes it for
    free.
    """
    row = holdings.find_to_change(t.c, holdings.of_name(*holds))
    if row is None or row.product_key != product_key:
        raise UserError(
            f"the board holds {holds[1]} of product {holds[0]}, which "
            + ("the ledger does not know" if row is None else "is not this job's")
            + CURE
        )
    if row.state != transitions.FREE:
        owner = row.mac or row.last_mac
        raise UserError(
            f"the board holds {holds[1]}, which "
            + (
                f"board {device_names.colons(owner)} has: two boards with one identity"
                if row.mac
                else "is void"
            )
            + CURE
        )
    return row


def _named(t, product, name):
    wanted = holdings.of_name(product.product_key, name)
    row = holdings.find_to_change(t.c, wanted)
    if row is None and product.listed:
        raise UserError(
            f"{name} is not on the list of product {product.product_key}; "
            "take it in with 'line names' and pre-register it"
        )
    if row is None:
        t.execute(
            identities.insert().values(
                product_key=product.product_key,
                device_name=name,
                state=transitions.FREE,
                touched=False,
                attempt=0,
                changed=t.now(),
                station=t.who.station,
                operator=t.who.operator,
            )
        )
        row = holdings.find_to_change(t.c, wanted)
    if row.state == transitions.VOID:
        raise UserError(
            f"{name}, which this board's MAC names, is void; "
            f"'line void --undo --name {name}' takes it back into use"
        )
    return row
