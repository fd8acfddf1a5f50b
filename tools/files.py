"""Files that are there whole or not at all."""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tools.errors import UserError

PRIVATE = 0o600
PUBLIC = 0o644
_PARTIAL = re.compile(r"\.(.+)\.[0-9]+\.partial")


@contextlib.contextmanager
def as_user_error(doing: str) -> Iterator[None]:
    """Turns an OSError into `cannot <doing>: <why>`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing}: {error.strerror or error}") from error


def write(path: Path | str, data: bytes, mode: int = PUBLIC) -> None:
    """Write `data` (bytes) to `path` at once: whole on disk with these permission bits, or not there."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.randbelow(10**9)}.partial")
    with as_user_error(f"write {path}"):
        with _new(partial, mode) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(partial, path)
        sync_folder(path.parent)


@contextlib.contextmanager
def _new(path, mode):
    """A new file, locked while it is open: the kernel tells `sweep` so whether its writer still lives."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with open(descriptor, "wb") as stream:
            with contextlib.suppress(OSError):  # a file system without locks: `sweep` leaves it alone
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(descriptor, mode)
            yield stream
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sweep(folder: Path | str, name: str | None = None) -> None:
    """Remove what killed calls of `write` left in a folder, of all files or of the one called `name`."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            found = _PARTIAL.fullmatch(entry)
            if found and name in (None, found[1]):
                with contextlib.suppress(OSError):
                    _remove_dead(Path(folder) / entry)


def _remove_dead(path):
    """Remove a partial file that nobody writes; an empty one may not have come to its lock yet."""
    with open(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "rb+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(stream.fileno()).st_size:
            path.unlink()


def sync_folder(folder: Path | str) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path | str, limit: int) -> bytes:
    """The bytes of a file of at most `limit` bytes; UserError names the file and what is wrong."""
    with as_user_error(f"read {path}"):
        with open(path, "rb") as stream:
            data = stream.read(limit + 1)
    if len(data) > limit:
        raise UserError(f"{path} is larger than {limit} bytes; this is not the file you mean")
    return data


@contextlib.contextmanager
def locked(path: Path | str, message: str) -> Iterator[None]:
    """Hold a lock on `path` for as long as the block runs; UserError(message) if another process has it.

    The kernel lets go of it when the process ends, however that happens.
    """
    lock = FileLock(path, mode=PRIVATE)
    with as_user_error(f"write {path}"):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise UserError(message) from None
    try:
        yield
    finally:
        lock.release()
