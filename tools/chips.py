"""The chips that the tools know: one row each. What only the emulated chip knows is in `emulator/chip/models.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Steps = list[
    tuple[Any, ...]
]  # ("efuses", {name: value}), ("key", block, purpose), ("digest", ...) or ("secret", ...)


@dataclass(frozen=True)
class Chip:
    """`security` has the steps in which a measure of `line security` is burned.

    Its values are ESP-IDF's for release mode (its pages on flash encryption and secure boot v2 for each chip).
    """

    title: str  # esptool's name of it
    image_id: int  # in the header of its images
    bootloader: int  # the offset in flash where its ROM looks for one
    board: str  # the board that is taken when none is named
    security: Mapping[str, Steps]


def _newer(**caches: int) -> dict[str, Steps]:
    """The security of an ESP32-S3 or ESP32-C3; `caches` are eFuses that close its caches to downloads."""
    revoked = {"SECURE_BOOT_EN": 1, "SECURE_BOOT_KEY_REVOKE1": 1, "SECURE_BOOT_KEY_REVOKE2": 1}
    encrypted = {"SPI_BOOT_CRYPT_CNT": 7, "DIS_DOWNLOAD_MANUAL_ENCRYPT": 1, **caches}
    return {
        "secret": [("secret", "BLOCK_KEY5", "HMAC_UP")],  # or the block that its plan names
        "secure-boot": [("digest", "BLOCK_KEY1", "SECURE_BOOT_DIGEST0"), ("efuses", revoked)],
        "encryption": [("key", "BLOCK_KEY0", "XTS_AES_128_KEY"), ("efuses", encrypted)],
        "jtag": [("efuses", {"DIS_PAD_JTAG": 1, "DIS_USB_JTAG": 1, "SOFT_DIS_JTAG": 7})],
        "download": [("efuses", {"DIS_DIRECT_BOOT": 1, "DIS_DOWNLOAD_MODE": 1})],
    }


_ESP32_ENCRYPTED = {
    "FLASH_CRYPT_CONFIG": 0xF,
    "FLASH_CRYPT_CNT": 0x7F,
    "DISABLE_DL_ENCRYPT": 1,
    "DISABLE_DL_DECRYPT": 1,
    "DISABLE_DL_CACHE": 1,
}
_ESP32: dict[str, Steps] = {
    "secure-boot": [("digest", "BLOCK2", None), ("efuses", {"ABS_DONE_1": 1})],
    "encryption": [("key", "flash_encryption", None), ("efuses", _ESP32_ENCRYPTED)],
    "jtag": [("efuses", {"JTAG_DISABLE": 1})],
    "download": [("efuses", {"UART_DOWNLOAD_DIS": 1})],
}
_C3 = _newer(DIS_DOWNLOAD_ICACHE=1)
_S3 = _newer(DIS_DOWNLOAD_ICACHE=1, DIS_DOWNLOAD_DCACHE=1)

CHIPS = {
    "esp32": Chip("ESP32", 0, 0x1000, "ESP32_GENERIC", _ESP32),
    "esp32s3": Chip("ESP32-S3", 9, 0x0, "ESP32_GENERIC_S3", _S3),
    "esp32c3": Chip("ESP32-C3", 5, 0x0, "ESP32_GENERIC_C3", _C3),
}
NAMES = {chip.title: name for name, chip in CHIPS.items()}
