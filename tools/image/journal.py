"""What a board held before it was burned, kept on the host until the burn is done.

There is one file for each MAC, mode 0600, in the user's state folder. It is written before anything is erased, and
removed when the flash has been read back and is right. Until then the next burn of that MAC begins with what the file
holds. Journals that earlier releases kept in the checkout are still found.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from tools import cache, files, secrets
from tools.errors import UserError
from tools.image.nvs import Entry

EARLIER = cache.FOLDER.parent / "journal"
HELP = "default: the folder aliot/journal of your state folder"
_FORMAT = 1


@dataclass(frozen=True)
class Kept:
    """`fields` and `issued`: what was being burned, {tag: bytes}; the rest: what was found before.

    `slots` are {name: fields} that were being put back; `records` are (name, bytes) of burned and issued records of
    either medium; `entries` are NVS entries of others; `sectors` are (offset, bytes) of a file system that a cut
    could leave unreadable.
    """

    fields: dict[int, bytes] = field(repr=False)
    issued: dict[int, bytes] | None = field(repr=False)
    replace: bool
    entries: tuple[Entry, ...] = field(repr=False)
    records: tuple[tuple[str, bytes], ...] = field(repr=False)
    sectors: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    slots: dict[str, dict[int, bytes]] = field(default_factory=dict, repr=False)


def state() -> Path:
    """The user's folder for what has to outlive a run, such as journals; not made yet."""
    return platformdirs.user_state_path("aliot")


def home(folder: Path | str | None = None) -> Path:
    """The folder of journals, by default the user's own; unfinished files of killed writes there are removed."""
    if folder is None:
        files.sweep(EARLIER)
    found = Path(folder or state() / "journal")
    files.sweep(found)
    return found


def find(folder: Path | str | None, name: str) -> Path:
    """The path of a file of that folder. By default, one that lies in the checkout counts until there is a newer."""
    path = home(folder) / name
    with files.as_user_error(f"read {path}"):
        earlier = folder is None and not path.exists() and (EARLIER / name).exists()
    return EARLIER / name if earlier else path


def path_of(folder: Path | str | None, mac: str) -> Path:
    """The path of a board's journal, whether it exists or not."""
    return find(folder, _name(mac))


def save(folder: Path | str | None, mac: str, kept: Kept) -> None:
    """Write a board's journal, and its folder; UserError when that fails."""
    secrets.write(
        secrets.folder(home(folder)) / _name(mac),
        json.dumps(
            {
                "format": _FORMAT,
                "mac": mac,
                "fields": _to_text(kept.fields),
                "issued": None if kept.issued is None else _to_text(kept.issued),
                "slots": {name: _to_text(fields) for name, fields in kept.slots.items()},
                "replace": kept.replace,
                "entries": [
                    [e.namespace, e.key, e.type, e.value.hex() if isinstance(e.value, bytes) else e.value]
                    for e in kept.entries
                ],
                "records": [[name, data.hex()] for name, data in kept.records],
                "sectors": [[offset, data.hex()] for offset, data in kept.sectors],
            }
        ),
    )


def load(folder: Path | str | None, mac: str) -> Kept | None:
    """The `Kept` of a board, or None; UserError when there is a journal that cannot be read."""
    path = path_of(folder, mac)
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            raise UserError(f"{path} was written by another release of these tools; burn the board with that")
        return Kept(
            _to_bytes(found["fields"]),
            None if found["issued"] is None else _to_bytes(found["issued"]),
            bool(found["replace"]),
            tuple(
                Entry(space, key, kind, bytes.fromhex(value) if kind == "blob" else value)
                for space, key, kind, value in found["entries"]
            ),
            tuple((name, bytes.fromhex(data)) for name, data in found["records"]),
            tuple((offset, bytes.fromhex(data)) for offset, data in found["sectors"]),
            {name: _to_bytes(fields) for name, fields in found.get("slots", {}).items()},
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot read the journal {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"the journal {path} is damaged; it holds what a board held before its last burn: "
            "keep it and move it away to go on without it"
        ) from None


def remove(folder: Path | str | None, mac: str) -> None:
    """Remove a board's journal, since the burn is done."""
    discard(folder, _name(mac))


def discard(folder: Path | str | None, name: str) -> None:
    """Remove a file of that folder, and by default its namesake in the checkout."""
    for place in (home(folder), *([EARLIER] if folder is None else [])):
        with files.as_user_error(f"remove {place / name}, which is done with"):
            (place / name).unlink(missing_ok=True)


def _name(mac):
    return f"{mac.replace(':', '').lower()}.identity"


def _to_text(fields):
    return {str(tag): value.hex() for tag, value in fields.items()}


def _to_bytes(fields):
    return {int(tag): bytes.fromhex(value) for tag, value in fields.items()}
