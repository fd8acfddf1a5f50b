"""Espressif's partition table: bytes to rows and back, and the layouts of MicroPython's stock images.

A table is up to 95 rows of 32 bytes (mark AA 50, type, subtype, offset, size,
label, flags), then a row marked EB EB with the MD5 of the rows before it, then
0xFF up to 0xC00 bytes. It lies at 0x8000.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

OFFSET = 0x8000
SIZE = 0xC00
SECTOR = 0x1000

APP, DATA = 0, 1
FACTORY, OTA_0, OTA_1 = 0x00, 0x10, 0x11
OTADATA, PHY, NVS, FAT = 0x00, 0x01, 0x02, 0x81

_ROW = "<2sBBII16sI"
_MARK = b"\xaa\x50"
_MD5_MARK = b"\xeb\xeb" + b"\xff" * 14
_END = b"\xff" * 32

TYPES = {APP: "app", DATA: "data"}
SUBTYPES = {
    (APP, FACTORY): "factory",
    (APP, OTA_0): "ota_0",
    (APP, OTA_1): "ota_1",
    (DATA, OTADATA): "ota",
    (DATA, PHY): "phy",
    (DATA, NVS): "nvs",
    (DATA, 0x04): "nvs_keys",
    (DATA, FAT): "fat",
    (DATA, 0x82): "spiffs",
    (DATA, 0x83): "littlefs",
}


@dataclass(frozen=True)
class Partition:
    """One row: where a partition lies in flash, in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size

    @property
    def kind(self) -> str:
        """Type and subtype in words, e.g. "data/nvs"."""
        name = SUBTYPES.get((self.type, self.subtype), f"0x{self.subtype:02x}")
        return f"{TYPES.get(self.type, f'0x{self.type:02x}')}/{name}"


def encode(rows: Sequence[Partition]) -> bytes:
    """The 0xC00 bytes of a table; ValueError when rows do not fit or a label is too long."""
    table = b"".join(_encode_row(row) for row in rows)
    table += _MD5_MARK + hashlib.md5(table).digest()
    if len(table) > SIZE:
        raise ValueError(f"a partition table holds {SIZE // 32 - 1} rows at most, not {len(rows)}")
    return table.ljust(SIZE, b"\xff")


def _encode_row(row):
    label = row.label.encode()
    if len(label) > 16:
        raise ValueError(f"partition label '{row.label}' is longer than 16 bytes")
    return struct.pack(_ROW, _MARK, row.type, row.subtype, row.offset, row.size, label, row.flags)


def decode(data: bytes) -> list[Partition]:
    """The rows of a table's bytes, in its order; ValueError says what is not right about it."""
    rows = []
    for at in range(0, min(len(data), SIZE), 32):
        entry = bytes(data[at : at + 32])
        if entry == _END:
            break
        if entry[:2] == _MARK and len(entry) == 32:
            _, kind, subtype, offset, size, label, flags = struct.unpack(_ROW, entry)
            text = label.rstrip(b"\0").decode("ascii", "replace")
            rows.append(Partition(text, kind, subtype, offset, size, flags))
        elif entry[:16] == _MD5_MARK:
            if hashlib.md5(bytes(data[:at])).digest() != entry[16:]:
                raise ValueError("the partition table's MD5 does not match its rows")
        else:
            raise ValueError(f"row {at // 32} of the partition table is neither a partition nor its MD5")
    if not rows:
        raise ValueError("there is no partition table")
    return rows


def find(rows: Iterable[Partition], label: str) -> Partition | None:
    """The row with this label, or None."""
    return next((row for row in rows if row.label == label), None)


def nvs(rows: Iterable[Partition]) -> Partition | None:
    """The partition that MicroPython's `esp32.NVS` uses: label "nvs", type data/nvs; or None."""
    row = find(rows, "nvs")
    return row if row and (row.type, row.subtype) == (DATA, NVS) else None


def vfs(rows: Sequence[Partition], flash_size: int) -> Partition | None:
    """Where MicroPython's file system lies, or None when no whole sector is left for it.

    MicroPython up to 1.25 has it in the table; since 1.26 firmware registers
    what lies between the last partition and the end of flash.
    """
    row = find(rows, "vfs")
    if row:
        return row
    start = max(row.end for row in rows)
    start += -start % SECTOR
    return Partition("vfs", DATA, FAT, start, flash_size - start) if start < flash_size else None


def check(rows: Iterable[Partition], flash_size: int) -> None:
    """ValueError when partitions overlap, cross the end of flash or begin off a sector."""
    before = None
    for row in sorted(rows, key=lambda row: row.offset):
        if row.offset % SECTOR or row.size % SECTOR:
            raise ValueError(f"partition '{row.label}' is not made of whole sectors")
        if row.end > flash_size:
            raise ValueError(f"partition '{row.label}' ends at 0x{row.end:x}, flash at 0x{flash_size:x}")
        if before and row.offset < before.end:
            raise ValueError(f"partitions '{before.label}' and '{row.label}' overlap")
        before = row


@dataclass(frozen=True)
class Layout:
    """What a flash image needs to know of a board: the size of its flash and its table.

    `offset` is where the table lies; 0x8000 in every stock image.
    """

    flash_size: int
    rows: tuple[Partition, ...]
    offset: int = OFFSET

    @property
    def nvs(self) -> Partition | None:
        return nvs(self.rows)

    @property
    def vfs(self) -> Partition | None:
        return vfs(self.rows, self.flash_size)


def with_vfs(layout: Layout) -> Layout:
    """The layout as images up to 1.25 have it: the file system in the table too."""
    vfs = layout.vfs
    return layout if vfs is None or vfs in layout.rows else replace(layout, rows=(*layout.rows, vfs))
