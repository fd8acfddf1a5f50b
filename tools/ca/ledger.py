"""The ledger of a CA: every serial number it ever drew, for what, and the certificate. Never a private key.

A serial is `reserved` before anything is signed with it, `issued` once the
certificate and its key are kept, or `void` if that never came to pass. No
serial is ever used again, void ones included.
"""

import contextlib
from dataclasses import dataclass

import sqlalchemy as sa

from tools.ca import serials
from tools.errors import UserError

VERSION = 1
TRANSITIONS = {"reserved": ("issued", "void"), "issued": (), "void": ()}
_META = sa.MetaData()
CERTIFICATES = sa.Table(
    "certificates", _META,
    sa.Column("number", sa.Integer, primary_key=True),            # order of drawing
    sa.Column("serial", sa.String(40), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),             # ca, verification, device
    sa.Column("product_key", sa.String(20)),
    sa.Column("device_name", sa.String(32)),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("reserved_at", sa.Integer, nullable=False),         # Unix seconds, as all times here
    sa.Column("issued_at", sa.Integer),
    sa.Column("not_before", sa.Integer),
    sa.Column("not_after", sa.Integer),
    sa.Column("fingerprint", sa.String(64)),                      # SHA-256 of the certificate
    sa.Column("public_key", sa.String(64), index=True),           # SHA-256 of its SubjectPublicKeyInfo
    sa.Column("key_origin", sa.String(8)),                        # host or csr
    sa.Column("certificate", sa.LargeBinary),                     # DER
    sa.Column("association", sa.Integer),                         # number of the association file that holds it
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


class Ledger:
    """`ledger.db` in a CA's folder, SQLite; every call is one transaction, safe between processes."""

    def __init__(self, path, timeout=30):
        self._path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool,
            connect_args={"timeout": timeout, "isolation_level": None})
        sa.event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

    @classmethod
    def create(cls, path):
        """A new, empty ledger file."""
        ledger = cls(path)
        with ledger._transaction() as connection:
            _META.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        return ledger

    @classmethod
    def open(cls, path, timeout=30):
        """The ledger in `path`; UserError if there is none or a later version of aliot wrote it."""
        if not path.is_file():
            raise UserError(f"{path} is missing; the CA must not issue without its ledger, put back the last copy")
        ledger = cls(path, timeout)
        with ledger._transaction() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version == 0:
            raise UserError(f"{path} is not a ledger of a CA; put back the last copy")
        if version > VERSION:
            raise UserError(f"{path} was written by a later aliot (ledger version {version}); update the tools")
        return ledger

    @contextlib.contextmanager
    def _transaction(self):
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise UserError(f"the ledger {self._path} cannot be used: {error.orig}") from error

    def reserve(self, kind, devices, now, renew=False, fresh=serials.fresh):
        """Draw one new serial per (product_key, device_name) in `devices`, in one transaction.

        An unfinished reservation of the same device becomes void: whoever
        held it was killed or can no longer finish. A device that has a
        certificate is refused unless `renew`.
        """
        with self._transaction() as connection:
            return [self._reserve(connection, kind, device, now, renew, fresh) for device in devices]

    def _reserve(self, connection, kind, device, now, renew, fresh):
        product_key, device_name = device
        if kind == "device":
            self._make_room(connection, product_key, device_name, renew)
        serial = fresh()
        while connection.scalar(sa.select(C.number).where(C.serial == serial)):
            serial = fresh()
        connection.execute(CERTIFICATES.insert().values(
            serial=serial, kind=kind, product_key=product_key, device_name=device_name, state="reserved",
            reserved_at=int(now)))
        return serial

    def _make_room(self, connection, product_key, device_name, renew):
        mine = (C.product_key == product_key) & (C.device_name == device_name)
        live = connection.scalar(sa.select(C.serial).where(mine, C.state == "issued").order_by(C.number.desc()))
        if live and not renew:
            raise UserError(f"{product_key},{device_name} already has certificate {live}; "
                            "--renew issues another one beside it")
        connection.execute(CERTIFICATES.update().where(mine, C.state == "reserved").values(state="void"))

    def finish(self, signed, now):
        """Make the reservations of these `Signed` issued, all or none; one that is issued already stays as it is.

        UserError if a reservation was given up for a later one, or if a
        public key belongs to another device.
        """
        with self._transaction() as connection:
            for one in signed:
                self._finish(connection, one, now)

    def _finish(self, connection, signed, now):
        row = connection.execute(sa.select(CERTIFICATES).where(C.serial == signed.serial)).first()
        if row is None:
            raise UserError(f"serial {signed.serial} was not drawn by this CA's ledger")
        if row.state == "issued" and row.fingerprint == signed.fingerprint:
            return
        if "issued" not in TRANSITIONS[row.state]:
            raise UserError(f"serial {signed.serial} for {row.product_key},{row.device_name} was given up because "
                            "another run took that device; its certificate must not be used")
        self._refuse_shared_key(connection, signed, row)
        connection.execute(CERTIFICATES.update().where(C.number == row.number).values(
            state="issued", issued_at=int(now), not_before=signed.not_before, not_after=signed.not_after,
            fingerprint=signed.fingerprint, public_key=signed.public_key, key_origin=signed.key_origin,
            certificate=signed.certificate))

    def _refuse_shared_key(self, connection, signed, row):
        other = connection.execute(sa.select(C.product_key, C.device_name).where(
            C.public_key == signed.public_key, C.number != row.number,
            (C.product_key != row.product_key) | (C.device_name != row.device_name))).first()
        if other and row.kind == "device":
            raise UserError(f"the key for {row.product_key},{row.device_name} is already the key of "
                            f"{other.product_key},{other.device_name}; every device needs a key of its own")

    def adopt(self, kind, signed, now):
        """Enter a certificate whose serial was drawn before there was a ledger: the CA's own."""
        with self._transaction() as connection:
            connection.execute(CERTIFICATES.insert().values(
                serial=signed.serial, kind=kind, state="reserved", reserved_at=int(now)))
            self._finish(connection, signed, now)

    def find(self, serial):
        """The row of a serial in normal form, or None."""
        return self._first(sa.select(CERTIFICATES).where(C.serial == serial))

    def newest(self, product_key, device_name):
        """The row of the last certificate issued to a device, or None."""
        return self._first(sa.select(CERTIFICATES).where(
            C.product_key == product_key, C.device_name == device_name, C.state == "issued")
            .order_by(C.number.desc()))

    def _first(self, query):
        with self._transaction() as connection:
            return connection.execute(query).first()

    def rows(self, kind="device", product_key=None, state="issued", newest_only=True):
        """Rows in the order of drawing; with `newest_only` the last of each device."""
        query = sa.select(CERTIFICATES).where(C.kind == kind, C.state == state).order_by(C.number)
        if product_key:
            query = query.where(C.product_key == product_key)
        if newest_only:
            last = (sa.select(sa.func.max(C.number)).where(C.kind == kind, C.state == state)
                    .group_by(C.product_key, C.device_name))
            query = query.where(C.number.in_(last))
        with self._transaction() as connection:
            return connection.execute(query).all()

    def counts(self):
        """{state: how many device serials}."""
        query = sa.select(C.state, sa.func.count()).where(C.kind == "device").group_by(C.state)
        with self._transaction() as connection:
            return dict(connection.execute(query).tuples().all())

    def last_association(self, product_key):
        """The highest number of an association file of this product; 0 if there is none."""
        query = sa.select(sa.func.max(C.association)).where(C.product_key == product_key)
        with self._transaction() as connection:
            return connection.scalar(query) or 0

    def associated(self, files):
        """Remember which association file ({number: [serial, ...]}) holds which certificate."""
        with self._transaction() as connection:
            for number, held in files.items():
                connection.execute(
                    CERTIFICATES.update().where(C.serial == sa.bindparam("held")).values(association=number),
                    [{"held": serial} for serial in held])
