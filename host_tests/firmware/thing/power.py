"""A file system in memory whose power goes at a chosen flash operation, for device tests."""

import os

from micropython import const

_SECTOR = const(4096)


class Flash:
    """A block device of `blocks` sectors with littlefs on it, mounted at '/'.

    From `cut(operation, torn)` on nothing reaches the flash that comes after that operation, which itself is done not
    at all or by half; what runs does not notice. `restart()` mounts what is in the flash then.
    """

    def __init__(self, blocks=16):
        self.data = bytearray(b"\xff" * (blocks * _SECTOR))
        self.kept = None
        self.operations = self.erases = self.cut_at = 0
        self.torn = False
        os.VfsLfs2.mkfs(self)
        self.mount()

    def mount(self):
        try:
            os.umount("/")
        except OSError:
            pass
        os.mount(os.VfsLfs2(self), "/")

    def cut(self, operation, torn=False):
        """Power goes at that operation from now; 1 is the next."""
        self.cut_at = self.operations + operation
        self.torn = torn

    @property
    def dark(self):
        """Whether the power has gone."""
        return self.kept is not None

    def restart(self):
        """Power on again, or now; returns whether it had gone."""
        gone = self.kept is not None
        if gone:
            self.data[:] = self.kept
        self.kept = None
        self.cut_at = 0
        self.mount()
        return gone

    def readblocks(self, block, buffer, offset=0):
        at = block * _SECTOR + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        self._put(block * _SECTOR + offset, buffer, 0)

    def ioctl(self, command, argument):
        if command == 4:
            return len(self.data) // _SECTOR
        if command == 5:
            return _SECTOR
        if command == 6:
            self.erases += 1
            self._put(argument * _SECTOR, b"\xff" * _SECTOR, 1)
        return 0

    def _put(self, at, data, erase):
        self.operations += 1
        if self.operations == self.cut_at:
            self.kept = bytearray(self.data)
            if self.torn:
                half = len(data) // 2
                self.kept[at : at + half] = data[:half]
        self.data[at : at + len(data)] = data
