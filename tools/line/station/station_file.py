"""The station file: this station's name, the pinned job key, its bays. It belongs to root, not to the
operator.

    /etc/aliot/station.toml
        name = "hall-2"
        job_key = '''-----BEGIN PUBLIC KEY----- ... '''
        ledger = "postgresql+psycopg://line@ledger.example/line"       # the password from ~/.pgpass
        key_file = "/etc/aliot/ledger.key"
        bays = [ {name = "1", usb = "1-1.4.2"}, {name = "2", port = "rfc2217://10.0.0.7:4000"} ]

Where this file is, nothing else decides: what it leaves out is not taken from
the command line or the environment either. It is root's, and a file that cannot
be read is no reason to go on without it. Without it the machine is a desk: any
file may be named, jobs need not be signed.
"""

import os
import socket
import stat
import tomllib
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tools.errors import UserError
from tools.line import job_signature

PLACE = "/etc/aliot/station.toml"
ROOT = 0  # whose file it is
FORM = {"name": str, "job_key": str, "ledger": str, "key_file": str, "bays": list}


@dataclass(frozen=True)
class Bay:
    """One place for a board: bound to a USB location (`usb`), or a port given by name or URL."""

    name: str
    usb: str | None = None
    port: str | None = None


@dataclass(frozen=True)
class Station:
    name: str
    job_key: Ed25519PublicKey | None = None  # None: a desk, where nothing is pinned
    ledger: str | None = field(default=None, repr=False)
    key_file: str | None = None
    bays: tuple[Bay, ...] = ()
    path: str | None = None  # None: there is no file
    own: bool = False  # the file is at its place on this machine

    @property
    def desk(self) -> bool:
        return self.job_key is None

    @property
    def fixed(self) -> bool:
        """Whether the file alone decides about ledger, key and bays."""
        return self.own or not self.desk


def find(named: str | None = None, place: str = PLACE) -> Station:
    """The Station of this machine: from `place` if it is there, else from the file `named`, else a bare
    desk.
    """
    if _is_there(place):
        if named and os.path.realpath(named) != os.path.realpath(place):
            raise UserError(f"this machine is a station ({place}); another station file cannot be named")
        _out_of_reach(place)
        return replace(read(place), own=True)
    return read(named) if named else Station(socket.gethostname().split(".")[0][:64] or "desk")


def _is_there(place):
    """Whether a station file is there, be it a link to nothing. UserError when that cannot be seen."""
    try:
        os.lstat(place)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(
            f"station file {place} cannot be read: {error.strerror}; "
            f"chmod 755 {os.path.dirname(place)} and chmod 644 {place}"
        ) from None
    return True


def _out_of_reach(path):
    """UserError when anyone but root could change the file, or the folder that it is in."""
    real = os.path.realpath(path)
    for place in dict.fromkeys((path, os.path.dirname(path), real, os.path.dirname(real))):
        try:
            found = os.stat(place)
        except OSError as error:
            raise UserError(f"station file {place} cannot be read: {error.strerror}") from None
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != ROOT or mode & stat.S_IWOTH or (mode & stat.S_IWGRP and found.st_gid != 0):
            raise UserError(
                f"{place} can be changed by others than root, so its job key proves nothing: "
                f"chown root:root {place} and chmod {'644' if place in (path, real) else '755'} {place}"
            )


def read(path: str) -> Station:
    """The Station in a file, wherever it is."""
    try:
        with open(path, "rb") as file:
            table = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"station file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"station file {path}: {error}") from None
    for name, value in table.items():
        if name not in FORM or not isinstance(value, FORM[name]):
            raise UserError(
                f"station file {path}: {name} is no setting, or has the wrong kind of value; "
                f"there are {', '.join(FORM)}"
            )
    if not table.get("name"):
        raise UserError(f"station file {path}: name is missing")
    key = (
        job_signature.public_key(table["job_key"], f"station file {path}: job_key")
        if "job_key" in table
        else None
    )
    return Station(
        table["name"][:64],
        key,
        table.get("ledger"),
        table.get("key_file"),
        tuple(_bay(entry, path) for entry in table.get("bays", [])),
        path,
    )


def _bay(entry, path):
    if (
        not isinstance(entry, dict)
        or not entry.get("name")
        or set(entry) - {"name", "usb", "port"}
        or ("usb" in entry) == ("port" in entry)
        or not all(isinstance(v, str) for v in entry.values())
    ):
        raise UserError(
            f"station file {path}: a bay is {{name = ..., usb = LOCATION}} or {{name = ..., port = URL}}"
        )
    return Bay(**entry)
