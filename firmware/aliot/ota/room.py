"""The place of a release: the old tree taken away when there is room, and the switch to the new one.

Loaded for these moments.
"""

import os

from aliot import feed, load
from aliot.ota import choice, trees
from aliot.ota.reading import hashing
from aliot.ota.writer import UpdateError, files
from micropython import const

_FOLDERS = const(0x4000)
_BLOCK = const(4096)
_SMALL = const(128)  # bytes of a file that take no block of their own
_SPARE = const(
    6
)  # blocks that littlefs may need beside the files: the record, and what moves while it is written


def prepare(name, digest):
    """Make the tree `name` the one of the manifest at `trees.NEW`, whose SHA-256 is `digest`. A generator.

    One that was begun with the same manifest stays; any other goes, when there is room then for what the manifest
    lists. It yields after each file that it deletes. UpdateError when there is too little room.
    """
    tree = trees.FOLDER + name
    own = tree + "/manifest"
    found = record()
    begun = name.encode() not in bytes(found[4:7])
    if not begun or (yield from hashing(own, size(own))) != trees.hexadecimal(digest):
        check(tree)
        forget(found, name)
        yield from remove(tree)
        trees.make(own)
        os.rename(trees.NEW, own)


def switch(name, digest):
    """The next reset begins the trial of the tree `name`; `digest`: the first 8 bytes of its manifest's SHA-256."""
    found = record()
    found[4:9] = bytes((ord(name), found[5], found[6], 0, 0))
    found[9:17] = digest
    if len(found) > 17:
        load("ota.pairs").stay(found)
    choice.write(found)


def record():
    """The record on the board, or that of a board without an update, as a bytearray."""
    return choice.read() or bytearray(17)


def forget(found, name):
    """Take a tree out of the record `found`, on flash before anything of the tree is touched. OSError."""
    before = bytes(found)
    if len(found) > 17:
        load("ota.pairs").forget(found, ord(name), 0)
    else:
        trial, good, other = [0 if tree == ord(name) else tree for tree in found[4:7]]
        found[4:7] = bytes((trial, good or other, other if good else 0))
    if before != found:
        choice.write(found)


def check(tree):
    """UpdateError when the manifest at `trees.NEW` needs more room than there is without a tree."""
    need = 0
    folders = {}
    for length, _, path in files(trees.NEW):
        need += needed(length)
        while "/" in path:
            path = path.rpartition("/")[0]
            folders[path] = True
    need += (len(folders) + 1) * 2 * _BLOCK - held(tree) - free()
    if need > 0:
        raise UpdateError("%d bytes more are needed" % need, "update.room")


def size(path):
    """Bytes of a file, 0 where there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def free():
    """Bytes that are free, in whole blocks."""
    found = os.statvfs("/")
    return max(0, found[3] - _SPARE) * found[0]


def needed(length):
    """Bytes of flash that a file of so many bytes takes at most."""
    return (length + _BLOCK - 1) // _BLOCK * _BLOCK


def held(path):
    """Bytes of flash that come free at least when a folder goes."""
    total = 2 * _BLOCK
    for name, kind, length in entries(path):
        if kind == _FOLDERS:
            total += held(path + "/" + name)
        elif length > _SMALL:
            total += needed(length)
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
