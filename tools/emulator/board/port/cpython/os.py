"""The chip's `os`: files of the board, nothing of the host."""

import os as host
import posixpath
import sys

import _chip
import vfs
from vfs import mount, umount

sep = "/"
urandom = host.urandom
_FOLDER, _FILE = 0x4000, 0x8000


def uname():
    release = ".".join(str(part) for part in sys.implementation.version[:3])
    chip = _chip.settings.get("chip", "esp32").upper()
    return ("esp32", "esp32", release, "v" + release, "Generic %s module with %s (emulated)" % (chip, chip))


def ilistdir(path="."):
    """(name, type, 0, size) of each entry."""
    folder = vfs.at(path)
    for name in vfs.do("listdir", folder):
        mode, *_, size = stat(posixpath.join(folder, name))[:7]
        yield (name, mode, 0, size)


def listdir(path="."):
    return vfs.do("listdir", vfs.at(path))


def stat(path):
    found = vfs.do("stat", vfs.at(path))
    return (_FOLDER if found.type == 2 else _FILE, 0, 0, 0, 0, 0, found.size, 0, 0, 0)


def statvfs(path):
    counts = vfs.do("fs_stat")
    free = counts.block_count - vfs.used_blocks()
    return (counts.block_size, counts.block_size, counts.block_count, free, free, 0, 0, 0, 0, 255)


def rename(old, new):
    vfs.do("rename", vfs.at(old), vfs.at(new))


def remove(path):
    vfs.do("remove", vfs.at(path))


def mkdir(path):
    vfs.do("mkdir", vfs.at(path))


def chdir(path):
    if vfs.at(path) != "/" and stat(path)[0] != _FOLDER:
        raise OSError(2)
    vfs.change(path)


def getcwd():
    return vfs.at(".")


def sync():
    pass


def dupterm(stream, index=0):
    return None


unlink = rmdir = remove
