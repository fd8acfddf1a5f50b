"""The job file: what the line makes, fixed by the engineer, so that the station's operator can change none of it.

This module reads and checks the TOML of a job. `tools.line.job_contents` reads the files that it names,
`tools.line.job_signature` signs it and checks the signature in its last line.
"""

import datetime
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from tools import toml_table
from tools.errors import UserError
from tools.image import identity
from tools.line.ledger import connection

SELF_TESTS = ("boot", "connected")
FORM: dict[str, toml_table.Kind] = {
    "name": str,
    "product_key": str,
    "board": str,
    "number": int,
    "not_after": toml_table.DATE,
    "firmware": str,
    "files": str,
    "config": str,
    "roots": list,
    "ota_keys": list,
    "platform_key": str,
    "ledger": str,
    "replace": bool,
    "endpoint": dict,
    "self_test": dict,
    "label": dict,
    "pinned": dict,
}
NEEDED = ("name", "product_key", "board")
ENDPOINT = {
    "region": str,
    "instance": str,
    "host": str,
    "port": int,
    "register_host": str,
    "sign_method": str,
    "method": str,
    "auth": str,
    "bootstrap": str,
}
SELF_TEST: dict[str, toml_table.Kind] = {"until": str, "seconds": toml_table.NUMBER, "wifi": bool}
LABEL = {"format": str, "qr": str, "text": list}


@dataclass(frozen=True)
class Job:
    """One job. Paths are absolute; `firmware` and `files` may be None (identity only)."""

    name: str
    product_key: str
    board: str
    firmware: str | None = None
    files: str | None = None
    config: str | None = None  # goes onto the board as /config.json
    roots: tuple[str, ...] = ()
    ota_keys: tuple[str, ...] = ()  # public keys: boards take their packages as updates
    platform_key: str | None = None  # of the product's secure upgrade
    ledger: str | None = field(default=None, repr=False)
    endpoint: dict[str, Any] = field(default_factory=dict)
    until: str = "boot"
    seconds: float = 60.0
    wifi: bool = False
    replace: bool = False  # overwrite an identity that is not the board's own
    label: dict[str, Any] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)
    # {name in `pinned`: bytes}, read once, see `job_contents.contents`
    held: dict[str, bytes] | None = field(default=None, repr=False)
    # {path on the board: bytes}, see `job_contents.with_tree`
    tree: dict[str, bytes] = field(default_factory=dict, repr=False)
    # {path: source}, see `tools.flash.file_list.Wanted`
    sources: dict[str, str] = field(default_factory=dict, repr=False)
    signer: str | None = None  # the key's fingerprint, as the file says it; None: unsigned
    checked: bool = False  # the signature was checked with a key that is believed here
    number: int | None = None  # a station runs none with a lower number than the last of that name
    not_after: datetime.datetime | None = None  # no board begins after it

    @property
    def firmware_hash(self) -> str | None:
        """SHA-256 of the firmware's bytes that go onto boards, measured, or None when the job brings none."""
        return _sha256(self.held["firmware"]) if self.held and "firmware" in self.held else None

    @property
    def signature(self) -> str:
        """Who signed the job, for a person."""
        if self.signer is None:
            return "nobody"
        return self.signer if self.checked else f"key {self.signer}, not checked: no key is pinned here"

    def check_time(self, now: datetime.datetime) -> None:
        """UserError when the job's last moment is over."""
        if self.not_after is not None and now > self.not_after:
            raise UserError(
                f"job {self.name} is over since {self.not_after:%Y-%m-%d %H:%M} UTC: ask the engineer for a newer one"
            )

    @property
    def image_hash(self) -> str | None:
        """One SHA-256 over every file that the job brings onto the board, or None when it brings none."""
        parts = {path: _sha256(data) for path, data in self.tree.items()}
        return _sha256(json.dumps(parts, sort_keys=True).encode()) if parts else None


def read(path: str) -> bytes:
    """A file of a job. UserError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def parse(body: bytes, path: str) -> toml_table.Table:
    """The table of a job's text. UserError when it is no TOML, or no job."""
    return toml_table.parse(body, path, FORM, NEEDED)


def checked(top: toml_table.Table, path: str, signer: str | None = None) -> Job:
    """The checked Job of a parsed file."""
    endpoint, test = top.table("endpoint", ENDPOINT), top.table("self_test", SELF_TEST)
    until = test.choice("until", SELF_TESTS, "boot")
    seconds = test.get("seconds", toml_table.NUMBER, 60)
    if not 0 < seconds <= 3600:
        raise test.error("seconds", "must be above 0 and at most 3600")
    roots, ota_keys = top.strings("roots"), top.strings("ota_keys")
    table = top.values
    for name in ("config", "ota_keys", "platform_key"):
        if name in table and not ("firmware" in table or "files" in table):
            raise top.error(name, "goes onto a board with firmware or files; name one of them")
    _check_endpoint(table["product_key"], endpoint)
    folder = os.path.dirname(os.path.abspath(path))

    def place(name):
        return os.path.normpath(os.path.join(folder, name)) if name else None

    return Job(
        name=table["name"],
        product_key=table["product_key"],
        board=table["board"],
        firmware=place(table.get("firmware")),
        files=place(table.get("files")),
        config=place(table.get("config")),
        roots=tuple(map(place, roots)),
        ota_keys=tuple(map(place, ota_keys)),
        platform_key=place(table.get("platform_key")),
        ledger=table.get("ledger"),
        endpoint=endpoint.values,
        until=until,
        seconds=float(seconds),
        wifi=test.get("wifi", bool, False),
        replace=table.get("replace", False),
        label=top.table("label", LABEL).values,
        pinned=table.get("pinned", {}),
        signer=signer,
        number=table.get("number"),
        not_after=_last_moment(table.get("not_after")),
    )


def _last_moment(day):
    """The moment after which a job is over: the end of a day, or the time itself; UTC where it says no zone."""
    if day is None:
        return None
    if not isinstance(day, datetime.datetime):
        day = datetime.datetime.combine(day, datetime.time(23, 59, 59))
    return day.astimezone(datetime.UTC) if day.tzinfo else day.replace(tzinfo=datetime.UTC)


def _check_endpoint(product_key, endpoint):
    """The endpoint's fields by the rules of an identity; the secret here is none."""
    probe = {
        "product_key": product_key,
        "product_secret": "x" * 16,
        "name_rule": "mac",
        **endpoint.values,
    }
    try:
        identity.parse(probe)
    except UserError as error:
        raise UserError(f"{endpoint.source.name}: {error}") from None


def mode(job: Job) -> int:
    """The mode of a signed job's file: every operator reads it, unless its ledger's URL holds a password."""
    url = connection.parse_url(job.ledger) if job.ledger else None
    return 0o640 if url is not None and (url.password or "password" in url.query) else 0o644


def shown(job: Job) -> dict[str, object]:
    """What `line job show` prints, as a dict; a ledger URL without its password."""
    table = {
        "job": job.name,
        "signed by": job.signature,
        "number": job.number,
        "not after": job.not_after and f"{job.not_after:%Y-%m-%d %H:%M} UTC",
        "product": job.product_key,
        "board": job.board,
        "firmware": _named(job.firmware, job.firmware_hash),
        "files": job.files,
        "config": _named(job.config, job.pinned.get("config")),
        "extra roots": _pinned(job, "root "),
        "keys for updates": _pinned(job, "key "),
        "platform's key": _named(job.platform_key, job.pinned.get("platform key")),
        "endpoint": job.endpoint,
        "self-test": f"until {job.until}, {job.seconds:g} s",
        "line Wi-Fi": "handed over in RAM" if job.wifi else "none",
        "label": job.label or None,
        "ledger": connection.shown(connection.parse_url(job.ledger)) if job.ledger else None,
    }
    return {name: value for name, value in table.items() if value not in (None, [], {})}


def _pinned(job, kind):
    """The files of a kind that a signed job pins, each with the first digits of its digest."""
    found = (
        (name.removeprefix(kind), digest)
        for name, digest in sorted(job.pinned.items())
        if name.startswith(kind)
    )
    return [f"{name} {digest[:16]}" for name, digest in found]


def _named(path, digest):
    return f"{os.path.basename(path)} {digest}" if path else None


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
