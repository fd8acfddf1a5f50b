"""Checks what could stop a station, before it does: each finding is green or red, with one line of
advice.
"""

import datetime
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from tools.errors import UserError
from tools.line import identities
from tools.line.job import Job
from tools.line.ledger import connection
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import stamp, utc_now
from tools.line.ledger.seal import Key
from tools.line.ledger.transitions import VOID
from tools.line.station import bays
from tools.line.station.station_file import Bay, Station

EARLIEST = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)  # a clock before this was never set
SKEW = 30.0  # seconds between this machine and the ledger's database
ROOM = 100 << 20  # bytes that must be free where the ledger and the journal are

# USB vendor and product -> the bridge's name and its Linux driver
BRIDGES: dict[tuple[int | None, int | None], tuple[str, str]] = {
    (0x10C4, 0xEA60): ("CP210x", "cp210x"),
    (0x1A86, 0x7523): ("CH340", "ch341"),
    (0x1A86, 0x55D4): ("CH9102", "cdc_acm"),
    (0x1A86, 0x55D3): ("CH343", "cdc_acm"),
    (0x0403, 0x6001): ("FT232R", "ftdi_sio"),
    (0x0403, 0x6010): ("FT2232", "ftdi_sio"),
    (0x0403, 0x6015): ("FT-X", "ftdi_sio"),
    (0x303A, 0x1001): ("ESP32 built-in USB", "cdc_acm"),
}


@dataclass(frozen=True)
class Finding:
    """`good`: True green, False red, None a remark. `advice` is one line, empty when green."""

    what: str
    good: bool | None
    found: str
    advice: str = ""


def ports(
    found: Sequence[bays.Port], places: Sequence[Bay], access: Callable[[str, int], bool] = os.access
) -> Iterator[Finding]:
    """Findings on serial ports. `found`: pyserial's list, `places`: the station's bays or ()."""
    usb = [port for port in found if port.vid is not None]
    for port in usb:
        name, driver = BRIDGES.get((port.vid, port.pid), (f"{port.vid:04x}:{port.pid:04x}", ""))
        place = bays.location(port) or "no USB location"
        if not access(port.device, os.R_OK | os.W_OK):
            yield Finding(
                "port",
                False,
                f"{port.device} ({name}, {place}) cannot be opened",
                "sudo usermod -aG dialout $USER, then log in again",
            )
        else:
            yield Finding(
                "port",
                True,
                f"{port.device}: {name} at {place}" + ("" if driver else "; no bridge that is known here"),
            )
    if not usb and not any(bay.port and "://" in bay.port for bay in places):
        yield Finding(
            "port", None, "no USB serial port", "plug a board in; dmesg shows whether its driver takes it"
        )
    for bay in places:
        if bays.locate(bay, found) is None:
            yield Finding(
                f"bay {bay.name}", None, f"nothing at {bay.usb or bay.port}", "empty, or its cable is loose"
            )


def modes(at: Station, path: str | None = None) -> Iterator[Finding]:
    """Findings on who can read what a station works with: the ledger's key, and the job in `path`."""
    for what, place, right in (("key", at.key_file, "640"), ("job", path, "644")):
        if not place:
            continue
        try:
            found = os.stat(place)
        except OSError as error:
            yield Finding(
                what,
                False,
                f"{place} cannot be read: {error.strerror}",
                f"is it there? {_cure(place, right)}",
            )
            continue
        if not os.access(place, os.R_OK):
            yield Finding(what, False, f"{place} cannot be read by this account", _cure(place, right))
        elif found.st_uid == 0 and not found.st_mode & 0o044:
            yield Finding(
                what, None, f"root alone can read {place}: an operator's account cannot", _cure(place, right)
            )


def _cure(place, mode):
    group = f"chgrp GROUP {place} (the operators' group) and " if mode == "640" else ""
    return f"{group}chmod {mode} {place}"


def clock(now: datetime.datetime, database_now: datetime.datetime | None = None) -> Iterator[Finding]:
    """Findings on this machine's clock, against a floor and against the database's."""
    if now < EARLIEST:
        yield Finding("clock", False, f"it is {now:%Y-%m-%d} here", "set the clock: timedatectl set-ntp true")
        return
    if database_now is not None and abs((now - database_now).total_seconds()) > SKEW:
        yield Finding(
            "clock",
            False,
            f"{abs((now - database_now).total_seconds()):.0f} s apart from the ledger's",
            "set both clocks: the report orders boards by time",
        )
        return
    yield Finding("clock", True, f"{now:%Y-%m-%d %H:%M} UTC")


def ledger(
    url: sa.URL, key: Key | None, wanted: Job | None = None, now: datetime.datetime | None = None
) -> Iterator[Finding]:
    """Findings on the ledger: opens, key, free identities, clock; `wanted`: the job, or None."""
    try:
        with Ledger.open(url, key, connection.Patience(limit=3.0)) as opened:
            facts = opened.facts()
            yield Finding("ledger", True, f"{connection.shown(url)}, made {facts['made'][:10]}")
            yield from _seal(facts, key, opened)
            yield from _stock(opened, wanted)
            yield from certificates(opened, wanted, now)
            yield from clock(now or datetime.datetime.now(datetime.timezone.utc), _database_now(opened))
    except UserError as error:
        yield Finding("ledger", False, str(error), "ledger URL, key and network are what to look at")


def _seal(facts, key, opened):
    if facts["cipher"] == "plain":
        yield Finding(
            "seal", None, "secrets are PLAIN in this ledger", "'line rekey --new-key-file FILE' seals them"
        )
    elif key is None:
        yield Finding(
            "seal",
            False,
            f"sealed with key {facts['key_id']}, none is here",
            "--key-file, or key_file in the station file",
        )
    else:
        try:
            yield Finding("seal", True, f"{opened.check_secrets()} secrets open with key {key.id.hex()}")
        except UserError as error:
            yield Finding("seal", False, str(error), "'line restore-ledger' brings a backup back")


def _stock(opened, wanted):
    counts = opened.counts(wanted.product_key if wanted else None)
    rules = {product.product_key: product.name_rule for product in opened.products()}
    if wanted and wanted.product_key not in counts:
        yield Finding(
            "identities",
            False,
            f"the ledger has no product {wanted.product_key}",
            "'line intake' takes it in",
        )
    for product, row in counts.items():
        if row["free"] or rules.get(product) in ("mac", "MAC", "mac:", "MAC:"):
            yield Finding(
                "identities",
                True,
                f"{product}: {row['free']} free, {row['done']} done, {row['failed']} failed",
            )
        else:
            yield Finding("identities", False, f"{product}: none is free", "'line intake' takes more in")


SOON = 30  # days


def certificates(
    opened: Ledger, wanted: Job | None, now: datetime.datetime | None = None
) -> Iterator[Finding]:
    """Findings about the certificates of each X.509 product, and about the kind of the job's product."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    for product in opened.products():
        if wanted and product.product_key != wanted.product_key:
            continue
        if wanted:
            try:
                identities.check_job(wanted, product)
            except UserError as error:
                yield Finding("job", False, str(error), "change the job's endpoint, and sign it again")
        if product.kind != "x509":
            continue
        days = [row.expires for row in opened.list(product.product_key) if row.state != VOID and row.expires]
        ended = sum(day <= stamp(now) for day in days)
        soon = sum(day <= stamp(now + datetime.timedelta(SOON)) for day in days) - ended
        found = f"{product.product_key}: {ended} have ended, {soon} end within {SOON} days, of {len(days)}"
        advice = (
            "'ca issue --renew' makes new ones, 'line intake --renew' takes them in" if ended or soon else ""
        )
        yield Finding("certificates", False if ended else None if soon else True, found, advice)


def _database_now(opened):
    if opened.connection.is_sqlite:
        return None
    return opened.connection.read(lambda c: c.execute(sa.select(sa.func.clock_timestamp())).scalar())


def room(path: str, free: int | None = None) -> Iterator[Finding]:
    """Findings on the disk under a file's folder."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    left = shutil.disk_usage(folder).free if free is None else free
    if left < ROOM:
        yield Finding("disk", False, f"{left >> 20} MB free at {folder}", "make room before the line stops")
    else:
        yield Finding("disk", True, f"{left >> 20} MB free at {folder}")


def firmware(wanted: Job) -> Iterator[Finding]:
    """Findings on the job's files: they were hashed when it was loaded, so they are there and the same."""
    if wanted.firmware:
        yield Finding(
            "firmware",
            True,
            f"{os.path.basename(wanted.firmware)}, sha256 {(wanted.firmware_hash or '')[:16]}",
        )
    else:
        yield Finding("firmware", None, "the job names none: boards keep what they have", "")
    for name, digest in sorted(wanted.pinned.items()):
        if name.startswith("root "):
            yield Finding(
                "root", None, f"boards will trust {name[5:]} ({digest[:16]})", "only for a private platform"
            )
    if wanted.signer is None:
        yield Finding(
            "job",
            None,
            f"{wanted.name} is not signed",
            "'line job sign', and a station file that pins the key",
        )
    elif not wanted.checked:
        yield Finding(
            "job", None, f"{wanted.name}, signed with {wanted.signature}", "a station file pins one"
        )
    else:
        yield Finding("job", True, f"{wanted.name}, signed by {wanted.signer}")
    if wanted.not_after is not None:
        over = wanted.not_after < utc_now()
        yield Finding(
            "job",
            not over,
            f"{wanted.name} {'was' if over else 'is'} good until {wanted.not_after:%Y-%m-%d %H:%M} UTC",
            "sign one with a later not_after" if over else "",
        )
