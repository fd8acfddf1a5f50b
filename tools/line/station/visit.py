"""One board's visit to a station, from the first look to green or red.

The ledger is written before and after every write to the board. So a station that dies at any point finds the board
again by its MAC and goes on: it never burns a second identity into it, and no identity is lost.
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tools.errors import UserError
from tools.image import owner
from tools.line import device_names, identities
from tools.line.identities import Burnable
from tools.line.job import Job
from tools.line.ledger import transitions
from tools.line.ledger.entries import Identity, Who
from tools.line.ledger.ledger import Ledger
from tools.line.station.wire import Chip, Held, Rejected, Tested, Wifi, Wire

MEDIA = ("nvs", "littlefs")  # as the boot line names them
LONGEST = 1000  # characters of a reason
OnEvent = Callable[..., None]  # (step, **facts)
CLOSED = "the chip is closed by eFuses (flash encryption or secure boot): plain data would ruin it"


@dataclass(frozen=True)
class Result:
    """`outcome`: done (burned now), already (was done before) or failed; `why` is one line."""

    outcome: str
    mac: str | None = None
    device_name: str | None = None
    why: str | None = None


def visit(
    wire: Wire,
    ledger: Ledger,
    job: Job,
    who: Who,
    on_event: OnEvent,
    *,
    wifi: Wifi | None = None,
    chip_name: str | None = None,
    flash_needed: int = 0,
) -> Result:
    """Bring one board through. `on_event(step, **facts)` hears of each step; returns Result.

    `chip_name` and `flash_needed` (bytes): what the job's board has. Raises
    Pulled when the board goes away, UserError when the ledger does.
    """
    chip = None
    try:
        on_event("identify")
        chip = wire.identify()
        on_event("identified", mac=chip.mac, chip=chip.name)
        fit(chip, chip_name, flash_needed)
        held = wire.held()
        if (sealed := owner.sealed(held.burned or {})) and not job.replace:
            raise Rejected(f"{sealed}, and this job would write one into its flash: replace = true does so")
        product = ledger.product(job.product_key, with_secret=True)
        try:
            on_board = identities.holds(held.burned, chip.mac, ledger)
            row = ledger.reserve(chip.mac, job.product_key, who, on_board, job.replace)
        except UserError as error:
            raise Rejected(str(error)) from None
    except Rejected as error:
        why = _line(error)
        ledger.note_failure(chip.mac if chip else None, who, why)
        on_event("failed", why=why)
        return Result("failed", chip.mac if chip else None, None, why)
    return _bring_through(_Visit(wire, ledger, job, who, on_event, wifi), chip, held, product, row)


@dataclass(frozen=True)
class _Visit:
    """The parties to a visit; see `visit`."""

    wire: Wire
    ledger: Ledger
    job: Job
    who: Who
    on_event: OnEvent
    wifi: Wifi | None = field(repr=False)

    def progress(self, step: str, part: float) -> None:
        self.on_event(step, part=part)


def _bring_through(at, chip, held, product, row):
    on_event, ledger, job, who = at.on_event, at.ledger, at.job, at.who
    on_event("reserved", device_name=row.device_name, state=row.state)
    if held.update:
        stays = (
            "goes on to run" if job.firmware is None and not job.tree else "the job's files run from now on"
        )
        why = device_names.printable(f"an update over the air: {held.update}; {stays}")
        row = ledger.note(row, "update", who, why)
        on_event("update", why=why)
    try:
        wanted = _wanted(job, product, row)
        changed = at.wire.flash(job, at.progress)
        on_event("flashed", **changed)
        if row.state == transitions.DONE and same(held, wanted) and not changed["written"]:
            on_event("already")
            return Result("already", chip.mac, row.device_name)
        row = _burn(at, held, wanted, row)
        _prove(at, chip, wanted, row)
        ledger.move(row, "finish", who, firmware=job.firmware_hash, image=job.image_hash)
    except Rejected as error:
        with contextlib.suppress(UserError):  # taken up elsewhere meanwhile: that visit's word counts
            ledger.move(ledger_row(ledger, row), "fail", who, note=_line(error))
        on_event("failed", why=_line(error))
        return Result("failed", chip.mac, row.device_name, _line(error))
    on_event("done")
    return Result("done", chip.mac, row.device_name)


def _burn(at, held, wanted, row):
    """Up to `verified`: burn what the board does not hold yet, take for written what it holds already."""
    wire, ledger, job, who, on_event = at.wire, at.ledger, at.job, at.who, at.on_event
    issued = ledger.issued(row)
    if not same(held, wanted) or lacks_issued(held, issued):
        if row.state != transitions.RESERVED:
            row = ledger.move(row, "rework", who)
        row = ledger.begin_write(row, who)
        on_event("burn", part=0.0)
        wire.burn(wanted, issued, job.replace, at.progress)
    elif row.state == transitions.DONE:
        row = ledger.move(row, "rework", who, note="new firmware or files")
    if row.state == transitions.RESERVED:
        row = ledger.begin_write(row, who) if not row.touched else row
        row = ledger.move(row, "write", who, firmware=job.firmware_hash, image=job.image_hash)
        on_event("written")
    if row.state == transitions.WRITTEN:
        if not same(wire.held(), wanted):
            raise Rejected("the identity read back from the board is not the one that was written")
        row = ledger.move(row, "verify", who)
    on_event("verified")
    return row


def _wanted(job, product, row):
    try:
        return identities.wanted(job, product, row)
    except UserError as error:
        raise Rejected(f"{row.device_name} cannot be burned: {error}") from None


def _prove(at, chip, wanted, row):
    """The self-test, and that nothing of the line stays on the board."""
    at.on_event("self-test")
    tested = at.wire.self_test(at.job, at.wifi, at.progress)
    problem = judge(tested, at.job, chip, wanted) or judge_name(tested, wanted, row)
    if problem is None:
        problem = at.wire.left_over(at.job, at.wifi)
    if problem:
        raise Rejected(problem)


def _line(error):
    """What is said against a board as one line that can be shown anywhere: it may be the board's own words."""
    return device_names.printable(str(error))[:LONGEST]


def ledger_row(ledger: Ledger, row: Identity) -> Identity:
    """The row as the ledger has it now, with this visit's number, so that a later visit is never failed by
    this one.
    """
    found = ledger.find(product_key=row.product_key, device_name=row.device_name)
    assert found is not None
    return replace(found, attempt=row.attempt)


# -- what is decided without any board -----------------------------------------------------------------


def fit(chip: Chip, chip_name: str | None, flash_needed: int) -> None:
    """Rejected when the job cannot go onto this chip."""
    if chip_name and chip.name != chip_name:
        raise Rejected(f"this is an {chip.name}, the job is for an {chip_name}")
    if chip.encrypted or chip.secure_boot:
        raise Rejected(CLOSED)
    if chip.flash_size < flash_needed:
        raise Rejected(f"its flash has {chip.flash_size >> 20} MB, the job needs {flash_needed >> 20} MB")


def same(held: Held, wanted: Burnable) -> bool:
    """Whether the board's burned record says just what is wanted, its generation apart, on every medium."""
    return held.whole and held.burned == wanted.fields()


def lacks_issued(held: Held, issued: Mapping[int, bytes] | None) -> bool:
    """Whether the ledger keeps an issued secret that the board does not hold."""
    return bool(issued) and held.issued is None


def judge(tested: Tested, job: Job, chip: Chip, wanted: Burnable) -> str | None:
    """What the self-test's state lines say against the board, or None."""
    if tested.ended:
        return tested.ended
    boot = tested.last("boot")
    if boot is None:
        last = f"; it said last: {tested.printed[-1]}" if tested.printed else ""
        return f"no state line within {job.seconds:g} s: the application does not start, or prints none{last}"
    if boot.get("mac", "").replace(":", "").lower() != chip.mac:
        return f"the board that answers ({boot.get('mac')}) is not the one that was burned"
    for name, value in (("product_key", wanted.product_key), ("way", wanted.kind)):
        if value is not None and boot.get(name, value) != value:
            return f"the board runs with {name} {boot.get(name)}, not {value}"
    if boot.get("way") is None:
        return "the board found no identity in its flash"
    sick = [f"{medium} {boot[medium]}" for medium in MEDIA if boot.get(medium, "ok") != "ok"]
    if sick:
        return f"a copy of the identity is not good after the first boot: {', '.join(sick)}"
    extra = sorted(set(_roots(boot)) - set(_known_roots(job)))
    if extra:
        return f"the board trusts a root that the job does not name: {', '.join(extra)}"
    if job.until == "connected" and tested.last("connected") is None:
        end = tested.lines[-1]
        why = f" ({end['reason']})" if end.get("reason") else ""
        return f"not connected within {job.seconds:g} s; last state: {end.get('aliot')}{why}"
    return None


def judge_name(tested: Tested, wanted: Burnable, row: Identity) -> str | None:
    """What the platform's name for a certificate says against the ledger's, or None."""
    if wanted.kind != "x509":
        return None
    for line in tested.lines:
        known = line.get("product_key", ""), line.get("device_name", "")
        if all(known) and known != (row.product_key, row.device_name):
            return (
                f"the platform knows this certificate as {'/'.join(known)}, the ledger as "
                f"{row.product_key}/{row.device_name}: check the association file"
            )
    return None


def _roots(boot):
    """First 8 hex digits of the SHA-256 of each extra root that the board names as `file:digits`."""
    return [str(root).rpartition(":")[2] for root in boot.get("roots") or []]


def _known_roots(job):
    """First 8 hex digits of the extra roots that the job brings onto the board."""
    return [
        hashlib.sha256(data).hexdigest()[:8] for path, data in job.tree.items() if path.startswith("/roots/")
    ]
