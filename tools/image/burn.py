"""Burning one board's identity: onto NVS and the file system, without disturbing what else is there.

What to write is decided by `decide`, which is pure (`tools/image/decision.py`).
The board is anything with `read(offset, size)`, `erase(offset, size)` and
`write(offset, data)` in whole sectors of 4096 bytes: a flash file or a chip's
loader.

Wherever a burn is cut, one medium holds the old state or the new one whole, or
the journal on the host holds what is missing, and the next burn finishes it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.errors import UserError
from tools.image import flash_image as layouts
from tools.image import journal, littlefs, nvs
from tools.image import owner as owners
from tools.image.decision import NAMES, Copy, decide, good_copies, newest
from tools.image.flash_file import Flash
from tools.image.identity import Identity
from tools.image.owner import describe
from tools.partitions import Layout

SECTOR = 4096
_PATHS = {name: layouts.path_of(name) for name in NAMES}


@dataclass(frozen=True)
class Found:
    """What a board holds. `vfs` is "good", "blank", "unreadable" or "none"; `image` its `littlefs.Image`."""

    nvs: nvs.Partition
    nvs_data: bytes = field(repr=False)
    vfs: str
    image: littlefs.Image | None = field(repr=False)
    copies: tuple[Copy, ...]
    notes: tuple[str, ...]

    def data(self, medium: str, name: str) -> bytes | None:
        """The bytes of a good record on a medium, or None."""
        return next((c.data for c in self.copies if (c.medium, c.name) == (medium, name)), None)


@dataclass(frozen=True)
class Report:
    """What a burn did: `written` are bytes, 0 when there was nothing to do; `notes` are lines to show."""

    generation: int
    written: int
    kept_issued: bool
    notes: tuple[str, ...]


def look(flash: Flash, layout: Layout) -> Found:
    """What the board holds, as `Found`; only the parts of its file system that matter are read."""
    assert layout.nvs
    data = flash.read(layout.nvs.offset, layout.nvs.size)
    part = nvs.read(data)
    raw = {("nvs", name): part.find(layouts.NAMESPACE, name) for name in NAMES}
    state, image, notes = "none", None, []
    if layout.vfs:
        begin = layout.vfs.offset
        image = littlefs.Image(layout.vfs.size, lambda offset, size: flash.read(begin + offset, size))
        try:
            files = littlefs.read_files(image, _PATHS.values())
            raw.update({("littlefs", name): files.get(_PATHS[name]) for name in NAMES})
            state = "good"
        except littlefs.Blank:
            state = "blank"
            notes.append("the file system is blank: the board writes its copy there at its first boot")
        except littlefs.Unreadable:
            state = "unreadable"
            notes.append(
                "the file system cannot be read: the identity goes into NVS only, and the "
                "generation is ruled by NVS and the clock alone"
            )
    copies, damaged = good_copies(raw)
    return Found(part, data, state, image, copies, (*notes, *damaged))


def burn(
    flash: Flash,
    layout: Layout,
    fields: dict[int, bytes],
    mac: str,
    folder: Path | str | None = None,
    *,
    issued: dict[int, bytes] | None = None,
    replace: bool = False,
    now: float | None = None,
    report: Callable[[str, float], None] | None = None,
    slots: dict[str, dict[int, bytes]] | None = None,
) -> Report:
    """Burn `fields` (of `Identity.fields()`) into a board; returns a `Report`.

    mac: its MAC; folder: where journals are kept, by default `journal.home()`; issued, slots: fields of an
    issued record and of {slot: fields} to put back; report(step, part) hears of progress. UserError when it
    is refused, or when the flash reads back otherwise.
    """
    report = report or (lambda step, part: None)
    before, kept_in = journal.load(folder, mac), journal.path_of(folder, mac)
    report("read", 0.0)
    found = look(flash, layout)
    if before and before.sectors and found.vfs == "unreadable":
        _write(flash, [("littlefs", before.sectors)], report)
        found = look(flash, layout)
    unread = found.nvs.faults_beside(layouts.NAMESPACE, NAMES)
    if before is None and unread:
        raise UserError(
            f"NVS holds what cannot be read, and a burn would lose it: {unread[0]}; nothing was written"
        )
    copies = found.copies
    if before:
        copies += good_copies({("journal", name): data for name, data in before.records})[0]
        again = owners.same(before.fields, fields, mac)
        replace = replace or before.replace and again
        issued = issued or (before.issued if again else None)
        slots = slots or (before.slots if again else None)
    decision = decide(copies, fields, mac, issued=issued, replace=replace, now=now, slots=slots)
    others = _others(found.nvs.entries, before.entries if before else ())
    steps, undo = _steps(found, layout, decision, others)
    kept = any(c.name == layouts.ISSUED for c in copies) and decision.issued is not None
    written = sum(len(data) for _, writes in steps for _, data in writes if data)
    if steps:
        records = tuple(dict.fromkeys((c.name, c.data) for c in copies))
        journal.save(folder, mac, journal.Kept(fields, issued, replace, others, records, undo, slots or {}))
        _write(flash, steps, report)
        report("verify", 0.0)
        _compare(flash, layout, decision, others, found.vfs)
    if steps or before:
        journal.remove(folder, mac)
    finished = f"this also finished an interrupted burn of this board, out of {kept_in}"
    return Report(decision.generation, written, kept, (*found.notes, *([finished] if before else [])))


def finish(
    flash: Flash,
    layout: Layout,
    mac: str,
    folder: Path | str | None = None,
    report: Callable[[str, float], None] | None = None,
) -> Report | None:
    """Finish an interrupted burn of this MAC; its `Report`, or None when there is nothing to finish."""
    before = journal.load(folder, mac)
    if before is None:
        return None
    return burn(
        flash,
        layout,
        before.fields,
        mac,
        folder,
        issued=before.issued,
        replace=before.replace,
        report=report,
        slots=before.slots,
    )


def _others(entries, before):
    """The NVS entries that are not ours: those on the board, and those of the journal that it has lost."""
    merged = {(e.namespace, e.key, e.type): e for e in (*before, *entries)}
    return tuple(e for e in merged.values() if e.namespace != layouts.NAMESPACE or e.key not in NAMES)


def _steps(found, layout, decision, others):
    """([(medium, writes)], undo): a write is (offset, sector), or (offset, None) for an erase.

    The file system goes from the old state to the new one in a single sector, so
    it is first and holds the new state whole while NVS is written. Where it
    cannot, the medium that holds less is first, and `undo` has the file system's
    sectors as they are.
    """
    steps, undo = [], ()
    plan = None
    if found.vfs == "good":
        put = {_PATHS[name]: decision.record(name) for name in NAMES}
        remove = [path for path, data in put.items() if data is None]
        put = {path: data for path, data in put.items() if data is not None}
        plan = littlefs.plan(found.image, put, remove)
        if plan.writes:
            steps.append(("littlefs", [(layout.vfs.offset + at, data) for at, data in plan.writes]))
    wanted = {*others, *_ours(decision)}
    if set(found.nvs.entries) != wanted or found.nvs.faults:
        new = nvs.write([*others, *_ours(decision)], layout.nvs.size)
        steps.append(("nvs", _nvs_writes(found.nvs_data, new, layout.nvs.offset)))
    if plan and not plan.atomic:
        undo = tuple((layout.vfs.offset + at, found.image.block(at // SECTOR)) for at, _ in plan.writes)
        if _whole(found, "littlefs"):
            steps.reverse()
    return steps, undo


def _whole(found, medium):
    """Whether a medium has the newest good copy of each record that there is."""
    wanted = [copy for name in NAMES if (copy := newest(found.copies, name))]
    return all(found.data(medium, copy.name) == copy.data for copy in wanted)


def _ours(decision):
    return [
        nvs.Entry(layouts.NAMESPACE, name, "blob", decision.record(name))
        for name in NAMES
        if decision.record(name) is not None
    ]


def _nvs_writes(old, new, offset):
    """All pages that change are erased before one is written: old and new pages never stand side by side."""
    changed = [at for at in range(0, len(new), SECTOR) if old[at : at + SECTOR] != new[at : at + SECTOR]]
    blank = b"\xff" * SECTOR
    return [(offset + at, None) for at in changed if old[at : at + SECTOR] != blank] + [
        (offset + at, new[at : at + SECTOR]) for at in changed if new[at : at + SECTOR] != blank
    ]


def _write(flash, steps, report):
    total = sum(len(writes) for _, writes in steps)
    done = 0
    for medium, writes in steps:
        for offset, data in writes:
            report(f"write {medium}", done / total)
            if data is None:
                flash.erase(offset, SECTOR)
            else:
                flash.write(offset, data)
            done += 1


def _compare(flash, layout, decision, others, vfs):
    """UserError unless both media read back as decided; the journal is left in place then."""
    found = look(flash, layout)
    if found.nvs.faults or set(found.nvs.entries) != {*others, *_ours(decision)}:
        raise UserError("NVS reads back otherwise than it was written: the flash may be worn; burn again")
    for name in NAMES if vfs == "good" else ():
        if found.data("littlefs", name) != decision.record(name):
            raise UserError(
                f"{_PATHS[name]} reads back otherwise than it was written: the flash may be worn; burn again"
            )


def messages(report: Report, identity: Identity, mac: str, warning: str | None = None) -> Iterator[str]:
    """The lines that the verb prints."""
    who = describe(identity.fields(), mac)
    if report.written:
        yield (
            f"burned {who}, generation {report.generation}, {report.written} bytes written, "
            "read back and compared"
        )
    else:
        yield f"nothing to do: the board holds {who}, generation {report.generation}"
    if report.kept_issued:
        yield "its issued secret was kept"
    for note in (*report.notes, *([f"warning: {warning}"] if warning else [])):
        yield note
