"""The SPI flash of an emulated board, over one file; NVS and littlefs both sit on it.

NOR rules: programming can only clear bits, erasing sets a sector of 4096 bytes
to 0xFF. Each erase and each program is one operation; they are counted, and at
a chosen one the power goes (flash_cut). Reads of blocks, which is how littlefs
reads, are counted too.
"""

from struct import pack_into

import _chip
import esp32

SECTOR = 4096


class Flash:
    """`path` names the flash file, whose size is the chip's.

    `cut` is the number of the operation (1 is the first) at which the power
    goes, 0 for never. With `torn` that operation is done by half, otherwise
    not at all. `count` is the file that always begins with the numbers of
    operations and of block reads done so far, little-endian in 4 bytes each.
    """

    def __init__(self, path, cut=0, torn=False, count=None):
        self._file = _chip.open(path, "r+b")
        self.size = self._file.seek(0, 2)
        self.operations = self.reads = 0
        self._cut = cut
        self.torn = torn
        self._count = _chip.map_file(count, True) if count else bytearray(8)

    def read(self, at, size):
        """`size` bytes from `at`."""
        self.seek(at, size)
        return self._file.read(size)

    def readinto(self, at, buffer):
        """Fill `buffer` from `at`. One block read."""
        self.seek(at, len(buffer))
        self._file.readinto(buffer)
        self.reads += 1
        pack_into("<I", self._count, 4, self.reads)

    def program(self, at, data):
        """Clear at `at` each bit that is 0 in `data`; a bit that is 0 stays 0. One operation."""
        if self._cut == self.operations + 1:
            esp32._load("flash_cut").program(self, at, data)
        data = memoryview(data)
        for first in range(0, len(data), 256):
            new = data[first : first + 256]
            old = self.read(at + first, len(new))
            if old.count(b"\xff") != len(old):
                new = bytes(a & b for a, b in zip(old, new))
            self.write(at + first, new)
        self.operations += 1
        pack_into("<I", self._count, 0, self.operations)

    def erase(self, at):
        """Set the sector that begins at `at` to 0xFF. One operation."""
        if at % SECTOR:
            raise OSError(22)
        if self._cut == self.operations + 1:
            esp32._load("flash_cut").erase(self, at)
        blank = b"\xff" * 256
        for place in range(at, at + SECTOR, 256):
            self.write(place, blank)
        self.operations += 1
        pack_into("<I", self._count, 0, self.operations)

    def write(self, at, data):
        """Bytes into the file as they are."""
        self.seek(at, len(data))
        self._file.write(data)

    def seek(self, at, size):
        if at < 0 or at + size > self.size:
            raise OSError(22)
        self._file.seek(at)


class Blocks:
    """`size` bytes of a flash from `at` as a block device, which littlefs lies on."""

    def __init__(self, flash, at, size):
        self._flash = flash
        self.at = at
        self.size = size

    def readblocks(self, block, buffer, offset=0):
        self._flash.readinto(self.at + block * SECTOR + offset, buffer)

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        self._flash.program(self.at + block * SECTOR + offset, buffer)

    def ioctl(self, command, argument):
        if command == 4:
            return self.size // SECTOR
        if command == 5:
            return SECTOR
        if command == 6:
            self._flash.erase(self.at + argument * SECTOR)
        return 0
