"""What was saved from a board, in files of mode 0600 that git ignores.

A backup (`*.identity`) holds the records of one board and is kept. A rescue holds all of NVS and the file system
while both are written anew. It is removed when they are back; until then the next flash of that MAC begins with it.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools import files, secrets
from tools.errors import UserError
from tools.firmware import record
from tools.image import decision, journal, owner
from tools.image.decision import Copy
from tools.image.flash_image import BURNED, ISSUED, NAMESPACE, NEXT, RENEWED, path_of
from tools.image.nvs import Entry

FOLDER = "backups"
# codes of a platform that has had this board before and gives nothing again
LOST = ("register.6289", "itls.174", "itls.175")
_FORMAT = 1


@dataclass(frozen=True)
class Backup:
    """The newest good records: fields {tag: bytes}; `issued` None when there was none, `slots` {name: fields}."""

    mac: str
    burned: dict[int, bytes] = field(repr=False)
    issued: dict[int, bytes] | None = field(repr=False)
    slots: dict[str, dict[int, bytes]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Rescue:
    """NVS entries and the tree of files."""

    entries: tuple[Entry, ...] = field(repr=False)
    tree: dict[str, bytes] = field(repr=False)

    def records(self, name: str) -> list[object]:
        """The bytes under the name of a record, of both media, None where there is none."""
        ours = [e.value for e in self.entries if (e.namespace, e.key) == (NAMESPACE, name)]
        return [*ours, self.tree.get(path_of(name))]

    def who(self, mac: str) -> str | None:
        """ProductKey/DeviceName of its newest burned record, or None."""
        burned = newest(self.records(BURNED), record.BURNED)
        return owner.describe(burned[1], mac) if burned else None


def save(
    mac: str, copies: Sequence[Copy], folder: Path | str = FOLDER, now: float | None = None
) -> Path | None:
    """Save the records of a board; the path, or None when there are none. UserError when that fails."""
    if not copies:
        return None
    files.sweep(folder)
    path = _unused(secrets.folder(folder), _stem(mac, now))
    secrets.write(
        path,
        json.dumps(
            {
                "format": _FORMAT,
                "mac": mac,
                "records": [[copy.medium, copy.name, copy.data.hex()] for copy in copies],
            }
        ),
    )
    return path


def _unused(folder, stem):
    """The path of a new backup: one that is there, of the same second or by a wrong clock, is never overwritten."""
    path, number = folder / f"{stem}.identity", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.identity"
    return path


def load(path: Path | str) -> Backup:
    """The `Backup` in a file; UserError for what is wrong with it."""
    mac, raw = _parse(path)
    copies, _ = decision.good_copies(raw)
    best = {name: copy for name in decision.NAMES if (copy := decision.newest(copies, name))}
    lost = sorted({name for _, name in raw} - set(best))
    if lost:
        raise UserError(f"{path} is damaged: its {lost[0]} record cannot be read, so nothing was restored")
    if BURNED not in best:
        raise UserError(f"{path} holds no burned record, so there is nothing to restore")
    burned = best.pop(BURNED)
    if {NEXT, RENEWED} <= set(best) and best[NEXT].generation <= best[RENEWED].generation:
        del best[NEXT]  # it was tried already
    own = {
        name: copy.fields
        for name, copy in best.items()
        if owner.belongs(copy.fields, burned.fields, mac, burned.generation)
    }
    return Backup(mac, burned.fields, own.pop(ISSUED, None), own)


def _parse(path):
    """(MAC, {(medium, name): bytes}) of a backup; UserError when the file is none."""
    try:
        found = json.loads(Path(path).read_bytes())
        if found["format"] != _FORMAT:
            raise UserError(f"{path} was written by another release of these tools")
        raw = {(medium, name): bytes.fromhex(text) for medium, name, text in found["records"]}
        if not re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){5}", found["mac"]):
            raise ValueError("no MAC")
        if {name for _, name in raw} - set(decision.NAMES):
            raise ValueError("a record that no board has")
        return found["mac"], raw
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path} is not a backup of an identity, or it is damaged") from None


def lying(mac: str, folder: Path | str = FOLDER, issued: bool = False) -> Path | None:
    """The path of the newest backup of a board in a folder, or None; `issued`: of one with an issued secret or key."""
    digits = (mac or "").replace(":", "").lower()
    for path in sorted(Path(folder).glob(f"{digits}-*.identity"), reverse=True) if digits else ():
        try:
            saved = load(path)
        except UserError:
            continue
        if not issued or saved.issued or any(map(owner.holds_secret, saved.slots.values())):
            return path
    return None


def advice(code: str, mac: str, port: str, folder: Path | str = FOLDER) -> str | None:
    """The command that restores a board's secret, for an error `code` that a backup cures; None without a backup."""
    path = lying(mac, folder, issued=True) if code in LOST else None
    if path is None:
        return None
    return f"its secret was saved from this board: 'make restore PORT={port} BACKUP={path}'"


def newest(
    datas: Iterable[object], kind: int, generation: int | None = None
) -> tuple[int, dict[int, bytes], bytes] | None:
    """(generation, fields, bytes) of the newest good record of a kind among `datas` (bytes or None), or None.

    With `generation`, only records issued to that burned generation count.
    """
    best = None
    for data in datas:
        try:
            data = data if isinstance(data, bytes) else b""
            found, number, fields = record.decode(data)
        except ValueError:
            continue
        belongs = generation is None or fields.get(record.FOR_GENERATION) == generation.to_bytes(4, "little")
        if found == kind and belongs and (best is None or number > best[0]):
            best = (number, fields, data)
    return best


def save_rescue(
    mac: str, entries: Iterable[Entry], tree: Mapping[str, bytes], folder: Path | str | None = None
) -> None:
    """Keep NVS and files of a board until they are written again; `folder` as for journals."""
    secrets.write(
        secrets.folder(journal.home(folder)) / _rescue(mac),
        json.dumps(
            {
                "format": _FORMAT,
                "mac": mac,
                "entries": _to_text(entries),
                "tree": {path: data.hex() for path, data in tree.items()},
            }
        ),
    )


def load_rescue(mac: str, folder: Path | str | None = None) -> Rescue | None:
    """The `Rescue` that waits for this board, or None."""
    path = rescue_path(mac, folder)
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            raise UserError(
                f"{path} was written by another release of these tools; flash the board with that"
            )
        return Rescue(
            tuple(
                Entry(space, key, kind, bytes.fromhex(value) if kind == "blob" else value)
                for space, key, kind, value in found["entries"]
            ),
            {name: bytes.fromhex(text) for name, text in found["tree"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"{path} cannot be read; it holds what a board held before it was flashed: keep it, and move "
            "it away to go on without it"
        ) from None


def remove_rescue(mac: str, folder: Path | str | None = None) -> None:
    journal.discard(folder, _rescue(mac))


def rescue_path(mac: str, folder: Path | str | None = None) -> Path:
    """The path of a board's rescue, whether it exists or not; `folder` as for journals."""
    return journal.find(folder, _rescue(mac))


def _rescue(mac):
    return f"{mac.replace(':', '').lower()}.files.identity"


def save_entries(mac: str, entries: Iterable[Entry], folder: Path | str = FOLDER) -> Path:
    """Keep NVS entries that a board is about to lose; the path."""
    path = secrets.folder(folder) / f"{_stem(mac)}.nvs.identity"
    secrets.write(path, json.dumps({"format": _FORMAT, "mac": mac, "entries": _to_text(entries)}))
    return path


def retire(path: Path | str, mac: str, folder: Path | str = FOLDER) -> Path:
    """Move the rescue or journal of an interrupted flash or burn to the backups; returns its new path."""
    kept = secrets.folder(folder) / f"{_stem(mac)}{''.join(Path(path).suffixes)}"
    secrets.write(kept, Path(path).read_text())
    Path(path).unlink()
    return kept


def _stem(mac, now=None):
    return f"{mac.replace(':', '')}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"


def _to_text(entries):
    return [[e.namespace, e.key, e.type, e.value.hex() if e.type == "blob" else e.value] for e in entries]
