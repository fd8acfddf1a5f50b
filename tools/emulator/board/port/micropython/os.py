"""The chip's `os`: the Unix port's without the host's environment."""

import _chip
import uos
from uos import chdir, getcwd, mkdir, remove, rename, rmdir, stat, statvfs, unlink, urandom

sep = "/"


def uname():
    import sys

    release = ".".join([str(part) for part in sys.implementation.version[:3]])
    chip = _chip.settings.get("chip", "esp32").upper()
    return ("esp32", "esp32", release, "v" + release, "Generic %s module with %s (emulated)" % (chip, chip))


def ilistdir(path="."):
    """Without the port's own modules, which a chip has in its firmware."""
    for entry in uos.ilistdir(path):
        if entry[0] not in (".frozen", ".case"):
            yield entry


def listdir(path="."):
    return [entry[0] for entry in ilistdir(path)]


def sync(*_):
    pass


dupterm = sync


def __getattr__(name):
    if name in ("mount", "umount", "VfsFat", "VfsLfs2"):
        import vfs

        return getattr(vfs, name)
    raise AttributeError(name)
