"""The eFuse controller: read registers, programming, protection bits, kept in a file.

The file is the one that `espefuse --virt --path-efuse-file` reads and writes:
the controller's registers as one big-endian number, so that the official tool
can prepare a board's eFuses or look at them afterwards. It holds the fuses
themselves, those that nobody can read among them, since the chip's hardware
reads them; espefuse's own writes zeros in their place.
"""

import os
import struct
from pathlib import Path
from typing import Any

from reedsolo import RSCodec

from tools.errors import UserError

_WRITE_CODE, _READ_CODE = 0x5A5A, 0x5AA5
_PROGRAM, _READ = 0x2, 0x1
_CHECK_VALUES = 0x20  # where the twelve Reed-Solomon bytes are written on S3 and C3
_RS_ERRORS = 0x1C0
# BLOCK0 fields that a WR_DIS bit guards: (bit, word, mask)
_GUARDED = {
    "esp32": (
        (1, 0, 0xFFFF),
        (0, 0, 0xF << 16),
        (2, 0, 0xFF << 20),
        (3, 1, ~0),
        (3, 2, 0xFFFFFF),
        (5, 4, 7 << 14),
        (12, 6, 1 << 4),
        (13, 6, 1 << 5),
        (14, 6, 1 << 6),
        (15, 6, 7 << 7),
    ),
    "other": (
        (0, 1, 0x7F),
        (2, 1, 0x1FDF << 8),
        (30, 1, 3 << 25),
        (31, 1, 7 << 16),
        (3, 2, 3 << 16),
        (4, 2, 7 << 18),
        (5, 2, 1 << 21),
        (6, 2, 1 << 22),
        (7, 2, 1 << 23),
        (8, 2, 0xF << 24),
        (9, 2, 0xF << 28),
        (10, 3, 0xF),
        (11, 3, 0xF << 4),
        (12, 3, 0xF << 8),
        (13, 3, 0xF << 12),
        (15, 3, 1 << 20),
        (16, 3, 1 << 21),
        (18, 4, 0x3FFFFFF7),
        (19, 4, 1 << 31),
    ),
}


def parse_mac(text: str) -> bytes:
    """The six bytes of "24:0a:c4:00:00:01"; UserError when it is not a MAC that a board may have."""
    parts = text.split(":")
    if len(parts) != 6 or any(
        len(part) != 2 or not set(part.lower()) <= set("0123456789abcdef") for part in parts
    ):
        raise UserError(f"'{text}' is not a MAC address like 24:0a:c4:00:00:01")
    mac = bytes(int(part, 16) for part in parts)
    if mac[0] & 1:
        raise UserError(f"'{text}' is a multicast address; a board's MAC has an even first byte")
    return mac


class Efuses:
    """The eFuses of one chip. With a path, a file that is not there is made, as the factory burns it."""

    def __init__(self, model, mac=None, path=None):
        self.model = model
        self.path = Path(path) if path else None
        self._space = bytearray(model.efuse_size)
        self._hidden = ()  # blocks that read as zeros, since the last reset or command to read
        if self.path and self.path.exists():
            self._load()
            if mac and not any(self.mac):
                self._factory(mac)
        else:
            self._factory(mac or bytes.fromhex("240ac4000001"))
        self._hide_protected()

    def reset(self) -> None:
        """What a reset of the chip does to the controller: no command waits, nothing is prepared, all is read anew."""
        struct.pack_into("<I", self._space, self.model.efuse_command, 0)
        for block in self.model.blocks:
            self._take(block.write, block.words)
        self._hide_protected()

    @property
    def mac(self) -> bytes:
        """The six bytes of the base MAC."""
        if self.model.name == "esp32":
            return struct.pack(">HI", self._word(0, 2) & 0xFFFF, self._word(0, 1))
        return struct.pack(">HI", self._word(1, 1) & 0xFFFF, self._word(1, 0))

    def owns(self, address: int) -> bool:
        """Whether the address lies in the controller."""
        return 0 <= address - self.model.efuse < self.model.efuse_size

    def read(self, address: int) -> int:
        """A register of the controller, as software reads it."""
        offset = address - self.model.efuse
        if any(block.read <= offset < block.read + 4 * block.words for block in self._hidden):
            return 0
        return struct.unpack_from("<I", self._space, offset)[0]

    def image(self) -> bytes:
        """What the file has: all that is burned, as the chip's hardware reads it."""
        return bytes(self._space[::-1])

    def write(self, address: int, value: int) -> None:
        """Write a register; a command in it is carried out at once."""
        offset = address - self.model.efuse
        if any(block.read <= offset < block.read + 4 * block.words for block in self.model.blocks):
            return
        struct.pack_into("<I", self._space, offset, value & 0xFFFFFFFF)
        if offset == self.model.efuse_command:
            self._command(value)
            struct.pack_into("<I", self._space, offset, 0)

    @property
    def security(self) -> dict[str, Any]:
        """What the ROM knows about this chip's security, by name (TRM, "eFuse Controller")."""
        word = self._word
        if self.model.name == "esp32":
            return {
                "secure_boot": bool(word(0, 6) >> 4 & 3),
                "crypt_count": word(0, 0) >> 20 & 0x7F,
                "download_disabled": bool(word(0, 0) >> 27 & 1),
                "secure_download": False,
            }
        return {
            "secure_boot": bool(word(0, 3) >> 20 & 1),
            "crypt_count": word(0, 2) >> 18 & 7,
            "aggressive": bool(word(0, 3) >> 21 & 1),
            "revoked": word(0, 2) >> 21 & 7,
            "download_disabled": bool(word(0, 4) & 1),
            "secure_download": bool(word(0, 4) >> 5 & 1),
            "soft_jtag": bin(word(0, 1) >> 16 & 7).count("1") & 1,
            "hard_jtag": word(0, 1) >> 19 & 1,
            "download_icache": word(0, 1) >> 10 & 1,
            "purposes": (
                word(0, 2) >> 24 & 0xF,
                word(0, 2) >> 28 & 0xF,
                *(word(0, 3) >> shift & 0xF for shift in (0, 4, 8, 12)),
            ),
        }

    def burn(self, block: int, word: int, value: int) -> None:
        """Set bits of a block as the factory or a test would, past the write protection; saved."""
        self._or(block, word, value)
        self._save()

    def _word(self, block, word):
        return struct.unpack_from("<I", self._space, self.model.blocks[block].read + 4 * word)[0]

    def _or(self, block, word, value):
        offset = self.model.blocks[block].read + 4 * word
        struct.pack_into("<I", self._space, offset, (self._word(block, word) | value) & 0xFFFFFFFF)

    def _factory(self, mac):
        high, low = struct.unpack(">HI", mac)
        if self.model.name == "esp32":
            words = {
                (0, 1): low,
                (0, 2): high | _crc8(mac) << 16,
                (0, 3): 1 << 15 | 1 << 13 | 1 << 9,  # revision bit 0, CPU frequency rated, package D0WD
                (0, 4): 54 | 0x14 << 8,  # CLK8M_FREQ, ADC_VREF
                (0, 5): 1 << 20 | 1 << 24,
            }  # revision bit 1, v3.1
        else:
            words = {(1, 0): low, (1, 1): high, (1, 3): self.model.minor_revision << 18 | 1 << 24, (2, 4): 1}
        for (block, word), value in words.items():
            self._or(block, word, value)
        self._save()

    def _command(self, value):
        code = struct.unpack_from("<I", self._space, self.model.efuse_config)[0]
        if value & 3 == _PROGRAM and code == _WRITE_CODE:
            if self.model.name == "esp32":
                for number, block in enumerate(self.model.blocks):
                    self._program(number, self._take(block.write, block.words))
            else:
                self._program_coded(value >> 2 & 0xF)
        elif value & 3 == _READ and code == _READ_CODE:
            self._hide_protected()
            self._save()

    def _take(self, offset, words):
        """The words of write registers, which are cleared."""
        values = struct.unpack_from(f"<{words}I", self._space, offset)
        self._space[offset : offset + 4 * words] = bytes(4 * words)
        return values

    def _program_coded(self, number):
        """A block of S3 or C3: eight words and, but for BLOCK0, their Reed-Solomon bytes."""
        if number >= len(self.model.blocks):
            return
        check = bytes(self._space[_CHECK_VALUES : _CHECK_VALUES + 12])
        values = self._take(0, 8)
        plain = struct.pack("<8I", *values)
        if number and bytes(RSCodec(12).encode(plain))[32:] != check:
            at = 4 * (number - 1)
            offset = _RS_ERRORS + at // 32 * 4
            struct.pack_into(
                "<I", self._space, offset, struct.unpack_from("<I", self._space, offset)[0] | 0xF << at % 32
            )
        self._program(number, values[: self.model.blocks[number].words])

    def _program(self, number, values):
        guard = self.model.blocks[number].write_disable
        disabled = self._word(0, 0) & (0xFFFF if self.model.name == "esp32" else 0xFFFFFFFF)
        if guard is not None and disabled >> guard & 1:
            return
        kept = [0xFFFFFFFF] * len(values)
        if number == 0:
            for bit, word, mask in _GUARDED.get(self.model.name, _GUARDED["other"]):
                if disabled >> bit & 1:
                    kept[word] &= ~mask & 0xFFFFFFFF
        for word, value in enumerate(values):
            self._or(number, word, value & kept[word])

    def _hide_protected(self):
        disabled = self._word(0, 0) >> 16 & 0xF if self.model.name == "esp32" else self._word(0, 1) & 0x7F
        self._hidden = [
            block
            for block in self.model.blocks
            if block.read_disable is not None and disabled >> block.read_disable & 1
        ]

    def _load(self):
        data = self.path.read_bytes()
        if len(data) != self.model.efuse_size:
            raise UserError(
                f"{self.path} has {len(data)} bytes; the eFuses of an {self.model.name} "
                f"take {self.model.efuse_size}"
            )
        self._space = bytearray(data[::-1])

    def _save(self):
        if not self.path:
            return
        part = self.path.with_name(self.path.name + ".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(self.image())
        os.replace(part, self.path)


def _crc8(mac):
    """The CRC that the ESP32 keeps beside its MAC: polynomial 0x31, bits reflected."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
