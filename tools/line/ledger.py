"""The ledger: which identity is on which board, exactly once.

Every change is one transaction that also appends an event. A call that lost
its connection in mid-commit is repeated with the same token, and the token
shows whether it had gone through. A board's visit to a station has a number
(`attempt`): once the board has been taken up again, by any station, the older
visit can change nothing more.
"""

import json
import os
import secrets
import uuid
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import exc

from tools.errors import UserError
from tools.line import connection as database
from tools.line import description, migration, names, transitions, ways
from tools.line.clock import stamp, utc_now
from tools.line.connection import Busy, Patience
from tools.line.entries import Identity, Product, Taken, Who  # noqa: F401  the ledger's own words
from tools.line.schema import events, identities, issued, products, replaced
from tools.line.seal import Seal, Secret


class Ledger:
    """One open ledger. Use `Ledger.open` or `Ledger.create`; close it, or use it with `with`."""

    def __init__(self, connection, seal, clock=utc_now):
        self.connection = connection
        self.seal = seal
        self._clock = clock
        self._products = {}

    # -- opening -----------------------------------------------------------------------------------

    @classmethod
    def create(cls, url, key=None, plain=False, patience=Patience(), clock=utc_now, ledger_id=None):
        """A new, empty ledger. `key` seals its secrets; without one, `plain` must be True."""
        if (key is None) == (not plain):
            raise UserError(
                "a ledger seals its secrets with a key, or is asked to be plain, not both and not neither"
            )
        url = _url(url)
        if url.drivername == "sqlite":
            if os.path.exists(url.database):
                raise UserError(f"{url.database} is there already; a ledger is never overwritten")
            _guarded(url, database.create_file, url.database)
        connection = database.Connection(url, patience)
        seal = Seal(ledger_id or uuid.uuid4().hex, key)
        migration.migrate(connection)
        connection.write(lambda c: description.describe(c, seal, stamp(clock())))
        return cls(connection, seal, clock)

    @classmethod
    def open(cls, url, key=None, patience=Patience(), clock=utc_now):
        """An existing ledger, brought to this program's tables first if it is older.

        Without `key` a sealed ledger opens too, but none of its secrets.
        """
        url = _url(url)
        if url.drivername == "sqlite" and not os.path.exists(url.database):
            raise UserError(f"there is no ledger at {url.database}; 'line init' makes one")
        connection = database.Connection(url, patience)
        migration.migrate(connection, only_existing=True)
        facts = connection.read(description.facts)
        if "ledger_id" not in facts:
            raise UserError(f"{database.shown(url)} is not a ledger yet; 'line init' makes one")
        return cls(connection, description.prove(facts, key), clock)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def plain(self):
        return self.facts()["cipher"] == "plain"

    def facts(self):
        """The ledger's own description: ledger_id, cipher, key_id, made."""
        return self.connection.read(description.facts)

    # -- what the ledger holds ---------------------------------------------------------------------

    def products(self):
        rows = self.connection.read(lambda c: c.execute(sa.select(products).order_by("product_key")).all())
        return [Product(row.product_key, row.way, row.name_rule, row.listed) for row in rows]

    def product(self, product_key, with_secret=False):
        """The Product, or UserError when the ledger has none of that key."""
        row = self.connection.read(lambda c: _product(c, product_key))
        secret, subs = None, ()
        if with_secret and row.product_secret is not None:
            secret = Secret(self.seal.open(row.product_secret, "products", product_key))
        if with_secret and row.sub_products is not None:
            subs = tuple(
                (key, None if text is None else Secret(text))
                for key, text in json.loads(self.seal.open(row.sub_products, *_gateway_place(None, row)))
            )
        return Product(row.product_key, row.way, row.name_rule, row.listed, secret, subs)

    def find(self, mac=None, product_key=None, device_name=None, with_secrets=False):
        """The identity that a MAC holds, or of that name, or None."""
        if mac is not None:
            condition = identities.c.mac == names.mac(mac)
        else:
            condition = (identities.c.product_key == product_key) & (identities.c.device_name == device_name)
        row = self.connection.read(lambda c: c.execute(sa.select(identities).where(condition)).first())
        return None if row is None else self._identity(row, with_secrets)

    def list(self, product_key=None, states=None, macs=None):
        """All identities, or those of one product, some states, some MACs; by id, without secrets."""
        query = sa.select(identities).order_by(identities.c.id)
        if product_key:
            query = query.where(identities.c.product_key == product_key)
        if states:
            query = query.where(identities.c.state.in_(states))
        if macs:
            query = query.where(identities.c.mac.in_([names.mac(mac) for mac in macs]))
        return [self._identity(row) for row in self.connection.read(lambda c: c.execute(query).all())]

    def counts(self, product_key=None):
        """{product key: {state: number}}."""
        query = sa.select(identities.c.product_key, identities.c.state, sa.func.count())
        if product_key:
            query = query.where(identities.c.product_key == product_key)
        query = query.group_by(identities.c.product_key, identities.c.state)
        table = {
            product.product_key: dict.fromkeys(transitions.STATES, 0)
            for product in self.products()
            if product_key in (None, product.product_key)
        }
        for key, state, number in self.connection.read(lambda c: c.execute(query).all()):
            table.setdefault(key, dict.fromkeys(transitions.STATES, 0))[state] = number
        return table

    def history(self, mac=None, device_name=None, since=None):
        """Events in their order, as dicts; of one board, one DeviceName, or since a moment (text stamp)."""
        query = sa.select(events).order_by(events.c.id)
        if mac is not None:
            query = query.where(events.c.mac == names.mac(mac))
        if device_name is not None:
            query = query.where(events.c.device_name == device_name)
        if since is not None:
            query = query.where(events.c.at >= since)
        return [dict(row._mapping) for row in self.connection.read(lambda c: c.execute(query).all())]

    # -- intake ------------------------------------------------------------------------------------

    def add_product(self, product, who):
        """Take a product in. The same again changes nothing; other facts for the same key are refused."""
        return self._unique(lambda c: self._add_product(c, product, who))

    def _add_product(self, c, product, who):
        names.check_product_key(product.product_key)
        row = c.execute(sa.select(products).where(products.c.product_key == product.product_key)).first()
        if row is not None:
            return self._same_product(row, product)
        description.check_key(c, self.seal)
        sealed = None
        if product.secret is not None:
            sealed = self.seal.shut(product.secret.reveal(), "products", product.product_key)
        c.execute(
            products.insert().values(
                product_key=product.product_key,
                way=product.way,
                name_rule=product.name_rule,
                listed=product.listed,
                product_secret=sealed,
            )
        )
        self._event(c, secrets.token_hex(16), "product", who, product_key=product.product_key)
        return True

    def set_sub_products(self, product_key, subs, who):
        """Say which products a gateway's sub-devices have: ((ProductKey, secret text or None), ...).

        What was said before is replaced. UserError when its product is none that a gateway can have.
        """

        def work(c):
            description.check_key(c, self.seal)
            row = _product(c, product_key)
            if row.way not in ("device", "product"):
                raise UserError(f"a gateway has a secret; product {product_key} is of way {row.way}")
            sealed = self.seal.shut(json.dumps(subs), *_gateway_place(c, row)) if subs else None
            c.execute(
                products.update().where(products.c.product_key == product_key).values(sub_products=sealed)
            )
            self._event(
                c,
                secrets.token_hex(16),
                "gateway",
                who,
                product_key=product_key,
                note=f"products of sub-devices: {', '.join(key for key, _ in subs) or 'none'}",
            )

        self.connection.write(work)

    def add_identities(self, product_key, rows, who, note=None):
        """Take identities of one product in: `rows` of (device name, {field: secret text}), all or none."""
        return self.add_batches({product_key: list(rows)}, who, note)

    def add_batches(self, batches, who, note=None, products=(), renew=False):
        """Take identities in: {product key: rows as for `add_identities`}, all of them or none.

        `products` are taken in first, if they are new. Returns Taken. A name
        that is known with other secrets is a UserError; with `renew` it gets
        them, and its board when it comes to a station again.
        """

        def work(c):
            description.check_key(c, self.seal)
            taken = Taken()
            for product in products:
                self._add_product(c, product, who)
            for product_key, rows in batches.items():
                known = _known(c, product_key, [name for name, _ in rows])
                changed = self._changed(product_key, rows, known)
                if changed and not renew:
                    raise UserError(
                        f"{changed[0][0]} of {product_key} is in the ledger with another secret; "
                        "'line intake --renew' gives it the new one"
                    )
                fresh = self._fresh(product_key, [row for row in rows if row[0] not in known], who)
                _check_marks(c, fresh + [_public(product_key, *row) for row in changed])
                for row in changed:
                    self._renew(c, product_key, *row, who)
                if fresh:
                    c.execute(identities.insert(), fresh)
                    self._event(
                        c,
                        secrets.token_hex(16),
                        "intake",
                        who,
                        product_key=product_key,
                        note=f"{len(fresh)} identities" + (f" from {note}" if note else ""),
                    )
                taken.new += len(fresh)
                taken.known += len(known) - len(changed)
                taken.renewed += len(changed)
            return taken

        return self._unique(work)

    def known_secrets(self, product_key, device_names):
        """{device name: {field: secret text}} of those names that the ledger has."""
        stored = self.connection.read(lambda c: _known(c, product_key, device_names))
        return {name: self._unseal(product_key, name, sealed) for name, sealed in stored.items()}

    def holders(self, columns):
        """{mark: (ProductKey, DeviceName)} of those certificates and IDs (`ways.public`) that the ledger has."""
        return self.connection.read(lambda c: _holders(c, columns))

    def _changed(self, product_key, rows, known):
        """Those rows whose name is known with other secrets."""
        return [
            (name, fields)
            for name, fields in rows
            if name in known and self._unseal(product_key, name, known[name]) != dict(fields)
        ]

    def _fresh(self, product_key, rows, who):
        """Rows to insert."""
        at = stamp(self._clock())
        return [
            {
                **_public(product_key, name, fields),
                "state": transitions.FREE,
                "touched": False,
                "attempt": 0,
                "changed": at,
                "station": who.station,
                "operator": who.operator,
                "secret": self._shut(product_key, name, fields),
            }
            for name, fields in rows
        ]

    def _renew(self, c, product_key, name, fields, who):
        """Give a known identity other secrets; a visit that is burning the old ones ends."""
        where = (identities.c.product_key == product_key) & (identities.c.device_name == name)
        row = c.execute(sa.select(identities).where(where).with_for_update()).first()
        if row.state == transitions.VOID:
            raise UserError(f"{name} of {product_key} is void; 'line void --undo' takes it back into use first")
        columns = ways.public(fields)
        old, new = ways.mark(row._mapping), ways.mark(columns)
        if old and old != new:
            c.execute(replaced.insert().values(mark="/".join(old), identity_id=row.id))
        if new:
            c.execute(replaced.delete().where(replaced.c.mark == "/".join(new)))
        c.execute(
            identities.update()
            .where(identities.c.id == row.id)
            .values(
                secret=self._shut(product_key, name, fields),
                attempt=row.attempt + 1,
                changed=stamp(self._clock()),
                **columns,
            )
        )
        self._event(
            c,
            secrets.token_hex(16),
            "renew",
            who,
            identity_id=row.id,
            product_key=product_key,
            device_name=name,
            mac=row.mac,
            note=f"{old[0]} {old[1]}, now {new[1]}" if old and new else None,
        )

    # -- the station -------------------------------------------------------------------------------

    def reserve(self, mac, product_key, who, holds=None, replace=False):
        """The identity for this board: the one that it has, or a free one, bound to its MAC now.

        `holds`: (ProductKey, DeviceName) that was read from the board, or None.
        An identity that the ledger takes for free, but that is on the board, is
        bound to it; any other one that is not the board's own is refused, or
        with `replace` given up.

        Returns the Identity with its secrets open and a new `attempt`. UserError
        when none is free, or when the board holds an identity of another product.
        """
        mac = names.mac(mac)
        token = secrets.token_hex(16)
        if replace:
            holds = None

        def work(c):
            return self._take_up(c, mac, product_key, who, token, holds) or self._take(
                c, mac, product_key, who, token, holds
            )

        return self._identity(self._unique(self._once(token, work)), with_secrets=True)

    def begin_write(self, identity, who):
        """Say that the station starts to write this identity to its board: from now on it is never free
        again.
        """
        return self._change(identity, "begin", who, lambda row: (row.state, {"touched": True}))

    def move(self, identity, action, who, firmware=None, image=None, note=None):
        """Do one action of the transition table for this visit; returns the changed Identity.

        UserError when the table has no such step, or when another visit took the board over.
        """
        marks = {name: value for name, value in (("firmware", firmware), ("image", image)) if value}

        def change(row):
            return transitions.step(row.state, action, row.touched), marks

        return self._change(identity, action, who, change, note=note, **marks)

    def note_failure(self, mac, who, note):
        """A board that failed before it got an identity: an event, so that the yield counts it."""
        token = secrets.token_hex(16)
        mac = names.mac(mac) if mac else None

        def work(c):
            if c.execute(sa.select(events.c.id).where(events.c.token == token)).first() is None:
                self._event(c, token, "reject", who, mac=mac, note=note)

        self.connection.write(work)

    def adopt(self, mac, product_key, device_name, who):
        """Bind an identity that is on a board, but free in a ledger that came back from a backup, to that
        board.

        Returns whether anything changed. UserError when the ledger says otherwise.
        """
        mac = names.mac(mac)
        found = self.find(product_key=product_key, device_name=device_name)
        if found is not None and found.mac == mac:
            return False
        row = self.reserve(mac, product_key, who, holds=(product_key, device_name))
        self.begin_write(row, who)
        return True

    def note(self, identity, action, who, note):
        """An event about an identity that changes nothing else."""
        return self._change(identity, action, who, lambda row: (row.state, {}), note=note)

    # -- people ------------------------------------------------------------------------------------

    def void(self, identity, who, note=None):
        """Take an identity out of use for good; its MAC, if any, may take another one."""

        def change(row):
            return transitions.step(row.state, "void"), {"mac": None, "last_mac": row.mac or row.last_mac}

        return self._change(identity, "void", who, change, note=note)

    def release(self, identity, who, note=None):
        """Give an identity that never began to be written back to the free ones."""

        def change(row):
            return transitions.step(row.state, "release", row.touched), {"mac": None, "last_mac": row.mac}

        return self._change(identity, "release", who, change, note=note)

    def reopen(self, identity, who, note=None):
        """Undo a void: the identity is bound again to the MAC that it was taken from."""

        def change(row):
            after = transitions.step(row.state, "reopen")
            if row.last_mac is None:
                raise transitions.Refused("it was never on a board")
            return after, {"mac": row.last_mac}

        try:
            return self._change(identity, "reopen", who, change, note=note)
        except exc.IntegrityError:
            raise UserError(
                f"board {names.colons(identity.last_mac)} holds another identity now; void that one first"
            ) from None

    # -- issued secrets ----------------------------------------------------------------------------

    def keep_issued(self, identity, fields, who):
        """Keep what registration issued to this device ({record tag: bytes}) sealed beside its identity."""
        text = json.dumps({str(tag): value.hex() for tag, value in sorted(fields.items())})
        place = ("issued", identity.product_key, identity.device_name)

        def work(c):
            description.check_key(c, self.seal)
            c.execute(issued.delete().where(issued.c.identity_id == identity.id))
            c.execute(
                issued.insert().values(
                    identity_id=identity.id, backup=self.seal.shut(text, *place), taken=stamp(self._clock())
                )
            )
            self._event(
                c,
                secrets.token_hex(16),
                "backup",
                who,
                identity_id=identity.id,
                mac=identity.mac,
                product_key=identity.product_key,
                device_name=identity.device_name,
            )

        self.connection.write(work)

    def has_issued(self, identity):
        """Whether a backup of what registration issued is kept."""
        query = sa.select(issued.c.identity_id).where(issued.c.identity_id == identity.id)
        return self.connection.read(lambda c: c.execute(query).first()) is not None

    def issued(self, identity):
        """The kept fields of what registration issued ({record tag: bytes}), or None."""
        query = sa.select(issued.c.backup).where(issued.c.identity_id == identity.id)
        stored = self.connection.read(lambda c: c.execute(query).scalar())
        if stored is None:
            return None
        fields = json.loads(self.seal.open(stored, "issued", identity.product_key, identity.device_name))
        return {int(tag): bytes.fromhex(value) for tag, value in fields.items()}

    # -- keys --------------------------------------------------------------------------------------

    def rekey(self, key, who):
        """Seal every secret anew with `key` (None: store them plain), in one transaction.

        Returns how many secrets were sealed anew. A station that still holds the
        old key refuses to go on with one line.
        """
        fresh = Seal(self.seal.ledger_id, key)

        def work(c):
            description.check_key(c, self.seal, exclusive=True)
            number = 0
            for table, column, place in SECRETS:
                for row in c.execute(sa.select(table).with_for_update()).all():
                    stored = getattr(row, column.name)
                    if stored is not None:
                        where = place(c, row)
                        text = self.seal.open(stored, *where)
                        c.execute(
                            table.update()
                            .where(_same(table, row))
                            .values({column.name: fresh.shut(text, *where)})
                        )
                        number += 1
            description.change_key(c, fresh)
            self._event(c, secrets.token_hex(16), "rekey", who, note=f"{number} secrets")
            return number

        number = self.connection.write(work)
        self.seal = fresh
        return number

    def check_secrets(self):
        """Open every secret once; returns how many opened. UserError names the first that does not."""

        def work(c):
            number = 0
            for table, column, place in SECRETS:
                for row in c.execute(sa.select(table)).all():
                    stored = getattr(row, column.name)
                    if stored is not None:
                        self.seal.open(stored, *place(c, row))
                        number += 1
            return number

        return self.connection.read(work)

    # -- inside ------------------------------------------------------------------------------------

    def _unique(self, work):
        """Run a writing call; when two stations met on one unique value, the second sees the first's row."""
        for again in (True, True, False):
            try:
                return self.connection.write(work)
            except exc.IntegrityError:
                if not again:
                    raise UserError("another station changes the same rows; try again") from None

    def _once(self, token, work):
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

    def _take_up(self, c, mac, product_key, who, token, holds):
        """The board is known: the same identity again, whatever became of it."""
        row = c.execute(sa.select(identities).where(identities.c.mac == mac).with_for_update()).first()
        if row is None:
            return None
        if row.product_key != product_key:
            raise UserError(
                f"board {names.colons(mac)} holds {row.device_name} of product {row.product_key} "
                f"({row.state}); 'line void --mac {names.colons(mac)}' frees the board for {product_key}"
            )
        if holds and holds != (row.product_key, row.device_name):
            raise UserError(
                f"the board holds {holds[1]} of product {holds[0]}, "
                f"but the ledger gave it {row.device_name}; "
                "a job with 'replace = true' overwrites it"
            )
        return self._store(
            c, row, transitions.step(row.state, "resume"), "resume", who, token, {"attempt": row.attempt + 1}
        )

    def _take(self, c, mac, product_key, who, token, holds):
        """The board is new: bind a free identity, or the one that its MAC names, to it."""
        product = self._products.get(product_key)
        if product is None:  # a product's facts never change once they are in
            product = self._products[product_key] = _product(c, product_key)
        if product.name_rule in names.MAC_RULES:
            row = self._named(c, product, names.of_mac(product.name_rule, mac), who)
        elif holds is None:
            row = self._next_free(c, product_key)
        else:
            row = self._on_board(c, product_key, holds)
        if holds and holds != (row.product_key, row.device_name):
            raise UserError(
                f"the board holds {holds[1]} of product {holds[0]}, not {row.device_name}; "
                "a job with 'replace = true' overwrites it"
            )
        return self._store(
            c,
            row,
            transitions.step(row.state, "reserve"),
            "reserve",
            who,
            token,
            {"attempt": row.attempt + 1, "mac": mac},
        )

    def _next_free(self, c, product_key):
        free = (identities.c.product_key == product_key) & (identities.c.state == transitions.FREE)
        ended = identities.c.expires <= stamp(self._clock())
        over = sa.select(identities.c.id).where(free, ended).limit(1)
        free &= identities.c.expires.is_(None) | ~ended
        query = sa.select(identities).where(free).order_by(identities.c.id).limit(1)
        row = c.execute(query.with_for_update(skip_locked=True)).first()
        if row is None and c.execute(sa.select(identities.c.id).where(free).limit(1)).first():
            raise Busy  # free ones are left, all of them in other stations' hands just now
        if row is None:
            raise UserError(
                f"no free identity of product {product_key} is left"
                + (" whose certificate has not ended" if c.execute(over).first() else "")
                + "; take more in with 'line intake'"
            )
        return row

    def _on_board(self, c, product_key, holds):
        """The identity that a board of unknown MAC holds already: bound to it if the ledger takes it for
        free.
        """
        where = (identities.c.product_key == holds[0]) & (identities.c.device_name == holds[1])
        row = c.execute(sa.select(identities).where(where).with_for_update()).first()
        cure = "; a job with 'replace = true' overwrites it"
        if row is None or row.product_key != product_key:
            raise UserError(
                f"the board holds {holds[1]} of product {holds[0]}, which "
                + ("the ledger does not know" if row is None else "is not this job's")
                + cure
            )
        if row.state != transitions.FREE:
            owner = row.mac or row.last_mac
            raise UserError(
                f"the board holds {holds[1]}, which "
                + (f"board {names.colons(owner)} has: two boards with one identity" if row.mac else "is void")
                + cure
            )
        return row

    def _named(self, c, product, name, who):
        where = (identities.c.product_key == product.product_key) & (identities.c.device_name == name)
        query = sa.select(identities).where(where).with_for_update()
        row = c.execute(query).first()
        if row is None and product.listed:
            raise UserError(
                f"{name} is not on the list of product {product.product_key}; "
                "take it in with 'line names' and pre-register it"
            )
        if row is None:
            c.execute(
                identities.insert().values(
                    product_key=product.product_key,
                    device_name=name,
                    state=transitions.FREE,
                    touched=False,
                    attempt=0,
                    changed=stamp(self._clock()),
                    station=who.station,
                    operator=who.operator,
                )
            )
            row = c.execute(query).first()
        if row.state == transitions.VOID:
            raise UserError(
                f"{name}, which this board's MAC names, is void; "
                f"'line void --undo --name {name}' takes it back into use"
            )
        return row

    def _change(self, identity, action, who, change, note=None, **marks):
        """One guarded step of one visit: `change(row)` gives (state, columns)."""
        token = secrets.token_hex(16)

        def work(c):
            query = sa.select(identities).where(identities.c.id == identity.id).with_for_update()
            row = c.execute(query).first()
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
            return self._store(c, row, state, action, who, token, columns, note, **marks)

        return replace(
            self._identity(self.connection.write(self._once(token, work))), secrets=identity.secrets
        )

    def _store(self, c, row, state, action, who, token, columns, note=None, **marks):
        """Write the row's new state with its event; returns the row as it is now."""
        values = {
            "state": state,
            "station": who.station,
            "operator": who.operator,
            "changed": stamp(self._clock()),
            **columns,
        }
        after = c.execute(
            identities.update()
            .values(values)
            .where(identities.c.id == row.id)
            .where(identities.c.attempt == row.attempt, identities.c.state == row.state)
            .returning(identities)
        ).first()
        if after is None:
            raise Busy
        self._event(
            c,
            token,
            action,
            who,
            identity_id=row.id,
            product_key=row.product_key,
            device_name=row.device_name,
            mac=columns.get("mac") or row.mac or row.last_mac,
            from_state=row.state,
            to_state=state,
            note=note,
            **marks,
        )
        return after

    def _event(self, c, token, action, who, **columns):
        c.execute(
            events.insert().values(
                token=token,
                at=stamp(self._clock()),
                action=action,
                station=who.station,
                operator=who.operator,
                **columns,
            )
        )

    def _shut(self, product_key, name, fields):
        return (
            self.seal.shut(json.dumps(fields, sort_keys=True), "identities", product_key, name)
            if fields
            else None
        )

    def _unseal(self, product_key, name, stored):
        if stored is None:
            return {}
        return json.loads(self.seal.open(stored, "identities", product_key, name))

    def _secrets(self, row):
        fields = self._unseal(row.product_key, row.device_name, row.secret)
        return {name: Secret(value) for name, value in fields.items()}

    def _same_product(self, row, product):
        if (row.way, row.name_rule, row.listed) != (product.way, product.name_rule, product.listed):
            raise UserError(
                f"product {row.product_key} is in the ledger as way {row.way}, "
                f"name rule {row.name_rule or 'none'}, listed {'yes' if row.listed else 'no'}"
            )
        stored = row.product_secret and Secret(
            self.seal.open(row.product_secret, "products", row.product_key)
        )
        if product.secret is not None and stored != product.secret:
            raise UserError(f"product {row.product_key} is in the ledger with another ProductSecret")
        return False

    def _identity(self, row, with_secrets=False):
        values = {name: getattr(row, name) for name in Identity.__dataclass_fields__ if name != "secrets"}
        return Identity(**values, secrets=self._secrets(row) if with_secrets else {})


# every sealed column: table, column, and the place that its associated data names
def _identity_place(c, row):
    return "identities", row.product_key, row.device_name


def _issued_place(c, row):
    owner = c.execute(
        sa.select(identities.c.product_key, identities.c.device_name).where(
            identities.c.id == row.identity_id
        )
    ).one()
    return "issued", owner.product_key, owner.device_name


def _gateway_place(c, row):
    return "products", row.product_key, "sub_products"


SECRETS = (
    (products, products.c.product_secret, lambda c, row: ("products", row.product_key)),
    (products, products.c.sub_products, _gateway_place),
    (identities, identities.c.secret, _identity_place),
    (issued, issued.c.backup, _issued_place),
)


def _url(url):
    return database.parse_url(url) if isinstance(url, str) else url


def _guarded(url, call, *args):
    try:
        return call(*args)
    except OSError as error:
        raise UserError(f"the ledger {database.shown(url)} cannot be made: {error.strerror}") from None


def _product(c, product_key):
    row = c.execute(sa.select(products).where(products.c.product_key == product_key)).first()
    if row is None:
        raise UserError(f"the ledger knows no product {product_key}; take it in with 'line intake'")
    return row


def _known(c, product_key, wanted):
    """{device name: sealed secret} of those of `wanted` that the ledger has."""
    found = {}
    for start in range(0, len(wanted), 500):
        query = sa.select(identities.c.device_name, identities.c.secret).where(
            identities.c.product_key == product_key, identities.c.device_name.in_(wanted[start : start + 500])
        )
        found.update((row.device_name, row.secret) for row in c.execute(query))
    return found


def _holders(c, columns):
    """See `Ledger.holders`."""
    found = {}
    for column, wanted in (
        (identities.c.serial, [one["serial"] for one in columns if one["serial"]]),
        (identities.c.id2, [one["id2"] for one in columns if one["id2"]]),
    ):
        for start in range(0, len(wanted), 500):
            query = sa.select(identities).where(column.in_(wanted[start : start + 500]))
            for row in c.execute(query):
                found[ways.mark(row._mapping)] = row.product_key, row.device_name
    marks = {"/".join(mark): mark for mark in map(ways.mark, columns) if mark}
    wanted = list(marks)
    for start in range(0, len(wanted), 500):
        query = sa.select(identities.c.product_key, identities.c.device_name, replaced.c.mark).join(replaced)
        for row in c.execute(query.where(replaced.c.mark.in_(wanted[start : start + 500]))):
            found.setdefault(marks[row.mark], (row.product_key, row.device_name))
    return found


def _public(product_key, name, fields):
    return {"product_key": product_key, "device_name": name, **ways.public(fields)}


def _check_marks(c, rows):
    """UserError when a certificate or an ID is another's already, in the ledger or in these rows."""
    taken = _holders(c, rows)
    for row in rows:
        mark = ways.mark(row)
        if mark is None:
            continue
        if taken.get(mark, (row["product_key"], row["device_name"])) != (row["product_key"], row["device_name"]):
            raise UserError(f"{mark[0]} {mark[1]} of {row['device_name']} is {taken[mark][1]}'s in the ledger already")
        taken[mark] = row["product_key"], row["device_name"]


def _same(table, row):
    key = next(iter(table.primary_key.columns))
    return key == getattr(row, key.name)
