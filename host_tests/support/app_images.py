"""Small application images, made by esptool's own writer, and a flash with OTA slots that hold them."""

import hashlib
import struct
from collections.abc import Sequence

from esptool.bin_image import ESP32C3FirmwareImage, ESP32FirmwareImage, ESP32S3FirmwareImage, ImageSegment

from tools import partitions
from tools.image import flash_image
from tools.partitions import Partition

# chip -> (esptool's image, an address in mapped flash, one in memory)
KINDS = {
    "esp32": (ESP32FirmwareImage, 0x3F400020, 0x3FFB0000),
    "esp32s3": (ESP32S3FirmwareImage, 0x3C000020, 0x3FC90000),
    "esp32c3": (ESP32C3FirmwareImage, 0x3C000020, 0x3FC80000),
}
_DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32s80x")  # esp_app_desc_t
SLOT = 0x6000
LAYOUT = partitions.Layout(
    0x70000,
    (
        Partition("nvs", partitions.DATA, partitions.NVS, 0x9000, 0x4000),
        Partition("otadata", partitions.DATA, partitions.OTADATA, 0xD000, 0x2000),
        Partition("phy_init", partitions.DATA, partitions.PHY, 0xF000, 0x1000),
        Partition("ota_0", partitions.APP, partitions.OTA_0, 0x10000, SLOT),
        Partition("ota_1", partitions.APP, partitions.OTA_1, 0x10000 + SLOT, SLOT),
    ),
)


def app_image(version: str = "v1.26.1", chip: str = "esp32", size: int = 600, mark: bytes = b"code") -> bytes:
    """An application with `size` bytes of code, whose description names a version, as ESP-IDF's build makes it."""
    kind, flash_at, memory_at = KINDS[chip]
    text = (mark * (size // len(mark) + 1))[:size]
    elf = hashlib.sha256(version.encode() + text).digest()
    description = _DESCRIPTION.pack(
        0xABCD5432, 0, version.encode(), b"micropython", b"12:00:00", b"Nov 30 2026", b"v5.4.2", elf
    )
    image = kind()
    image.segments = [ImageSegment(flash_at, description), ImageSegment(memory_at, text)]
    for segment in image.segments:
        segment.name = ""
    return bytes(image.save(None))


def with_slots(
    images: Sequence[bytes], files: dict[str, bytes], otadata: bytes = b"", **more: object
) -> bytes:
    """A flash of `LAYOUT` with these images in its slots, files on it, and bytes of OTA data."""
    return in_slots(flash_image.build(LAYOUT, files=files, **more), images, otadata)


def in_slots(flash: bytes, images: Sequence[bytes], otadata: bytes = b"") -> bytes:
    """A flash with these images in its slots, and bytes of OTA data."""
    rows = {row.label: row.offset for row in flash_image.layout_in(flash).rows}
    made = bytearray(flash)
    for at, data in [(rows[f"ota_{number}"], image) for number, image in enumerate(images)]:
        made[at : at + len(data)] = data
    made[rows["otadata"] : rows["otadata"] + len(otadata)] = otadata
    return bytes(made)
