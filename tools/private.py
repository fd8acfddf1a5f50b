"""Files that hold a secret: written whole or not at all, and readable by their owner only."""

import os
import secrets
from pathlib import Path

from tools.errors import UserError


def write(path, data):
    """Put `data` (bytes or str) at `path`, mode 0600, by renaming a finished file over it.

    Its folder is made. UserError when that cannot be.
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _sync_folder(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mask(secret):
    """A secret as it may be shown: its last four characters, if it is long enough for that."""
    return "****" + (secret[-4:] if len(secret) >= 12 else "")
