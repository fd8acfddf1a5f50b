"""The SPI flash of an emulated board, over one file; NVS and littlefs both sit on it.

NOR rules: programming can only clear bits, erasing sets a sector of 4096 bytes
to 0xFF. Each erase and each program is one operation; they are counted, and at
a chosen one the power goes, before it or in the middle of it.
"""

import _chip

SECTOR = 4096


class Flash:
    """`path` names the flash file, whose size is the chip's.

    `cut` is the number of the operation (1 is the first) at which the power
    goes, 0 for never. With `torn` that operation is done by half, otherwise
    not at all. `count` is the file that always holds the number of operations
    done so far, little-endian in 4 bytes.
    """

    def __init__(self, path, cut=0, torn=False, count=None):
        self._file = _chip.open(path, "r+b")
        self.size = self._file.seek(0, 2)
        self.operations = 0
        self._cut = cut
        self._torn = torn
        self._count = count and _chip.open(count, "r+b")

    def read(self, offset, length):
        """`length` bytes from `offset`."""
        self._seek(offset, length)
        return self._file.read(length)

    def readinto(self, offset, buffer):
        """Fill `buffer` from `offset`."""
        self._seek(offset, len(buffer))
        self._file.readinto(buffer)

    def program(self, offset, data):
        """Clear at `offset` each bit that is 0 in `data`; a bit that is 0 stays 0. One operation."""
        if self._cut and self.operations + 1 == self._cut:
            self._power_off(self._program, offset, bytes(data[: len(data) // 2]))
        self._program(offset, data)
        self._done()

    def erase(self, offset):
        """Set the sector that begins at `offset` to 0xFF. One operation."""
        if offset % SECTOR:
            raise OSError(22)
        if self._cut and self.operations + 1 == self._cut:
            self._power_off(self._half_erase, offset)
        self._blank(offset, SECTOR)
        self._done()

    def _program(self, offset, data):
        old = self.read(offset, len(data))
        if old.count(b"\xff") != len(old):
            data = bytes(a & b for a, b in zip(old, data))
        self._seek(offset, len(data))
        self._file.write(data)

    def _half_erase(self, offset):
        # cells on their way to 1: the front is there, the rest has some bits of it
        old = self.read(offset + SECTOR // 2, SECTOR // 2)
        self._blank(offset, SECTOR // 2)
        self._file.write(bytes(b | i * 37 & 0xFF for i, b in enumerate(old)))

    def _blank(self, offset, length):
        self._seek(offset, SECTOR)
        blank = b"\xff" * 256
        for _ in range(length // 256):
            self._file.write(blank)

    def _done(self):
        self.operations += 1
        if self._count:
            self._count.seek(0)
            self._count.write(self.operations.to_bytes(4, "little"))

    def _power_off(self, torn, *arguments):
        if self._torn:
            torn(*arguments)
        _chip.stop(_chip.POWER_CUT)

    def _seek(self, offset, length):
        if offset < 0 or offset + length > self.size:
            raise OSError(22)
        self._file.seek(offset)
