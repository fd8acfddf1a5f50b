"""Files that are there whole or not at all."""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from tools.errors import UserError

PRIVATE = 0o600
PUBLIC = 0o644


@contextlib.contextmanager
def told(doing):
    """Turns an OSError into `cannot <doing>: <why>`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing}: {error.strerror or error}") from error


def write(path, data, mode=PUBLIC):
    """Write `data` (bytes) to `path` at once: whole on disk with these permission bits, or not there."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.randbelow(10**9)}.partial")
    with told(f"write {path}"):
        try:
            _store(partial, data, mode)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _store(path, data, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def sync_folder(folder):
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path, limit):
    """The bytes of a file of at most `limit` bytes; UserError names the file and what is wrong."""
    with told(f"read {path}"):
        with open(path, "rb") as stream:
            data = stream.read(limit + 1)
    if len(data) > limit:
        raise UserError(f"{path} is larger than {limit} bytes; this is not the file you mean")
    return data


@contextlib.contextmanager
def locked(path, message):
    """Hold a lock on `path` for as long as the block runs; UserError(message) if another process has it.

    The kernel lets go of it when the process ends, however that happens.
    """
    with told(f"write {path}"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(message) from None
        yield
    finally:
        os.close(descriptor)
