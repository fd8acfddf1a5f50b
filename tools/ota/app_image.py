"""An application's image alone: what a build calls micropython.bin and MicroPython's downloads .app-bin."""

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from esptool.bin_image import LoadFirmwareImage
from esptool.util import FatalError

from tools import files, partitions
from tools.boards import Board
from tools.chips import CHIPS
from tools.errors import UserError

LARGEST = 16 << 20
_MAGIC = 0xE9
_ALONE = "take the application alone: micropython.bin of a build, or the .app-bin of a download"
_DESCRIPTION = 0x20  # where ESP-IDF's esp_app_desc_t lies in an image
_TABLES = (partitions.OFFSET - 0x1000, partitions.OFFSET)  # in images that begin at the bootloader, or at 0
_BANNER = re.compile(
    rb"(v[0-9][A-Za-z0-9._-]*) on [0-9]{4}-[0-9]{2}-[0-9]{2}"
)  # MicroPython's, of os.uname() too
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True)
class AppImage:
    """`version` is what boards publish: the one in its description, or MicroPython's; `chip` as boards/ names it."""

    version: str
    chip: str
    data: bytes = field(repr=False)


def read(path: Path | str, board: Board) -> AppImage:
    """The image in a file, for the slots of a board. UserError names what is wrong."""
    return parse(files.read(path, LARGEST), board, path)


def parse(data: bytes, board: Board, name: object = "the image") -> AppImage:
    """The image in these bytes; UserError names what is wrong with `name`."""
    slots = [row.size for row in board.rows if row.type == partitions.APP and row.subtype >= partitions.OTA_0]
    if len(slots) < 2:
        raise UserError(f"{board.name} has no OTA partitions, so no firmware comes to it over the air")
    if any(map(_has_table, (data[at : at + partitions.SIZE] for at in _TABLES))):
        raise UserError(f"{name} is a merged image, with bootloader and partition table: {_ALONE}")
    if data[:1] != bytes([_MAGIC]) or len(data) < 24:
        raise UserError(f"{name} is no image of an application: {_ALONE}")
    chip = next(
        (key for key, one in CHIPS.items() if one.image_id == int.from_bytes(data[12:14], "little")), ""
    )
    if chip != board.chip:
        other = CHIPS[chip].title if chip else "another chip"
        raise UserError(f"{name} is an image for {other}, but {board.name} has an {CHIPS[board.chip].title}")
    _refuse_damaged(data, chip, name)
    version = _version(data, name)
    if len(data) > min(slots):
        raise UserError(f"{name} has {len(data)} bytes; a slot of {board.name} has {min(slots)}")
    return AppImage(version, chip, data)


def _has_table(data):
    try:
        return bool(partitions.decode(data))
    except ValueError:
        return False


def _refuse_damaged(data, chip, name):
    """UserError unless segments, checksum and digest are whole, as esptool reads them, and nothing is behind them."""
    try:
        image = LoadFirmwareImage(chip, data)
    except (FatalError, TypeError, struct.error):
        raise UserError(f"{name} is cut short, or damaged: its segments are not whole") from None
    if not image.append_digest:
        raise UserError(
            f"{name} has no SHA-256 at its end, by which a board would know it: build it with one"
        )
    if len(image.stored_digest) < 32:
        raise UserError(f"{name} is cut short: its SHA-256 is missing")
    if image.stored_digest != image.calc_digest:
        raise UserError(f"{name} is damaged: its SHA-256 is another")
    if image.checksum != image.calculate_checksum():
        raise UserError(f"{name} is damaged: its checksum is wrong")
    behind = len(data) - image.data_length - 32
    if behind:
        raise UserError(f"{name} has {behind} bytes behind its end: {_ALONE}")


def _version(data, name):
    magic, text, elf = (
        struct.unpack_from("<I12x32s96x32s", data, _DESCRIPTION) if len(data) > 208 else (0, b"", b"")
    )
    if magic != 0xABCD5432:
        raise UserError(f"{name} is a bootloader, or no application of ESP-IDF: {_ALONE}")
    banner = _BANNER.search(data)  # MicroPython's own images have no version in their description
    version = (text.split(b"\0")[0] or (banner[1] if banner else b"")).decode("ascii", "replace")
    if not _VERSION.fullmatch(version):
        raise UserError(
            f"{name} has the version {version!r}, which no device can publish: "
            "letters, digits, dots, dashes and underscores only"
        )
    if not any(elf):
        raise UserError(f"{name} names no digest of its ELF file, by which a board tells two firmwares apart")
    return version
