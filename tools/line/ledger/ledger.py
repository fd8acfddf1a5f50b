"""The ledger: which identity is on which board, exactly once.

Every change is one transaction that also appends an event. A call that lost
its connection in mid-commit is repeated with the same token, and the token
shows whether it had gone through. A board's visit to a station has a number
(`attempt`): once the board has been taken up again, by any station, the older
visit can change nothing more.

`Ledger` has all calls, each one transaction. The work inside a transaction is done by `holdings` (queries), `supply`
(intake; `marks`: each certificate once), `allocation` (the identity for a board), `changes` (steps between states),
`issued` (what registration gave), `sealed` and `description` (the key).
"""

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy import exc

from tools.errors import UserError
from tools.line import device_names
from tools.line.ledger import (
    allocation,
    changes,
    description,
    holdings,
    issued,
    marks,
    migration,
    sealed,
    supply,
    transitions,
)
from tools.line.ledger import connection as database
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Events, Fields, Identities, Identity, Product, Rows, Taken, Who
from tools.line.ledger.schema import Clock, stamp, utc_now
from tools.line.ledger.seal import Key, Seal
from tools.line.ledger.transaction import Transaction, new_token, once, unique

if TYPE_CHECKING:
    from tools.line.job import Job


class Ledger:
    """One open ledger. Use `Ledger.open` or `Ledger.create`; close it, or use it with `with`."""

    def __init__(self, connection: database.Connection, seal: Seal, clock: Clock = utc_now) -> None:
        self.connection = connection
        self.seal = seal
        self._clock = clock
        self._products: dict[str, sa.Row] = {}

    # -- opening -----------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        url: sa.URL | str,
        key: Key | None = None,
        plain: bool = False,
        *,
        patience: Patience = Patience(),
        clock: Clock = utc_now,
        ledger_id: str | None = None,
    ) -> Self:
        """A new, empty ledger. `key` seals its secrets; without one, `plain` must be True."""
        if (key is None) == (not plain):
            raise UserError(
                "a ledger seals its secrets with a key, or is asked to be plain, not both and not neither"
            )
        place = _url(url)
        if place.drivername == "sqlite":
            database.create_ledger_file(place)
        connection = database.Connection(place, patience)
        seal = Seal(ledger_id or uuid.uuid4().hex, key)
        migration.migrate(connection)
        connection.write(lambda c: description.describe(c, seal, stamp(clock())))
        return cls(connection, seal, clock)

    @classmethod
    def open(
        cls,
        url: sa.URL | str,
        key: Key | None = None,
        patience: Patience = Patience(),
        clock: Clock = utc_now,
    ) -> Self:
        """An existing ledger, brought to this program's tables first if it is older.

        Without `key` a sealed ledger opens too, but none of its secrets.
        """
        place = _url(url)
        if place.drivername == "sqlite" and not os.path.exists(place.database or ""):
            raise UserError(f"there is no ledger at {place.database}; 'line init' makes one")
        connection = database.Connection(place, patience)
        migration.migrate(connection, only_existing=True)
        facts = connection.read(description.facts)
        if "ledger_id" not in facts:
            raise UserError(f"{database.shown(place)} is not a ledger yet; 'line init' makes one")
        return cls(connection, description.prove(facts, key), clock)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def plain(self) -> bool:
        return self.facts()["cipher"] == "plain"

    def facts(self) -> dict[str, str]:
        """The ledger's own description: ledger_id, cipher, key_id, made."""
        return self.connection.read(description.facts)

    # -- what the ledger holds ---------------------------------------------------------------------

    def products(self) -> list[Product]:
        rows = self.connection.read(holdings.all_products)
        return [Product(row.product_key, row.way, row.name_rule, row.listed) for row in rows]

    def product(self, product_key: str, with_secret: bool = False) -> Product:
        """The Product, or UserError when the ledger has none of that key."""
        row = self.connection.read(lambda c: holdings.product(c, product_key))
        found = Product(row.product_key, row.way, row.name_rule, row.listed)
        if not with_secret:
            return found
        secret, subs = sealed.product_secret(self.seal, row), sealed.sub_products(self.seal, row)
        return replace(found, secret=secret, sub_products=subs)

    def find(
        self,
        mac: str | None = None,
        product_key: str | None = None,
        device_name: str | None = None,
        with_secrets: bool = False,
    ) -> Identity | None:
        """The identity that a MAC holds, or of that name, or None."""
        if mac is not None:
            condition = holdings.of_mac(device_names.mac(mac))
        else:
            condition = holdings.of_name(product_key, device_name)
        row = self.connection.read(lambda c: holdings.find(c, condition))
        return None if row is None else self._identity(row, with_secrets)

    def list(
        self,
        product_key: str | None = None,
        states: Sequence[str] | None = None,
        macs: Sequence[str] | None = None,
    ) -> Identities:
        """All identities, or those of one product, some states, some MACs; by id, without secrets."""
        macs = [device_names.mac(mac) for mac in macs] if macs else None
        rows = self.connection.read(lambda c: holdings.all_identities(c, product_key, states, macs))
        return [self._identity(row) for row in rows]

    def counts(self, product_key: str | None = None) -> dict[str, dict[str, int]]:
        """{product key: {state: number}}."""
        table = {
            product.product_key: dict.fromkeys(transitions.STATES, 0)
            for product in self.products()
            if product_key in (None, product.product_key)
        }
        for key, state, number in self.connection.read(lambda c: holdings.counts(c, product_key)):
            table.setdefault(key, dict.fromkeys(transitions.STATES, 0))[state] = number
        return table

    def history(
        self, mac: str | None = None, device_name: str | None = None, since: str | None = None
    ) -> Events:
        """Events in their order, as dicts; of one board, one DeviceName, or since a moment (text stamp)."""
        mac = None if mac is None else device_names.mac(mac)
        rows = self.connection.read(lambda c: holdings.history(c, mac, device_name, since))
        return [dict(row._mapping) for row in rows]

    # -- intake ------------------------------------------------------------------------------------

    def add_product(self, product: Product, who: Who) -> bool:
        """Take a product in. The same again changes nothing; other facts for the same key are refused."""
        return unique(self.connection, self._by(who, lambda t: supply.add_product(t, product)))

    def set_sub_products(self, product_key: str, subs: Sequence[tuple[str, str | None]], who: Who) -> None:
        """Say which products a gateway's sub-devices have: ((ProductKey, secret text or None), ...).

        What was said before is replaced. UserError when its product is none that a gateway can have.
        """
        self.connection.write(self._by(who, lambda t: supply.set_sub_products(t, product_key, subs)))

    def add_identities(
        self, product_key: str, rows: Iterable[tuple[str, Fields]], who: Who, note: str | None = None
    ) -> Taken:
        """Take identities of one product in: `rows` of (device name, {field: secret text}), all or none."""
        return self.add_batches({product_key: list(rows)}, who, note)

    def add_batches(
        self,
        batches: Mapping[str, Rows],
        who: Who,
        note: str | None = None,
        products: Sequence[Product] = (),
        renew: bool = False,
    ) -> Taken:
        """Take identities in: {product key: rows as for `add_identities`}, all of them or none.

        `products` are taken in first, if they are new. Returns Taken. A name
        that is known with other secrets is a UserError; with `renew` it gets
        them, and its board when it comes to a station again.
        """

        def work(t):
            return supply.add_batches(t, batches, note, products, renew)

        return unique(self.connection, self._by(who, work))

    def known_secrets(self, product_key: str, names: Sequence[str]) -> dict[str, Fields]:
        """{device name: {field: secret text}} of those names that the ledger has."""
        found = self.connection.read(lambda c: holdings.stored_secrets(c, product_key, names))
        return {
            name: sealed.open_fields(self.seal, product_key, name, stored) for name, stored in found.items()
        }

    def holders(self, columns: Sequence[Mapping[str, str | None]]) -> dict[tuple[str, ...], tuple[str, str]]:
        """{mark: (ProductKey, DeviceName)} of those certificates and IDs (`identities.public`) that the ledger has."""
        return self.connection.read(lambda c: marks.holders(c, columns))

    # -- the station -------------------------------------------------------------------------------

    def reserve(
        self,
        mac: str,
        product_key: str,
        who: Who,
        holds: tuple[str, str] | None = None,
        replace: bool = False,
    ) -> Identity:
        """The identity for this board: the one that it has, or a free one, bound to its MAC now.

        `holds`: (ProductKey, DeviceName) that was read from the board, or None.
        An identity that the ledger takes for free, but that is on the board, is
        bound to it; any other one that is not the board's own is refused, or
        with `replace` given up.

        Returns the Identity with its secrets open and a new `attempt`. UserError
        when none is free, or when the board holds an identity of another product.
        """
        mac = device_names.mac(mac)
        token = new_token()
        if replace:
            holds = None

        def work(t):
            row = allocation.take_up(t, mac, product_key, holds)
            return row or allocation.take(t, mac, self._lasting(t.c, product_key), holds)

        row = unique(self.connection, once(token, self._by(who, work, token)))
        return self._identity(row, with_secrets=True)

    def begin_write(self, identity: Identity, who: Who) -> Identity:
        """Say that the station starts to write this identity to its board: from now on it is never free
        again.
        """
        return self._step(identity, "begin", who, changes.begin)

    def move(
        self,
        identity: Identity,
        action: str,
        who: Who,
        *,
        firmware: str | None = None,
        image: str | None = None,
        note: str | None = None,
    ) -> Identity:
        """Do one action of the transition table for this visit; returns the changed Identity.

        UserError when the table has no such step, or when another visit took the board over.
        """
        hashes = {name: value for name, value in (("firmware", firmware), ("image", image)) if value}
        return self._step(identity, action, who, changes.by_table(action, hashes), note, **hashes)

    def note_failure(self, mac: str | None, who: Who, note: str) -> None:
        """A board that failed before it got an identity: an event, so that the yield counts it."""
        mac = device_names.mac(mac) if mac else None
        self.connection.write(self._by(who, lambda t: changes.reject(t, mac, note), new_token()))

    def start_job(self, job: "Job", who: Who) -> None:
        """Say that a station runs a job. UserError when it is signed and older than the last of that name there."""
        self.connection.write(self._by(who, lambda t: changes.start_job(t, job)))

    def adopt(self, mac: str, product_key: str, device_name: str, who: Who) -> bool:
        """Bind an identity that is on a board, but free in a ledger that came back from a backup, to that
        board.

        Returns whether anything changed. UserError when the ledger says otherwise.
        """
        mac = device_names.mac(mac)
        found = self.find(product_key=product_key, device_name=device_name)
        if found is not None and found.mac == mac:
            return False
        row = self.reserve(mac, product_key, who, holds=(product_key, device_name))
        self.begin_write(row, who)
        return True

    def note(self, identity: Identity, action: str, who: Who, note: str) -> Identity:
        """An event about an identity that changes nothing else."""
        return self._step(identity, action, who, changes.stay, note)

    # -- people ------------------------------------------------------------------------------------

    def void(self, identity: Identity, who: Who, note: str | None = None) -> Identity:
        """Take an identity out of use for good; its MAC, if any, may take another one."""
        return self._step(identity, "void", who, changes.void, note)

    def release(self, identity: Identity, who: Who, note: str | None = None) -> Identity:
        """Give an identity that never began to be written back to the free ones."""
        return self._step(identity, "release", who, changes.release, note)

    def reopen(self, identity: Identity, who: Who, note: str | None = None) -> Identity:
        """Undo a void: the identity is bound again to the MAC that it was taken from."""
        try:
            return self._step(identity, "reopen", who, changes.reopen, note)
        except exc.IntegrityError:
            raise UserError(
                f"board {device_names.colons(identity.last_mac or '')} holds another identity now; void that one first"
            ) from None

    # -- issued secrets ----------------------------------------------------------------------------

    def keep_issued(self, identity: Identity, fields: Mapping[int, bytes], who: Who) -> None:
        """Keep what registration issued to this device ({record tag: bytes}) sealed beside its identity."""
        self.connection.write(self._by(who, lambda t: issued.keep(t, identity, fields)))

    def has_issued(self, identity: Identity) -> bool:
        """Whether a backup of what registration issued is kept."""
        return self.connection.read(lambda c: issued.is_kept(c, identity))

    def issued(self, identity: Identity) -> dict[int, bytes] | None:
        """The kept fields of what registration issued ({record tag: bytes}), or None."""
        stored = self.connection.read(lambda c: issued.kept(c, identity))
        return None if stored is None else issued.open_kept(self.seal, identity, stored)

    # -- keys --------------------------------------------------------------------------------------

    def rekey(self, key: Key | None, who: Who) -> int:
        """Seal every secret anew with `key` (None: store them plain), in one transaction.

        Returns how many secrets were sealed anew. A station that still holds the
        old key refuses to go on with one line.
        """
        fresh = Seal(self.seal.ledger_id, key)
        number = self.connection.write(self._by(who, lambda t: sealed.reseal(t, fresh)))
        self.seal = fresh
        return number

    def check_secrets(self) -> int:
        """Open every secret once; returns how many opened. UserError names the first that does not."""
        return self.connection.read(lambda c: sealed.check(c, self.seal))

    # -- inside ------------------------------------------------------------------------------------

    def _by(self, who, work, token=None):
        """`work(transaction)` as `Connection.write` calls it."""
        return lambda c: work(Transaction(c, self.seal, self._clock, who, token))

    def _step(self, identity, action, who, change, note=None, **hashes):
        """One guarded step of one visit; returns the changed Identity. See `changes.take`."""
        token = new_token()

        def work(t):
            return changes.take(t, identity, action, change, note, **hashes)

        row = self.connection.write(once(token, self._by(who, work, token)))
        return replace(self._identity(row), secrets=identity.secrets)

    def _lasting(self, c, product_key):
        """A product's row, asked for once: a product's facts never change once they are in."""
        if product_key not in self._products:
            self._products[product_key] = holdings.product(c, product_key)
        return self._products[product_key]

    def _identity(self, row, with_secrets=False):
        values = {name: getattr(row, name) for name in Identity.__dataclass_fields__ if name != "secrets"}
        return Identity(**values, secrets=sealed.secrets_of(self.seal, row) if with_secrets else {})


def _url(url: sa.URL | str) -> sa.URL:
    return database.parse_url(url) if isinstance(url, str) else url
