"""What the ROM and the second-stage bootloader print, and what they find in flash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tools import partitions

if TYPE_CHECKING:
    from tools.emulator.chip.models import Model
    from tools.emulator.chip.nor import Nor

IMAGE_MAGIC = 0xE9
_TRIES = 8  # lines before the watchdog resets a chip that finds no bootloader


def banner(model: Model, cause: str, download: bool = False) -> bytes:
    """The ROM's first lines; `cause` is a key of the model's `reset_names`."""
    boot = model.boot_download if download else model.boot_flash
    text = f"{model.banner}rst:{model.reset_names[cause]},boot:{boot}\r\n"
    return (text + ("waiting for download\r\n" if download else "")).encode()


def obstacle(model: Model, nor: Nor, encrypted: bool = False) -> bytes | None:
    """What the chip prints instead of starting an application, or None when it would start one.

    The ROM wants an image where the bootloader lies, the bootloader a partition
    table and an image in an app partition. With flash encryption on, what
    esptool wrote as plain data is noise to it.
    """
    word = nor.read(model.chip.bootloader, 4)
    if encrypted:
        word = hashlib.md5(word).digest()[:3] + b"\0"
    if word[0] != IMAGE_MAGIC:
        return f"invalid header: 0x{int.from_bytes(word, 'little'):08x}\r\n".encode() * _TRIES
    try:
        rows = partitions.decode(nor.read(partitions.OFFSET, partitions.SIZE))
    except ValueError:
        return (
            b"E (56) flash_parts: partition 0 invalid magic number 0x%x\r\nE (60) boot: Failed to verify "
            b"partition table\r\nE (64) boot: load partition table error!\r\n"
            % int.from_bytes(nor.read(partitions.OFFSET, 2), "little")
        )
    if application(nor, rows) is None:
        return b"E (88) boot: No bootable app partitions in the partition table\r\n"
    return None


def application(nor: Nor, rows: Iterable[partitions.Partition]) -> partitions.Partition | None:
    """The first app partition that begins with an image, or None."""
    apps = sorted(
        (row for row in rows if row.type == partitions.APP and row.end <= nor.size),
        key=lambda row: row.subtype,
    )
    return next((row for row in apps if nor.read(row.offset, 1)[0] == IMAGE_MAGIC), None)
