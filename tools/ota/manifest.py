"""A package's manifest: text, a line for each thing, so that a board reads it line by line.

    aliot-ota 1                         the form
    release 1.2.0                       what the device publishes as its version (application.md 5.1)
    number 7                            what decides which of two releases is older
    mpy 6                               version of its .mpy files
    store 1                             format of what it stores
    least 1.24                          least version of MicroPython
    product a1MZxOdcBnO                 a line for each product; none: for every product
    board ESP32C3                       the chip; none: for every chip
    rollback                            it may replace a release of a higher number
    delete /old.bin                     a file outside of all trees that goes once the release is good
    firmware v1.26.1                    version in the header of the application's image that comes with it
    image 65536 SHA-256                 a piece of that image, one after another
    file 13669 SHA-256 aliot/start.mpy  in the order of the files

The lines stand in this order. Paths of files are relative to the tree. A package has files, an image, or both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tools.errors import UserError
from tools.image.identity import endpoint
from tools.partitions import SECTOR

FORM = "aliot-ota 1"
LARGEST = 32 * 1024  # bytes
HIGHEST = 2**30 - 1  # of a number: a small int of the chip
PIECE = 64 * 1024  # bytes of an image whose digest stands by itself; of whole sectors, but for the last
NEEDED = (
    "main.py",
    "aliot/__init__.mpy",
    "aliot/start.mpy",
    "aliot/ota/choice.mpy",
    "aliot/ota/trial.mpy",
    "aliot/ota/writer.mpy",
)
# what no release may delete: the golden tree, the trees, identity and settings
KEPT = ("/aliot/", "/ota/", "/roots/", "/lib/")
KEPT_FILES = ("/boot.py", "/main.py", "/config.json")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_BOARD = re.compile(r"[A-Z0-9]{1,20}")
_PATH = re.compile(r"(?!.*(^|/)\.{0,2}(/|$))[^\x00-\x1f\x7f\\]{1,100}")
_IMAGE = re.compile(r"image ([1-9][0-9]{0,8}) ([0-9a-f]{64})")
_FILE = re.compile(r"file (0|[1-9][0-9]{0,8}) ([0-9a-f]{64}) (.*)")


@dataclass(frozen=True)
class File:
    size: int
    sha256: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """As the module says; `least` as text, `board` "" for every chip, `firmware` "" where there is no image.

    `pieces`: (size, SHA-256) of the image's.
    """

    release: str
    number: int
    mpy: int
    store: int
    least: str
    products: tuple[str, ...] = ()
    board: str = ""
    rollback: bool = False
    delete: tuple[str, ...] = ()
    firmware: str = ""
    pieces: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    files: tuple[File, ...] = field(default=(), repr=False)

    def lines(self) -> Iterator[str]:
        yield FORM
        for name in ("release", "number", "mpy", "store", "least"):
            yield f"{name} {getattr(self, name)}"
        yield from (f"product {name}" for name in self.products)
        if self.board:
            yield f"board {self.board}"
        if self.rollback:
            yield "rollback"
        yield from (f"delete {path}" for path in self.delete)
        if self.firmware:
            yield f"firmware {self.firmware}"
        yield from (f"image {size} {digest}" for size, digest in self.pieces)
        yield from (f"file {one.size} {one.sha256} {one.path}" for one in self.files)

    def encode(self) -> bytes:
        """The manifest's bytes. UserError names what cannot be said in it."""
        refuse(self)
        data = "".join(line + "\n" for line in self.lines()).encode()
        if len(data) > LARGEST:
            raise UserError(f"the manifest has {len(data)} bytes; a board takes {LARGEST}: pack fewer files")
        return data

    @property
    def size(self) -> int:
        """Bytes of the image and of all files."""
        return self.image_size + sum(one.size for one in self.files)

    @property
    def image_size(self) -> int:
        """Bytes of the image."""
        return sum(size for size, _ in self.pieces)


def parse(data: bytes) -> Manifest:
    """The Manifest in these bytes; UserError names the first line that is wrong."""
    if len(data) > LARGEST:
        raise UserError(f"the manifest has {len(data)} bytes; a board takes {LARGEST}")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise UserError("the manifest is not UTF-8 text") from None
    if lines[0] != FORM:
        raise UserError(f"the manifest begins with {lines[0][:40]!r} instead of {FORM!r}")
    found = Manifest("", 0, 0, 0, "")
    for number, line in enumerate(lines[1:-1], 2):
        try:
            found = _with(found, line)
        except ValueError:
            raise UserError(
                f"line {number} of the manifest is none that a board reads: {line[:60]!r}"
            ) from None
    if found.encode() != data:
        raise UserError("the lines of the manifest are not in their order, or one is there twice")
    return found


def _with(found, line):
    """`found` with what a line says. ValueError."""
    name, _, value = line.partition(" ")
    one = _FILE.fullmatch(line)
    if one:
        return replace(found, files=(*found.files, File(int(one[1]), one[2], one[3])))
    one = _IMAGE.fullmatch(line)
    if one:
        return replace(found, pieces=(*found.pieces, (int(one[1]), one[2])))
    if name in ("number", "mpy", "store"):
        return replace(found, **{name: int(value)})
    if name in ("release", "least", "board", "firmware"):
        return replace(found, **{name: value})
    if name == "product":
        return replace(found, products=(*found.products, value))
    if name == "delete":
        return replace(found, delete=(*found.delete, value))
    if line == "rollback":
        return replace(found, rollback=True)
    raise ValueError


def refuse(manifest: Manifest) -> None:
    """UserError when a manifest says what none may."""
    faults = _head_faults, _delete_faults, _firmware_faults, _file_faults
    for fault in (fault for find in faults for fault in find(manifest)):
        if fault:
            raise UserError(fault)


def _head_faults(one):
    if not _NAME.fullmatch(one.release):
        yield f"release {one.release!r} is not 1 to 64 letters, digits, dots, dashes and underscores"
    if not 1 <= one.number <= HIGHEST:
        yield f"number {one.number} is not 1 to {HIGHEST}"
    if not 1 <= one.mpy <= 255 or not 1 <= one.store <= 255:
        yield f"mpy {one.mpy} and store {one.store} are not both 1 to 255"
    if not _VERSION.fullmatch(one.least):
        yield f"least {one.least!r} is not a release of MicroPython such as 1.24"
    if one.board and not _BOARD.fullmatch(one.board):
        yield f"board {one.board!r} is not a chip's name such as ESP32C3"
    if not one.products and not one.board:
        yield "a package names the products or the board that it is for: --product or --board"
    if len(set(one.products)) < len(one.products):
        yield "a product is named twice"
    yield from (endpoint.wrong("product_key", name, "ProductKey") for name in one.products)


def _delete_faults(one):
    for path in one.delete:
        if path[:1] != "/" or not _PATH.fullmatch(path[1:]):
            yield f"delete {path!r} is not the whole path of a file, such as /cache.bin"
        elif path.startswith(KEPT) or path in KEPT_FILES:
            yield f"delete {path}: no release deletes that; it belongs to the board"


def _firmware_faults(one):
    if bool(one.firmware) != bool(one.pieces):
        yield "an image and the version of its firmware go together"
    if not one.firmware:
        return
    if not _NAME.fullmatch(one.firmware):
        yield f"firmware {one.firmware!r} is not 1 to 64 letters, digits, dots, dashes and underscores"
    if not one.board:
        yield "a package with firmware names the chip that it is for: --board"
    if any(size % SECTOR for size, _ in one.pieces[:-1]):
        yield f"a piece of the image is not made of whole sectors of {SECTOR} bytes"
    if not one.files and one.release != one.firmware:
        yield (
            f"devices publish the version in the image's header, {one.firmware}: "
            f"a package of firmware alone is --release {one.firmware}"
        )
    if not one.files and one.delete:
        yield "a package of firmware alone deletes nothing: pack files with it"


def _file_faults(one):
    paths = [file.path for file in one.files]
    for path in paths:
        if not _PATH.fullmatch(path) or len(path.encode()) > 100:
            yield f"{path!r} is not a path of at most 100 bytes that a board can have"
    if paths != sorted(set(paths)):
        yield "the files are not sorted by their paths, or one is there twice"
    for path in NEEDED if paths or not one.firmware else ():
        if path not in paths:
            yield f"{path} is missing, without which no release runs and becomes good"
