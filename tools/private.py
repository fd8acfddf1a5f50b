"""Files that hold a secret: written whole or not at all, and readable by their owner only."""

from pathlib import Path

from tools.ca import disk


def write(path, data):
    """Put `data` (bytes or str) at `path`, mode 0600, by renaming a finished file over it.

    Its folder is made. UserError when that cannot be.
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    with disk.told(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    disk.write(path, data, disk.PRIVATE)


def mask(secret):
    """A secret as it may be shown: its last four characters, if it is long enough for that."""
    return "****" + (secret[-4:] if len(secret) >= 12 else "")
