"""A flash image in a file as something to burn into, one sector after another."""

import os

from tools.errors import UserError

SECTOR = 4096


class FlashFile:
    """Reads and writes a flash file in place, as a context manager; UserError when it cannot be opened.

    This is what a burner asks of a board: `read(offset, size)`, `erase(offset, size)`
    and `write(offset, data)`, the last two in whole sectors, and `size`.
    """

    def __init__(self, path):
        try:
            self._file = open(path, "r+b", buffering=0)
        except OSError as error:
            raise UserError(f"cannot open {path}: {error.strerror}") from error
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, offset, size):
        return os.pread(self._file.fileno(), size, offset)

    def erase(self, offset, size):
        self.write(offset, b"\xff" * size)

    def write(self, offset, data):
        assert offset % SECTOR == 0 and len(data) % SECTOR == 0
        os.pwrite(self._file.fileno(), data, offset)
        os.fsync(self._file.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
