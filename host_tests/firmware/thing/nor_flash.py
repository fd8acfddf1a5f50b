"""A flash in memory whose power goes at a chosen operation, for device tests: littlefs lies on it, mounted at '/'."""

import vfs
from micropython import const

_SECTOR = const(4096)


class Flash:
    """A block device of `blocks` sectors; a program of up to 128 bytes and an erase of a sector are an operation each.

    From `cut(operation, torn)` on nothing reaches the flash that comes after that operation, which itself is done not
    at all or by half; what runs does not notice. `restart()` mounts what is in the flash then. With `log` a list, each
    operation leaves (where, bytes) there, as `cuts` does.
    """

    def __init__(self, blocks=16):
        self.data = bytearray(b"\xff" * (blocks * _SECTOR))
        self.kept = self.log = None
        self.operations = self.erases = self.cut_at = 0
        self.torn = False
        vfs.VfsLfs2.mkfs(self)
        self.mount()

    def mount(self):
        try:
            vfs.umount("/")
        except OSError:
            pass
        vfs.mount(vfs.VfsLfs2(self), "/")

    def put(self, data):
        """Other bytes in the flash, mounted."""
        self.data[:] = data
        self.mount()

    def cut(self, operation, torn=False):
        """Power goes at that operation from now; 1 is the next."""
        self.cut_at = self.operations + operation
        self.torn = torn

    @property
    def dark(self):
        """Whether the power has gone."""
        return self.kept is not None

    def restart(self):
        """Power on again, or off and on."""
        self.put(self.kept or self.data)
        self.kept = None
        self.cut_at = 0

    def cuts(self, action):
        """Does `action()`; then yields for each of its operations with the flash as a cut leaves it, none of it done or
        half of it, and at last with all done."""
        base = bytearray(self.data)
        self.log = []
        action()
        log, self.log = self.log, None
        whole = bytes(self.data)
        for place, data in log:
            for share in (0, 1):
                half = len(data) * share // 2
                torn = bytearray(base)
                torn[place : place + half] = data[:half]
                self.put(torn)
                yield
            base[place : place + len(data)] = data
        self.put(whole)

    def readblocks(self, block, buffer, offset=0):
        at = block * _SECTOR + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        self._do(block * _SECTOR + offset, buffer)

    def ioctl(self, command, argument):
        if command == 4:
            return len(self.data) // _SECTOR
        if command == 5:
            return _SECTOR
        if command == 6:
            self.erases += 1
            self._do(argument * _SECTOR, b"\xff" * _SECTOR)
        return 0

    def _do(self, at, data):
        self.operations += 1
        if self.log is not None:
            self.log.append((at, bytes(data)))
        if self.operations == self.cut_at:
            self.kept = bytearray(self.data)
            if self.torn:
                half = len(data) // 2
                self.kept[at : at + half] = data[:half]
        self.data[at : at + len(data)] = data
