"""A flash image in a file, with the calls that a burn makes on a chip: read, erase and write sectors."""

import os
from pathlib import Path
from typing import Protocol

from tools.errors import UserError

SECTOR = 4096


class Flash(Protocol):
    """What a burner asks of a board: `erase` and `write` in whole sectors."""

    def read(self, offset: int, size: int) -> bytes: ...
    def erase(self, offset: int, size: int) -> None: ...
    def write(self, offset: int, data: bytes) -> None: ...


class FlashFile:
    """Reads and writes a flash file in place, as a context manager; UserError when it cannot be opened.

    It is a `Flash`, and knows its `size`.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            self._file = open(path, "r+b", buffering=0)
        except OSError as error:
            raise UserError(f"cannot open {path}: {error.strerror}") from error
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def erase(self, offset: int, size: int) -> None:
        self.write(offset, b"\xff" * size)

    def write(self, offset: int, data: bytes) -> None:
        assert offset % SECTOR == 0 and len(data) % SECTOR == 0
        os.pwrite(self._file.fileno(), data, offset)
        os.fsync(self._file.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
