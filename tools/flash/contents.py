"""What a board holds, read through its loader: partition table, identity, and those files that matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools import partitions
from tools.boards import Board
from tools.flash.loader import Loader
from tools.image import burn, decision, littlefs, owner, slots
from tools.image.flash_image import BURNED, NEXT

BLANK, GOOD, DAMAGED = "blank", "good", "damaged"


@dataclass(frozen=True)
class Contents:
    """`table` is blank, good or damaged; unless it is good, `layout` is what the board should have.

    `found` is `burn.look`'s; `files` {path: bytes} are those of the paths asked
    for that are there.
    """

    table: str
    layout: partitions.Layout
    found: burn.Found = field(repr=False)
    files: dict[str, bytes | None] = field(repr=False)

    @property
    def copies(self) -> tuple[decision.Copy, ...]:
        """The good records, of both media."""
        return self.found.copies

    def who(self, mac: str) -> str | None:
        """ProductKey/DeviceName of the newest burned record (else the newest of all), or None."""
        newest = burn.newest(self.copies, BURNED) or burn.newest(self.copies)
        return owner.describe(newest.fields, mac) if newest else None

    @property
    def issued(self) -> bool:
        """Whether the board holds a secret that cannot be had again: an issued one, or a key made on the board."""
        return any(c.name not in (BURNED, NEXT) and owner.holds_secret(c.fields) for c in self.copies)

    @property
    def only_on_littlefs(self) -> bool:
        """Whether a good record is on the file system and missing or older in NVS."""
        nvs = {copy.name: copy.generation for copy in self.copies if copy.medium == "nvs"}
        return any(
            copy.generation > nvs.get(copy.name, -1) for copy in self.copies if copy.medium == "littlefs"
        )

    def runs(self, loader: Loader) -> bool:
        """Whether there is an application to start, MicroPython or another: its first byte is an image's."""
        return any(
            loader.read(row.offset, 1) == b"\xe9" for row in self.layout.rows if row.type == partitions.APP
        )

    def slots(self, loader: Loader) -> list[slots.Slot]:
        """The slots for firmware, [] where the board has none."""
        return slots.find(self.layout.rows, loader.read) if self.table == GOOD else []

    def file(self, path: str) -> bytes | None:
        """The bytes of one file, or None when it is not there."""
        if path not in self.files and self.found.image and self.found.vfs == GOOD:
            self.files[path] = littlefs.read_files(self.found.image, [path]).get(path)
        return self.files.get(path)

    def below(self) -> Sequence[str]:
        """The paths of the files in /aliot."""
        return (
            littlefs.below(self.found.image, "/aliot")[0]
            if self.found.image and self.found.vfs == GOOD
            else ()
        )

    def tree(self) -> dict[str, bytes]:
        """All files, with their bytes; {} when the file system is not good."""
        return littlefs.read(self.found.image) if self.found.image and self.found.vfs == GOOD else {}


def look(loader: Loader, board: Board, wanted: Mapping[str, bytes]) -> Contents:
    """The `Contents` of a board; `wanted` {path: bytes} are the files that it may already have."""
    loader.expect(first_sectors(wanted))
    table, layout = _table(loader, board)
    found = burn.look(loader, layout)
    files = littlefs.read_files(found.image, wanted) if found.image and found.vfs == GOOD else {}
    return Contents(table, layout, found, files)


def _table(loader, board):
    data = loader.read(board.partition_table, partitions.SIZE)
    if not data.strip(b"\xff"):
        return BLANK, board.layout
    try:
        rows = tuple(partitions.decode(data))
        partitions.check(rows, loader.size)
        layout = partitions.Layout(board.flash_size, rows, board.partition_table)
        return (GOOD, layout) if layout.nvs else (DAMAGED, board.layout)
    except ValueError:
        return DAMAGED, board.layout


def first_sectors(tree: Mapping[str, bytes]) -> list[bytes]:
    """The first block of each file of `tree` as it lies in flash: littlefs begins a block with the file's own bytes."""
    return [data[: littlefs.BLOCK].ljust(littlefs.BLOCK, b"\xff") for data in tree.values() if data]
