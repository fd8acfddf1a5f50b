"""The cloud's persistent state: one SQLite file in the run directory.

Each call commits before it returns, so that what was acknowledged to a device
survives a killed process (not a loss of power: there is no fsync per commit).
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.errors import UserError

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (pk TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS device (pk TEXT, dn TEXT, body TEXT NOT NULL, PRIMARY KEY (pk, dn)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (pk TEXT, dn TEXT, unit TEXT, body TEXT NOT NULL,
                                    PRIMARY KEY (pk, dn, unit)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, pk TEXT, dn TEXT, unit TEXT,
                                    topic TEXT, payload BLOB, time REAL);
CREATE TABLE IF NOT EXISTS identity (id2 TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS licence (pk TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS authority (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS binding (authority TEXT, serial TEXT, body TEXT NOT NULL,
                                    PRIMARY KEY (authority, serial)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (pk TEXT, dn TEXT, kind TEXT, body TEXT NOT NULL,
                                  PRIMARY KEY (pk, dn, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS point (id INTEGER PRIMARY KEY, pk TEXT, dn TEXT, kind TEXT, name TEXT, time INTEGER,
                                  body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS server_message (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER, topic TEXT,
                                           body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS point_of ON point (pk, dn, kind, name, time);
CREATE INDEX IF NOT EXISTS message_of ON message (pk, dn, unit);
"""
# 2: devices have a gateway; 3: CAs and what is bound to them; 4: centres and tokens; 5: state, points, server messages
FORMAT = 5


def owned(path: Path) -> None:
    """Makes the file readable by its owner only, before a secret is in it; SQLite's other files follow."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for name in (path, f"{path}-wal", f"{path}-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(name, 0o600)


class Store:
    """`device`, `product` and `session` bodies are JSON; a device body of None says deleted."""

    def __init__(self, path):
        self.folder = Path(path).parent  # where larger things lie beside it
        try:
            owned(path)
            self.db = sqlite3.connect(path, isolation_level=None)
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")
            found = self.db.execute("PRAGMA user_version").fetchone()[0]
            if found > FORMAT:
                raise UserError(
                    f"{path} was written by a newer version (format {found}); use another run directory"
                )
            self.db.executescript(SCHEMA + f"PRAGMA user_version = {FORMAT};")
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"cannot use {path}: {error}; remove it or name another run directory") from None

    def close(self) -> None:
        self.db.close()

    def products(self) -> dict[str, dict[str, Any]]:
        return {pk: json.loads(body) for pk, body in self.db.execute("SELECT pk, body FROM product")}

    def save_product(self, pk: str, body: dict[str, Any]) -> None:
        self.db.execute("INSERT OR REPLACE INTO product VALUES (?, ?)", (pk, json.dumps(body)))

    def devices(self) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
        """Yields (pk, dn, body) of every device ever seen."""
        for pk, dn, body in self.db.execute("SELECT pk, dn, body FROM device"):
            yield pk, dn, json.loads(body)

    def save_devices(self, rows: Iterable[tuple[str, str, dict[str, Any] | None]]) -> None:
        """Writes (pk, dn, body) rows in one transaction."""
        with self.transaction():
            self.db.executemany(
                "INSERT OR REPLACE INTO device VALUES (?, ?, ?)",
                [(pk, dn, json.dumps(body)) for pk, dn, body in rows],
            )

    def save_device(self, pk: str, dn: str, body: dict[str, Any] | None) -> None:
        self.db.execute("INSERT OR REPLACE INTO device VALUES (?, ?, ?)", (pk, dn, json.dumps(body)))

    def identities(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (ID, body) of every ID2."""
        for id2, body in self.db.execute("SELECT id2, body FROM identity ORDER BY rowid"):
            yield id2, json.loads(body)

    def save_identity(self, id2: str, body: dict[str, Any]) -> None:
        self.db.execute(
            "INSERT INTO identity VALUES (?, ?) ON CONFLICT (id2) DO UPDATE SET body = excluded.body",
            (id2, json.dumps(body)),
        )

    def licences(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (ProductKey, body) of every ID2 product."""
        for pk, body in self.db.execute("SELECT pk, body FROM licence"):
            yield pk, json.loads(body)

    def save_licence(self, pk: str, body: dict[str, Any]) -> None:
        self.db.execute("INSERT OR REPLACE INTO licence VALUES (?, ?)", (pk, json.dumps(body)))

    def authorities(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (name, body) of each registered CA, first registered first."""
        for name, body in self.db.execute("SELECT name, body FROM authority ORDER BY rowid"):
            yield name, json.loads(body)

    def save_authority(self, name: str, body: dict[str, Any]) -> None:
        self.db.execute(
            "INSERT INTO authority VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            (name, json.dumps(body)),
        )

    def drop_authority(self, name: str) -> None:
        """Forgets a CA and what is bound under it."""
        with self.transaction():
            self.db.execute("DELETE FROM authority WHERE name = ?", (name,))
            self.db.execute("DELETE FROM binding WHERE authority = ?", (name,))

    def bindings(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yields (name of the CA, serial, body)."""
        for name, serial, body in self.db.execute("SELECT authority, serial, body FROM binding"):
            yield name, serial, json.loads(body)

    def save_bindings(self, rows: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Writes (name of the CA, serial, body) rows in one transaction."""
        with self.transaction():
            self.db.executemany(
                "INSERT OR REPLACE INTO binding VALUES (?, ?, ?)",
                [(name, serial, json.dumps(body)) for name, serial, body in rows],
            )

    def drop_bindings(self, keys: Iterable[tuple[str, str]]) -> None:
        with self.transaction():
            self.db.executemany("DELETE FROM binding WHERE authority = ? AND serial = ?", keys)

    def setting(self, name: str) -> Any:
        """One value of the instance, or None."""
        found = self.db.execute("SELECT body FROM setting WHERE name = ?", (name,)).fetchone()
        return found and json.loads(found[0])

    def save_setting(self, name: str, value: object) -> None:
        self.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def state(self, pk: str, dn: str, kind: str) -> Any:
        """The JSON stored under `kind` for a device, or for a product (`dn` ""); None if there is none."""
        found = self.db.execute(
            "SELECT body FROM state WHERE pk = ? AND dn = ? AND kind = ?", (pk, dn, kind)
        ).fetchone()
        return found and json.loads(found[0])

    def save_state(self, pk: str, dn: str, kind: str, body: object) -> None:
        """Keeps `body`, JSON, under `kind`; None forgets it."""
        if body is None:
            self.db.execute("DELETE FROM state WHERE pk = ? AND dn = ? AND kind = ?", (pk, dn, kind))
        else:
            self.db.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", (pk, dn, kind, json.dumps(body))
            )

    def states(self, prefix: str) -> Iterator[tuple[str, str, Any]]:
        """Yields (pk, dn, body) of all that is kept under a kind that begins with `prefix`."""
        rows = self.db.execute(
            "SELECT pk, dn, body FROM state WHERE substr(kind, 1, ?) = ?", (len(prefix), prefix)
        )
        for pk, dn, body in rows:
            yield pk, dn, json.loads(body)

    def forget_states(self, pk: str, dn: str) -> None:
        """The device was deleted."""
        with self.transaction():
            self.db.execute("DELETE FROM state WHERE pk = ? AND dn = ?", (pk, dn))
            self.db.execute("DELETE FROM point WHERE pk = ? AND dn = ?", (pk, dn))

    def add_points(
        self, pk: str, dn: str, kind: str, points: Iterable[tuple[str, int, object]], oldest: int
    ) -> None:
        """Adds (name, Unix ms, body) to the history of a device; what is older than `oldest` goes."""
        rows = [(pk, dn, kind, name, time, json.dumps(body)) for name, time, body in points]
        with self.transaction():
            self.db.executemany(
                "INSERT INTO point (pk, dn, kind, name, time, body) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            self.db.executemany(
                "DELETE FROM point WHERE pk = ? AND dn = ? AND kind = ? AND name = ? AND time < ?",
                {(pk, dn, kind, name, oldest) for _, _, _, name, _, _ in rows},
            )

    def points(
        self,
        key: tuple[str, str, str],
        name: str | None,
        start: int,
        end: int,
        limit: int,
        backward: bool = False,
    ) -> list[tuple[str, int, Any]]:
        """The first `limit` (name, time, body) from `start` to `end` (ms, included) of `key` = (pk, dn, kind).

        They come by their time, and those of one time as they were added, or all `backward`; `name` None
        stands for every one.
        """
        which = "pk = ? AND dn = ? AND kind = ? AND time BETWEEN ? AND ?" + (" AND name = ?" if name else "")
        order = "time DESC, id DESC" if backward else "time, id"
        found = self.db.execute(
            f"SELECT name, time, body FROM point WHERE {which} ORDER BY {order} LIMIT ?",
            (*key, start, end, *([name] if name else []), limit),
        )
        return [(one, time, json.loads(body)) for one, time, body in found]

    def add_server_message(self, time: int, topic: str, body: dict[str, Any], kept: int) -> int:
        """Keeps one message to the business server, and `kept` of them; returns its number."""
        number = self.db.execute(
            "INSERT INTO server_message (time, topic, body) VALUES (?, ?, ?)", (time, topic, json.dumps(body))
        ).lastrowid
        self.db.execute("DELETE FROM server_message WHERE id <= ?", (number - kept,))
        return number

    def newest_server_message(self) -> int:
        """The number of the last message to the business server, 0 before the first."""
        return self.db.execute("SELECT max(id) FROM server_message").fetchone()[0] or 0

    def server_messages(
        self, after: int, topic: str | None, limit: int
    ) -> list[tuple[int, int, str, dict[str, Any]]]:
        """The first `limit` (number, Unix ms, topic, body) above the number `after`, of one topic or of all."""
        found = self.db.execute(
            f"SELECT id, time, topic, body FROM server_message WHERE id > ?{' AND topic = ?' if topic else ''} "
            "ORDER BY id LIMIT ?",
            (after, *([topic] if topic else []), limit),
        )
        return [(number, time, name, json.loads(body)) for number, time, name, body in found]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is written together; one inside another is part of it."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN")
        with self.db:
            yield

    def sessions(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Yields (pk, dn, unit, body)."""
        for pk, dn, unit, body in self.db.execute("SELECT pk, dn, unit, body FROM session"):
            yield pk, dn, unit, json.loads(body)

    def save_session(self, key: tuple[str, str, str], body: dict[str, Any]) -> None:
        self.db.execute("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", (*key, json.dumps(body)))

    def drop_session(self, key: tuple[str, str, str]) -> None:
        """Forgets the session `key` = (pk, dn, unit) and its messages."""
        with self.transaction():
            self.db.execute("DELETE FROM session WHERE pk = ? AND dn = ? AND unit = ?", key)
            self.db.execute("DELETE FROM message WHERE pk = ? AND dn = ? AND unit = ?", key)

    def messages(self) -> Iterator[tuple[int, tuple[str, str, str], str, bytes, float]]:
        """Yields (id, (pk, dn, unit), topic, payload, time) in the order they were kept."""
        for row in self.db.execute("SELECT id, pk, dn, unit, topic, payload, time FROM message ORDER BY id"):
            yield row[0], row[1:4], row[4], bytes(row[5]), row[6]

    def keep_message(self, key: tuple[str, str, str], topic: str, payload: bytes, time: float) -> int:
        """Stores one QoS 1 message for the session `key`; returns its id."""
        return self.db.execute(
            "INSERT INTO message (pk, dn, unit, topic, payload, time) VALUES (?, ?, ?, ?, ?, ?)",
            (*key, topic, payload, time),
        ).lastrowid

    def drop_message(self, message_id: int) -> None:
        self.db.execute("DELETE FROM message WHERE id = ?", (message_id,))
