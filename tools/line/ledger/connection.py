"""The ledger's database, SQLite or PostgreSQL: connections, transactions, and patience when it goes away."""

import contextlib
import os
import re
import sqlite3
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy import event, exc

from tools.errors import UserError
from tools.line import device_names

POSTGRESQL = "postgresql+psycopg"
URL_VARIABLE = "ALIOT_LEDGER"
T = TypeVar("T")
MIGRATION_LOCK = 0x616C696F74  # any number that every aliot takes for pg_advisory_xact_lock


class Busy(Exception):
    """Another station holds the ledger for a moment; the same call succeeds when it is repeated."""


@dataclass(frozen=True)
class Patience:
    """How long a call waits for a ledger that went away, and who hears of it.

    `limit`, `first` and `longest` are seconds: all waiting together, the first
    pause and the longest pause. `report` is called with one line before a pause.
    """

    limit: float = 60.0
    first: float = 0.02
    longest: float = 2.0
    connect: int = 5
    report: Callable[[str], None] | None = None
    sleep: Callable[[float], None] = time.sleep


def default_url() -> str:
    base = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return "sqlite:///" + os.path.join(base, "aliot", "ledger.db")


def parse_url(text: str, from_command_line: bool = False) -> sa.URL:
    """A SQLAlchemy URL. UserError for what is no ledger URL, or for a password on the command line."""
    if "://" not in text:
        text = "sqlite:///" + text
    try:
        url = sa.engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise UserError(
            f"the ledger URL cannot be read: say sqlite:///FILE or {POSTGRESQL}://USER@HOST/DATABASE"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername=POSTGRESQL)
    if url.drivername not in ("sqlite", POSTGRESQL):
        raise UserError(
            f"a ledger cannot be on '{url.drivername}': say sqlite:///FILE or "
            f"{POSTGRESQL}://USER@HOST/DATABASE"
        )
    if from_command_line and (url.password or "password" in url.query):
        raise UserError(
            "a password on the command line is seen by everyone on this machine: put the ledger "
            f"URL into the job file or {URL_VARIABLE}, or the password into ~/.pgpass"
        )
    if url.drivername == "sqlite" and (not url.database or url.database == ":memory:"):
        raise UserError("a ledger needs a file: say sqlite:///FILE")
    return url


def shown(url: sa.URL) -> str:
    """The URL without its password."""
    url = url.set(query={key: value for key, value in url.query.items() if key != "password"})
    return url.render_as_string(hide_password=True)


def create_file(path: str) -> None:
    """An empty SQLite file that only its owner may read, in WAL mode."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def create_ledger_file(url: sa.URL) -> None:
    """The empty file of a new ledger on SQLite. UserError when something is there, or it cannot be made."""
    path = url.database or ""
    if os.path.exists(path):
        raise UserError(f"{path} is there already; a ledger is never overwritten")
    try:
        create_file(path)
    except OSError as error:
        raise UserError(f"the ledger {shown(url)} cannot be made: {error.strerror}") from None


def engine(url: sa.URL, patience: Patience = Patience()) -> sa.Engine:
    """The SQLAlchemy engine for a ledger URL. Nothing is opened yet; no file is ever created."""
    if url.drivername == "sqlite":
        return _sqlite_engine(url, patience)
    return sa.create_engine(
        url,
        pool_pre_ping=False,
        pool_size=2,
        hide_parameters=True,
        connect_args={"connect_timeout": patience.connect, "application_name": "aliot line"},
    )


def _sqlite_engine(url, patience):
    path = os.path.abspath(url.database)
    address = (
        "file:" + urllib.parse.quote(path) + "?mode=rw"
    )  # rw: a vanished ledger is not replaced by an empty one

    def connect():
        connection = sqlite3.connect(
            address, uri=True, timeout=patience.connect, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=FULL")  # an allocation outlives a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    made = sa.create_engine(
        "sqlite://", creator=connect, poolclass=sa.pool.QueuePool, pool_size=2, hide_parameters=True
    )

    @event.listens_for(made, "connect")
    def remember(connection, record):
        record.info["file"] = _identity(path)

    @event.listens_for(made, "checkout")
    def same_file(connection, record, proxy):
        if record.info["file"] != _identity(path):  # moved or restored meanwhile: never write to the old one
            raise exc.DisconnectionError

    @event.listens_for(made, "begin")
    def begin(connection):
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return made


def _identity(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Connection:
    """Transactions on one ledger, repeated with patience while it is away.

    The function given to `write` or `read` gets a SQLAlchemy connection inside
    one transaction; it may run several times, so it must be repeatable.
    """

    def __init__(self, url: sa.URL, patience: Patience = Patience()) -> None:
        self.url = url
        self.patience = patience
        self.engine = engine(url, patience)
        self._writer = self.engine.execution_options(writing=True)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        self.engine.dispose()

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work(connection)` in one writing transaction; returns what it returns."""
        return self._patiently(self._writer, work)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work(connection)` in one transaction that sees one moment of the ledger."""
        source = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        return self._patiently(source, work)

    def _patiently(self, source, work):
        patience = self.patience
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(passes),
            stop=tenacity.stop_after_delay(patience.limit),
            wait=tenacity.wait_exponential_jitter(
                multiplier=patience.first, max=patience.longest, jitter=patience.first
            ),
            sleep=patience.sleep,
            before_sleep=self._report,
            reraise=True,
        )
        try:
            return retrying(self._once, source, work)
        except Busy:
            raise UserError(
                f"the ledger {shown(self.url)} was busy for {patience.limit:g} s; try again"
            ) from None
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise UserError(self._complaint(error)) from None

    @staticmethod
    def _once(source, work):
        with source.begin() as connection:
            return work(connection)

    def _report(self, state):
        error = state.outcome.exception()
        if self.patience.report and isinstance(error, exc.DBAPIError) and not _locked(error):
            self.patience.report(f"the ledger {shown(self.url)} is away ({_reason(error)}); trying again")

    def _complaint(self, error):
        where = shown(self.url)
        for pattern, cure in CURES:
            if pattern.search(str(error.orig)):
                return f"the ledger {where} refuses: {cure}"
        return (
            f"the ledger {where} did not answer for {self.patience.limit:g} s ({_reason(error)}); "
            "no identity is lost: bring it back and start again"
        )


# what no waiting mends, and what mends it
CURES = (
    (re.compile(r"disk is full|DiskFull|could not extend file|No space left"), "its disk is full; make room"),
    (
        re.compile(r"readonly database|read-only transaction|permission denied"),
        "it may not be written; check the file's owner or the database role",
    ),
    (
        re.compile(r"password authentication failed|no password supplied|fe_sendauth"),
        "wrong or missing password; put it into ~/.pgpass (mode 0600) or the job file",
    ),
    (
        re.compile(r'database "[^"]*" does not exist|role "[^"]*" does not exist|Peer authentication failed'),
        "no such database or role, or it may not be used from here; check the ledger URL",
    ),
    (
        re.compile(r"malformed|not a database"),
        "the file is damaged or no ledger; restore a backup with 'line restore-ledger'",
    ),
    (re.compile(r"append-only"), "events are append-only"),
    (
        re.compile(r"no such (table|column)|relation .* does not exist|column .* does not exist"),
        "its tables are not those of a ledger; check the ledger URL",
    ),
)


def passes(error: BaseException) -> bool:
    """Whether an error is temporary, so that the same call may succeed later."""
    if isinstance(error, Busy):
        return True
    if not isinstance(error, exc.DBAPIError) or isinstance(error, (exc.IntegrityError, exc.ProgrammingError)):
        return False
    return not any(pattern.search(str(error.orig)) for pattern, _ in CURES)


def _locked(error):
    return "is locked" in str(error.orig)


def _reason(error):
    return device_names.printable(" ".join(str(error.orig).split()))[:160] or type(error.orig).__name__
