"""NOR flash in a file: programming only clears bits, erasing is by sector, and power may go at any operation.

An operation is the erase of one sector or the programming of one page. What
was acknowledged is in the file (pwrite), so that a killed process loses none
of it.
"""

import hashlib
import os

from tools.errors import UserError

SECTOR, BLOCK, PAGE = 4096, 65536, 256
SIZES = tuple(count << 20 for count in (1, 2, 4, 8, 16, 32))
_MANUFACTURER, _TYPE = 0xEF, 0x40  # as a Winbond W25Q


class PowerCut(Exception):
    """Power went in the middle of a flash operation; the file holds what a chip would."""


class OutOfRange(Exception):
    """An address beyond the end of the flash."""


class Nor:
    """The flash chip of a board. `cut_at`: the operation, counted from 1, in whose middle power goes."""

    def __init__(self, path, size=None, cut_at=None):
        """Opens the file, or makes a blank one of `size` bytes. UserError when it is no flash image."""
        self.path = str(path)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(f"cannot open {self.path}: {error.strerror}") from error
        self.size = os.fstat(self._file).st_size
        if not self.size:
            self.size = size or 4 << 20
            for at in range(0, self.size, BLOCK):
                os.pwrite(self._file, b"\xff" * BLOCK, at)
        if self.size not in SIZES or size not in (None, self.size):
            os.close(self._file)
            wanted = f"{size >> 20} MB" if size else "1, 2, 4, 8, 16 or 32 MB"
            raise UserError(f"{self.path} has {self.size} bytes; a flash of {wanted} was asked for")
        self.operations = 0
        self.cut_at = cut_at

    @property
    def jedec(self) -> int:
        """The answer to command 0x9F as a register shows it: manufacturer in the lowest byte."""
        return _MANUFACTURER | _TYPE << 8 | (self.size.bit_length() - 1) << 16

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`; OutOfRange beyond the end."""
        self._check(offset, size)
        return os.pread(self._file, size, offset)

    def md5(self, offset: int, size: int) -> bytes:
        """The MD5 digest of a region."""
        return hashlib.md5(self.read(offset, size)).digest()

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in `data`, page by page."""
        self._check(offset, len(data))
        at = 0
        while at < len(data):
            count = min(PAGE - (offset + at) % PAGE, len(data) - at)
            self._program_page(offset + at, data[at : at + count])
            at += count

    def erase(self, offset: int, size: int = SECTOR) -> None:
        """Set all bits in the sectors that the region touches."""
        first, end = offset - offset % SECTOR, offset + size
        self._check(first, end - first)
        for at in range(first, end, SECTOR):
            torn = self._count()
            os.pwrite(self._file, b"\xff" * (SECTOR // 2 if torn else SECTOR), at)
            if torn:
                raise PowerCut(f"while erasing 0x{at:x}")

    def _program_page(self, offset, data):
        torn = self._count()
        data = data[: len(data) // 2] if torn else data
        old = int.from_bytes(os.pread(self._file, len(data), offset), "little")
        new = (old & int.from_bytes(data, "little")).to_bytes(len(data), "little")
        os.pwrite(self._file, new, offset)
        if torn:
            raise PowerCut(f"while programming 0x{offset:x}")

    def _count(self):
        """Counts one operation; whether it is the one that power does not outlast."""
        self.operations += 1
        return self.operations == self.cut_at

    def _check(self, offset, size):
        if offset < 0 or size < 0 or offset + size > self.size:
            raise OutOfRange(f"0x{offset:x} and {size} bytes, but the flash ends at 0x{self.size:x}")
