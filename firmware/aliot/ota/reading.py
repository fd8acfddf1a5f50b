"""Files of a release read back from flash: those that a cut has left whole, and all of them at the end.

Loaded for these moments; generators, which yield after each 4096 bytes, and after each file.
"""

import os
from hashlib import sha256

from aliot import feed
from aliot.ota import trees
from aliot.ota.writer import UpdateError, files
from micropython import const

_PIECE = const(512)
_STEP = const(4095)  # bytes read between two yields, less one


def taken(head, manifest, digest):
    """Where in its package the bytes behind a manifest begin, which lies in flash; `digest` is given those before."""
    size = os.stat(manifest)[6]
    if digest:
        digest.update(head)
        yield from hashing(manifest, size, digest)
    return len(head) + size


def found(tree, digest):
    """[size] of the first files of a tree that are whole. `digest`, if there is one, is given their bytes."""
    sizes = []
    for size, wanted, path in files(tree + "/manifest"):
        yield
        path = tree + "/" + path
        if (yield from hashing(path, size)) != wanted:
            break
        if digest:
            yield from hashing(path, size, digest)
        sizes.append(size)
    return sizes


def back(tree):
    """All files of a tree once more. UpdateError when one is not what was written."""
    for size, wanted, path in files(tree + "/manifest"):
        yield
        if (yield from hashing(tree + "/" + path, size)) != wanted:
            os.remove(tree + "/manifest")
            raise UpdateError(path, "update.flash")


def hashing(path, size, more=None):
    """The SHA-256 in hex of a file of `size` bytes; "" when it has another size, or is not there.

    A generator: it yields after each 4096 bytes. `more`, another digest, is given the bytes too.
    """
    done = sha256()
    view = memoryview(bytearray(_PIECE))
    at = 0
    try:
        with open(path, "rb") as file:
            while at < size:
                piece = view[: file.readinto(view[: min(size - at, _PIECE)])]
                if not len(piece):
                    return ""
                done.update(piece)
                if more:
                    more.update(piece)
                at += len(piece)
                if not at & _STEP:
                    feed()
                    yield
            if file.read(1):
                return ""
    except OSError:
        return ""
    return trees.hexadecimal(done.digest())
