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
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tools import toml_table
from tools.errors import UserError
from tools.line import job_signature

PLACE = "/etc/aliot/station.toml"
ROOT = 0  # whose file it is
FORM = {"name": str, "job_key": str, "ledger": str, "key_file": str, "bays": list}
BAY = {"name": str, "usb": str, "port": str}


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
            text = file.read()
    except OSError as error:
        raise UserError(f"station file {path} cannot be read: {error.strerror}") from None
    table = toml_table.parse(text, f"station file {path}", FORM, ("name",))
    if not table.get("name", str):
        raise table.error("name", "must not be empty")
    key = table.get("job_key", str)
    return Station(
        table.get("name", str)[:64],
        job_signature.public_key(key, f"station file {path}: job_key") if key is not None else None,
        table.get("ledger", str),
        table.get("key_file", str),
        tuple(map(_bay, table.tables("bays", BAY))),
        path,
    )


def _bay(table):
    if not table.get("name", str) or ("usb" in table.values) == ("port" in table.values):
        raise table.error("", "a bay is {name = ..., usb = LOCATION} or {name = ..., port = URL}")
    return Bay(**table.values)
