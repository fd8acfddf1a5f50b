"""Files that hold a secret: written whole or not at all, and readable by their owner only."""

import contextlib
import errno
import os
from pathlib import Path

from tools import files


def write(path: Path | str, data: bytes | str) -> None:
    """Put `data` (bytes or str) at `path`, mode 0600, by renaming a finished file over it.

    Its folder is made, and what a killed write of the same file left there is removed. UserError when that
    cannot be.
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    with files.as_user_error(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    files.sweep(path.parent, path.name)
    files.write(path, data, files.PRIVATE)


def folder(path: Path | str) -> Path:
    """The `Path` of a folder for files that hold a secret. If it is new, only its owner gets in, and git takes
    nothing of it, in whatever repository it lies. UserError when it cannot be made.
    """
    path = Path(path)
    with files.as_user_error(f"make the folder {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            (path / ".gitignore").write_text("*\n")
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return path


def mask(secret: str) -> str:
    """A secret as it may be shown: its last four characters, if it is long enough for that."""
    return "****" + (secret[-4:] if len(secret) >= 12 else "")
