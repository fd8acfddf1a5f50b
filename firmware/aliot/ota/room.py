"""Room for a release: what it needs, what is free, and the tree in its place taken away. Loaded for that moment."""

import os

from aliot import feed
from aliot.ota import trees
from aliot.ota.writer import UpdateError, files
from micropython import const

_FOLDERS = const(0x4000)
_BLOCK = const(4096)
_SMALL = const(128)  # bytes of a file that take no block of their own
_SPARE = const(
    6
)  # blocks that littlefs may need beside the files: the record, and what moves while it is written


def clear(found, name):
    """Take the tree `name` away, when there is room then for what the manifest at `trees.NEW` lists. A generator.

    It yields after each file that it deletes. `found`: the record. UpdateError when there is too little room.
    """
    tree = trees.FOLDER + name
    need = 0
    folders = {}
    for size, _, path in files(trees.NEW):
        need += needed(size)
        while "/" in path:
            path = path.rpartition("/")[0]
            folders[path] = True
    need += (len(folders) + 1) * 2 * _BLOCK - held(tree) - free()
    if need > 0:
        raise UpdateError("%d bytes more are needed" % need, "update.room")
    trees.forget(found, name)
    yield from remove(tree)


def free():
    """Bytes that are free, in whole blocks."""
    found = os.statvfs("/")
    return max(0, found[3] - _SPARE) * found[0]


def needed(size):
    """Bytes of flash that a file of `size` bytes takes at most."""
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


def held(path):
    """Bytes of flash that come free at least when a folder goes."""
    total = 2 * _BLOCK
    for name, kind, size in entries(path):
        if kind == _FOLDERS:
            total += held(path + "/" + name)
        elif size > _SMALL:
            total += needed(size)
    return total


def entries(path):
    """[(name, kind, size)] of a folder; none where it is not there."""
    try:
        return [(entry[0], entry[1], entry[3]) for entry in os.ilistdir(path)]
    except OSError:
        return []


def remove(path):
    """Remove a folder and all that is in it, a file between two yields. OSError."""
    for name, kind, _ in entries(path):
        feed()
        if kind == _FOLDERS:
            yield from remove(path + "/" + name)
        else:
            os.remove(path + "/" + name)
            yield
    try:
        os.rmdir(path)
    except OSError as problem:
        if problem.args[0] != 2:  # ENOENT
            raise
