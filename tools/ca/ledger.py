"""The ledger of a CA: every serial number it ever drew, for what, and the certificate. Never a private key.

A serial is `reserved` before anything is signed with it, `issued` once the
certificate and its key are kept, or `void` if that never came to pass. No
serial is ever used again, void ones included.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from tools import serials
from tools.errors import UserError

VERSION = 1
TRANSITIONS = {"reserved": ("issued", "void"), "issued": (), "void": ()}
_META = sa.MetaData()
CERTIFICATES = sa.Table(
    "certificates",
    _META,
    sa.Column("number", sa.Integer, primary_key=True),  # order of drawing
    sa.Column("serial", sa.String(40), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),  # ca, verification, device
    sa.Column("product_key", sa.String(20)),
    sa.Column("device_name", sa.String(32)),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("reserved_at", sa.Integer, nullable=False),  # Unix seconds, as all times here
    sa.Column("issued_at", sa.Integer),
    sa.Column("not_before", sa.Integer),
    sa.Column("not_after", sa.Integer),
    sa.Column("fingerprint", sa.String(64)),  # SHA-256 of the certificate
    sa.Column("public_key", sa.String(64), index=True),  # SHA-256 of its SubjectPublicKeyInfo
    sa.Column("key_origin", sa.String(8)),  # host or csr
    sa.Column("certificate", sa.LargeBinary),  # DER
    sa.Column("association", sa.Integer),  # number of the association file that holds it
    sa.Index("by_device", "product_key", "device_name", "state"),
)
C = CERTIFICATES.c


@dataclass(frozen=True)
class Signed:
    """What the ledger keeps of a certificate once it is issued."""

    serial: str
    not_before: int
    not_after: int
    fingerprint: str
    public_key: str
    key_origin: str
    certificate: bytes


_FINISH = (
    CERTIFICATES.update()
    .where(C.serial == sa.bindparam("drawn"))
    .values(
        state="issued",
        issued_at=sa.bindparam("now"),
        **{
            name: sa.bindparam(name)
            for name in ("not_before", "not_after", "fingerprint", "public_key", "key_origin", "certificate")
        },
    )
)


def _groups(rows, size=500):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _owner(row):
    return f"{row.product_key},{row.device_name}" if row.kind == "device" else f"the {row.kind} certificate"


def _may_finish(signed, row):
    """True to make it issued, False if it is already; UserError if it must not be."""
    if row is None:
        raise UserError(f"serial {signed.serial} was not drawn by this CA's ledger")
    if row.state == "issued" and row.fingerprint == signed.fingerprint:
        return False
    if "issued" not in TRANSITIONS[row.state]:
        raise UserError(
            f"serial {signed.serial} for {row.product_key},{row.device_name} was given up because "
            "another run took that device; its certificate must not be used"
        )
    return True


class Ledger:
    """`ledger.db` in a CA's folder, SQLite; every call is one transaction, safe between processes."""

    def __init__(self, path: Path, timeout: float = 30) -> None:
        self._path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=sa.NullPool,
            connect_args={"timeout": timeout, "isolation_level": None},
        )
        sa.event.listen(
            self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
        )

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty ledger file."""
        ledger = cls(path)
        with ledger._transaction() as connection:
            _META.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        return ledger

    @classmethod
    def open(cls, path: Path, timeout: float = 30) -> Self:
        """The ledger in `path`; UserError if there is none or a later version of aliot wrote it."""
        if not path.is_file():
            raise UserError(
                f"{path} is missing; the CA must not issue without its ledger, put back the last copy"
            )
        ledger = cls(path, timeout)
        with ledger._transaction() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version == 0:
            raise UserError(f"{path} is not a ledger of a CA; put back the last copy")
        if version > VERSION:
            raise UserError(
                f"{path} was written by a later aliot (ledger version {version}); update the tools"
            )
        return ledger

    @contextlib.contextmanager
    def _transaction(self):
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise UserError(f"the ledger {self._path} cannot be used: {error.orig}") from error

    def reserve(
        self,
        kind: str,
        devices: Sequence[tuple[str | None, str | None]],
        now: float,
        renew: bool = False,
        fresh: Callable[[], str] = serials.fresh,
    ) -> list[str]:
        """Draw one new serial per (product_key, device_name) in `devices`, in one transaction.

        An unfinished reservation of the same device becomes void: whoever
        held it was killed or can no longer finish. A device that has a
        certificate is refused unless `renew`.
        """
        drawn = []
        with self._transaction() as connection:
            for group in _groups(devices):
                if kind == "device":
                    self._make_room(connection, group, renew)
                new = self._draw(connection, len(group), fresh)
                connection.execute(
                    CERTIFICATES.insert(),
                    [
                        {
                            "serial": serial,
                            "kind": kind,
                            "product_key": product_key,
                            "device_name": device_name,
                            "state": "reserved",
                            "reserved_at": int(now),
                        }
                        for serial, (product_key, device_name) in zip(new, group, strict=True)
                    ],
                )
                drawn += new
        return drawn

    def _draw(self, connection, count, fresh):
        drawn = []
        while len(drawn) < count:
            more = [fresh() for _ in range(count - len(drawn))]
            taken = set(connection.scalars(sa.select(C.serial).where(C.serial.in_(more)))) | set(drawn)
            drawn += [serial for serial in dict.fromkeys(more) if serial not in taken]
        return drawn

    def _make_room(self, connection, group, renew):
        mine = sa.tuple_(C.product_key, C.device_name).in_([tuple(device) for device in group])
        live = connection.execute(sa.select(CERTIFICATES).where(mine, C.state == "issued")).first()
        if live and not renew:
            raise UserError(
                f"{live.product_key},{live.device_name} already has certificate {live.serial}; "
                "it takes a renewal to issue another one beside it"
            )
        connection.execute(CERTIFICATES.update().where(mine, C.state == "reserved").values(state="void"))

    def finish(self, signed: Sequence[Signed], now: float) -> None:
        """Make the reservations of these `Signed` issued, all or none; one that is issued already stays.

        UserError if a reservation was given up for a later one, or if a
        public key belongs to another device.
        """
        with self._transaction() as connection:
            for group in _groups(signed):
                rows = connection.execute(
                    sa.select(CERTIFICATES).where(C.serial.in_([one.serial for one in group]))
                )
                held = {row.serial: row for row in rows}
                new = [one for one in group if _may_finish(one, held.get(one.serial))]
                self._refuse_shared_keys(connection, new, held)
                if new:
                    connection.execute(
                        _FINISH, [{"drawn": one.serial, "now": int(now), **vars(one)} for one in new]
                    )

    def _refuse_shared_keys(self, connection, new, held):
        keys = [one.public_key for one in new]
        rows = connection.execute(sa.select(CERTIFICATES).where(C.public_key.in_(keys)))
        owners = {row.public_key: _owner(row) for row in rows}
        for one in new:
            mine = _owner(held[one.serial])
            owner = owners.setdefault(one.public_key, mine)
            if owner != mine:
                raise UserError(
                    f"the key for {mine} is already the key of {owner}; every device needs a key of its own"
                )

    def adopt(self, kind: str, signed: Signed, now: float) -> None:
        """Enter a certificate whose serial was drawn before there was a ledger: the CA's own."""
        with self._transaction() as connection:
            connection.execute(
                CERTIFICATES.insert().values(
                    serial=signed.serial, kind=kind, state="reserved", reserved_at=int(now)
                )
            )
        self.finish([signed], now)

    def find(self, serial: str) -> sa.Row | None:
        """The row of a serial in normal form, or None."""
        return self._first(sa.select(CERTIFICATES).where(C.serial == serial))

    def newest(self, product_key: str, device_name: str) -> sa.Row | None:
        """The row of the last certificate issued to a device, or None."""
        return self._first(
            sa.select(CERTIFICATES)
            .where(C.product_key == product_key, C.device_name == device_name, C.state == "issued")
            .order_by(C.number.desc())
        )

    def _first(self, query):
        with self._transaction() as connection:
            return connection.execute(query).first()

    def rows(
        self,
        kind: str = "device",
        product_key: str | None = None,
        state: str = "issued",
        newest_only: bool = True,
    ) -> Sequence[sa.Row]:
        """Rows in the order of drawing; with `newest_only` the last of each device."""
        query = sa.select(CERTIFICATES).where(C.kind == kind, C.state == state).order_by(C.number)
        if product_key:
            query = query.where(C.product_key == product_key)
        if newest_only:
            last = (
                sa.select(sa.func.max(C.number))
                .where(C.kind == kind, C.state == state)
                .group_by(C.product_key, C.device_name)
            )
            query = query.where(C.number.in_(last))
        with self._transaction() as connection:
            return connection.execute(query).all()

    def counts(self) -> dict[str, int]:
        """{state: how many device serials}."""
        query = sa.select(C.state, sa.func.count()).where(C.kind == "device").group_by(C.state)
        with self._transaction() as connection:
            return {state: count for state, count in connection.execute(query)}

    def last_association(self, product_key: str) -> int:
        """The highest number of an association file of this product; 0 if there is none."""
        query = sa.select(sa.func.max(C.association)).where(C.product_key == product_key)
        with self._transaction() as connection:
            return connection.scalar(query) or 0

    def associated(self, files: Mapping[int, Sequence[str]]) -> None:
        """Remember which association file ({number: [serial, ...]}) holds which certificate."""
        with self._transaction() as connection:
            for number, held in files.items():
                connection.execute(
                    CERTIFICATES.update().where(C.serial == sa.bindparam("held")).values(association=number),
                    [{"held": serial} for serial in held],
                )
