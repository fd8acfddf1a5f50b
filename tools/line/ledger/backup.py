"""Backs up a ledger while stations work, and restores it.

A backup is itself a ledger on SQLite: same tables, secrets sealed as they are.
It is read in one transaction that sees one moment, and both sides are compared
by count and digest of every table before it counts as done.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.ledger import connection as database
from tools.line.ledger import migration
from tools.line.ledger.connection import Connection, Patience
from tools.line.ledger.schema import metadata

if TYPE_CHECKING:
    from tools.line.ledger.ledger import Ledger


TABLES = metadata.sorted_tables
CHUNK = 1000


@dataclass(frozen=True)
class Copy:
    """What was copied: rows by table, and the digest (SHA-256 hex) that both sides have."""

    rows: dict[str, int]
    digest: str


def backup(ledger: "Ledger", path: str) -> Copy:
    """Copy a ledger into a new file (mode 0600) beside which nothing of a failed try stays."""
    if os.path.exists(path):
        raise UserError(f"{path} is there already; a backup is never overwritten")
    partial = path + ".partial"
    _remove(partial)
    url = database.parse_url("sqlite:///" + partial)
    try:
        database.create_file(partial)
        with contextlib.closing(Connection(url)) as target:
            migration.migrate(target)
            made = _copy(ledger.connection, target)
            _settle(target)
        os.rename(partial, path)
    except OSError as error:
        raise UserError(f"the backup {path} cannot be written: {error.strerror}") from None
    finally:
        _remove(partial)
    return made


def restore(path: str, url: sa.URL, patience: Patience = Patience()) -> Copy:
    """Copy a backup into an empty place for a ledger. UserError when there is a ledger already."""
    if not os.path.exists(path):
        raise UserError(f"there is no backup {path}")
    with contextlib.closing(Connection(database.parse_url("sqlite:///" + path))) as source:
        if source.read(migration.schema_version) is None:
            raise UserError(f"{path} is no backup of a ledger")
        with _new_place(url), contextlib.closing(Connection(url, patience)) as target:
            migration.migrate(source)
            migration.migrate(target)
            if target.read(lambda c: c.execute(sa.select(metadata.tables["meta"])).first()):
                raise UserError(
                    f"there is a ledger at {database.shown(url)} already; it is never overwritten"
                )
            return _copy(source, target)


@contextlib.contextmanager
def _new_place(url):
    """A new SQLite file, gone again if filling it fails. On PostgreSQL the database is there already."""
    if url.drivername != "sqlite":
        yield
        return
    if os.path.exists(url.database):
        raise UserError(f"{url.database} is there already; move it away first, a ledger is never overwritten")
    database.create_file(url.database)
    try:
        yield
    except BaseException:
        _remove(url.database)
        raise


def _remove(path):
    for rest in (path, path + "-wal", path + "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(rest)


def _copy(source, target):
    """Copy all rows in one transaction on each side; compare; returns Copy."""

    def work(c):
        rows, digest = {}, hashlib.sha256()

        def fill(t):
            for table in TABLES:
                rows[table.name] = 0
                result = c.execution_options(stream_results=True).execute(_ordered(table))
                for part in result.partitions(CHUNK):
                    values = [dict(row._mapping) for row in part]
                    t.execute(table.insert(), values)
                    for row in part:
                        _digest(digest, table, row)
                    rows[table.name] += len(values)
            _count_on(t)
            arrived = digest_of(t)
            if arrived != digest.hexdigest():
                raise UserError("the copy differs from the ledger; nothing was written, try again")

        target.write(fill)
        return Copy(rows, digest.hexdigest())

    return source.read(work)


def digest_of(c: sa.Connection) -> str:
    """SHA-256 hex over every row of every table, in order."""
    digest = hashlib.sha256()
    for table in TABLES:
        for row in c.execute(_ordered(table)):
            _digest(digest, table, row)
    return digest.hexdigest()


def _ordered(table):
    return sa.select(table).order_by(*table.primary_key.columns)


def _digest(digest, table, row):
    values = [bytes(value).hex() if isinstance(value, (bytes, memoryview)) else value for value in row]
    digest.update(repr((table.name, values)).encode())


def _count_on(c):
    """PostgreSQL's counters go on behind the copied ids."""
    if c.dialect.name == "postgresql":
        for name in ("identities", "events"):
            c.execute(
                sa.text(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "
                    f"(SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"
                )
            )


def _settle(target):
    """One file holds everything: the write-ahead log is folded in, and the file is sound."""

    def work(c):
        return c.exec_driver_sql("PRAGMA integrity_check").scalar()

    if target.read(work) != "ok":
        raise UserError("the backup's file is damaged; try again on another disk")
    with target.engine.connect() as c:
        c.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
