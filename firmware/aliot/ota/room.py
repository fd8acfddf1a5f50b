"""The place of a release: whether there is room once the old tree is gone, and the switch to the new one.

A stage of a writer, over in a moment.
"""

import os

from aliot import load
from aliot.ota import record
from aliot.ota.lines import files
from aliot.ota.trees import NEW
from aliot.ota.writer import UpdateError
from micropython import const

_FOLDERS = const(0x4000)
_BLOCK = const(4096)
_PIECE = const(512)
_SMALL = const(128)  # bytes of a file that take no block of their own
_SPARE = const(
    6
)  # blocks that littlefs may need beside the files: the record, and what moves while it is written


def steps(writer):
    """A tree that was begun with the same manifest stays; any other is to go, when there is room then for what the
    manifest lists. UpdateError when there is too little.
    """
    found = record.read() or bytearray(17)
    if writer.tree[-1].encode() in bytes(found[4:7]) or not _same(writer.path, NEW):
        check(writer.tree)
        forget(found, ord(writer.tree[-1]))
        writer.next.insert(0, "removal")
    return ()


def _same(one, other):
    """Whether two files have the same bytes."""
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            while True:
                data = first.read(_PIECE)
                if data != second.read(_PIECE):
                    return False
                if not data:
                    return True
    except OSError:
        return False


def switch(writer, module):
    """The next reset begins the trial of what was written. UpdateError."""
    try:
        if writer.slot:
            load("ota.place").switch(writer, module)
        else:
            _switch(writer)
    except OSError as problem:
        raise UpdateError("error %s" % problem.args[0], "update.flash")


def _switch(writer):
    found = record.read() or bytearray(17)
    found[4:9] = bytes((ord(writer.tree[-1]), found[5], found[6], 0, 0))
    found[9:17] = writer.seal
    if len(found) > 17:
        load("ota.pairs").hold(found)
    record.write(found)


def forget(found, name):
    """Take a tree, its letter's code, out of a record, on flash before anything of the tree is touched. OSError."""
    before = bytes(found)
    if len(found) > 17:
        load("ota.pairs").remove(found, name, 0)
    else:
        trial, good, other = [0 if tree == name else tree for tree in found[4:7]]
        found[4:7] = bytes((trial, good or other, other if good else 0))
    if before != found:
        record.write(found)


def check(tree):
    """UpdateError when the manifest at `NEW` needs more room than there is without a tree."""
    need = 0
    folders = {}
    for length, _, path in files(NEW):
        need += -(-length // _BLOCK) * _BLOCK
        while "/" in path:
            path = path.rpartition("/")[0]
            folders[path] = True
    need += (len(folders) + 1) * 2 * _BLOCK - held(tree) - free()
    if need > 0:
        raise UpdateError("%d bytes more are needed" % need, "update.room")


def free():
    """Bytes that are free, in whole blocks."""
    found = os.statvfs("/")
    return max(0, found[3] - _SPARE) * found[0]


def held(path):
    """Bytes of flash that come free at least when a folder goes."""
    total = 2 * _BLOCK
    for name, kind, length in entries(path):
        if kind == _FOLDERS:
            total += held(path + "/" + name)
        elif length > _SMALL:
            total += -(-length // _BLOCK) * _BLOCK
    return total


def entries(path):
    """[(name, kind, size)] of a folder; none where it is not there."""
    try:
        return [(entry[0], entry[1], entry[3]) for entry in os.ilistdir(path)]
    except OSError:
        return []
