"""The chips that are emulated: what differs between them, as data.

Sources: Espressif's technical reference manuals (registers, eFuses), boot logs
of boards (banners), esptool 5.6 (which registers are read).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.chips import CHIPS, Chip


@dataclass(frozen=True)
class EfuseBlock:
    """A block of eFuses: where it is read, how many words, and which WR_DIS and RD_DIS bits guard it."""

    read: int  # offset of its first read register from the controller's base
    words: int
    write: int = 0  # offset of its write registers (the ESP32 has them per block)
    write_disable: int | None = None
    read_disable: int | None = None


@dataclass(frozen=True)
class Model:
    """One chip, with what only its emulation needs. Addresses are absolute, offsets from the base before them."""

    name: str  # of its row in `tools.chips`
    magic: int  # what 0x40001000 reads
    spi: int  # base of the SPI controller of the flash, then offsets in it
    spi_address_high: bool  # a 24-bit address lies in the upper bits of the address register
    spi_user2: int
    spi_word0: int
    uart_divider: int
    efuse: int  # base of the eFuse controller
    efuse_size: int  # bytes of its register space, as `espefuse --virt` keeps it
    efuse_command: int
    efuse_config: int
    blocks: tuple[EfuseBlock, ...]
    security_info: bool  # whether its ROM answers GET_SECURITY_INFO
    api_version: int
    watchdog: tuple[int, int] | None  # (WDTCONFIG0, WDTWPROTECT) of the RTC watchdog that esptool resets with
    banner: str  # what its ROM prints first
    reset_names: dict[str, str]  # cause -> what the ROM prints for it
    boot_flash: str
    boot_download: str
    fixed: dict[int, int]  # registers that always read the same
    minor_revision: int = 0  # burned at the factory into the newer chips' BLOCK1

    @property
    def chip(self) -> Chip:
        return CHIPS[self.name]


_ESP32_BLOCKS = (
    EfuseBlock(0x00, 7, 0x1C),
    EfuseBlock(0x38, 8, 0x98, 7, 0),
    EfuseBlock(0x58, 8, 0xB8, 8, 1),
    EfuseBlock(0x78, 8, 0xD8, 9, 2),
)
# what the ESP32-S3 and the ESP32-C3 have in common
_NEWER: dict[str, Any] = {
    "spi": 0x60002000,
    "spi_address_high": False,
    "spi_user2": 0x20,
    "spi_word0": 0x58,
    "uart_divider": 0x60000014,
    "efuse_size": 0x200,
    "efuse_command": 0x1D4,
    "efuse_config": 0x1CC,
    "security_info": True,
    "blocks": (
        EfuseBlock(0x2C, 6),
        EfuseBlock(0x44, 6, write_disable=20),
        EfuseBlock(0x5C, 8, write_disable=21),
        EfuseBlock(0x7C, 8, write_disable=22),
        *(EfuseBlock(0x9C + 0x20 * key, 8, write_disable=23 + key, read_disable=key) for key in range(7)),
    ),
    "reset_names": {
        "power": "0x1 (POWERON)",
        "watchdog": "0x10 (RTCWDT_RTC_RST)",
        "software": "0xc (RTC_SW_CPU_RST)",
        "task watchdog": "0xc (RTC_SW_CPU_RST)",
        "deep sleep": "0x5 (DSLEEP)",
    },
}

MODELS = {
    "esp32": Model(
        name="esp32",
        magic=0x00F01D83,
        spi=0x3FF42000,
        spi_address_high=True,
        spi_user2=0x24,
        spi_word0=0x80,
        uart_divider=0x3FF40014,
        efuse=0x3FF5A000,
        efuse_size=0x120,
        efuse_command=0x104,
        efuse_config=0xFC,
        blocks=_ESP32_BLOCKS,
        security_info=False,
        api_version=0,
        watchdog=None,
        banner="ets Jul 29 2019 12:21:46\r\n\r\n",
        reset_names={
            "power": "0x1 (POWERON_RESET)",
            "watchdog": "0x10 (RTCWDT_RTC_RESET)",
            "software": "0xc (SW_CPU_RESET)",
            "task watchdog": "0xc (SW_CPU_RESET)",
            "deep sleep": "0x5 (DEEPSLEEP_RESET)",
        },
        boot_flash="0x13 (SPI_FAST_FLASH_BOOT)",
        boot_download="0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))",
        fixed={
            0x3FF6607C: 1 << 31,  # revision 3
            0x3FF5F06C: 1896 << 7,  # 8 MHz clock against the crystal: 40 MHz with CLK8M_FREQ 54
            0x3FF44038: 0x13,
        },
    ),
    "esp32s3": Model(
        **_NEWER,
        name="esp32s3",
        magic=0x00000009,
        efuse=0x60007000,
        api_version=0,
        watchdog=(0x60008098, 0x600080B0),
        banner="ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n",
        boot_flash="0x8 (SPI_FAST_FLASH_BOOT)",
        boot_download="0x0 (DOWNLOAD(USB/UART0))",
        fixed={0x60004038: 0x08},
        minor_revision=2,
    ),
    "esp32c3": Model(
        **_NEWER,
        name="esp32c3",
        magic=0x1B31506F,
        efuse=0x60008800,
        api_version=3,
        watchdog=(0x60008090, 0x600080A8),
        banner="ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
        boot_flash="0xd (SPI_FAST_FLASH_BOOT)",
        boot_download="0x5 (DOWNLOAD(USB/UART0/1))",
        fixed={0x60004038: 0x0D},
        minor_revision=3,
    ),
}
