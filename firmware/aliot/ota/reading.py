"""Files of a release read back from flash: those that a cut has left whole, and all of them at the end.

A stage of a writer, twice: it waits after each 4096 bytes, and after each file.
"""

import os
from hashlib import sha256

from aliot import feed
from aliot.ota.writer import UpdateError
from micropython import const

_PIECE = const(256)
_STEP = const(4095)  # bytes read between two yields, less one


def steps(writer):
    return back(writer) if writer.whole is not None else find(writer)


def find(writer):
    """How far in the manifest files are whole; what they have of the package is done with."""
    writer.whole = at = 0
    while True:
        yield
        entry = writer.entry(at)
        if not entry or (yield from hashing(entry[2], entry[0])) != entry[1]:
            return
        if writer.digest:
            yield from hashing(entry[2], entry[0], writer.digest)
        writer.at += entry[0]
        writer.whole = at = entry[3]


def back(writer):
    """All files once more. UpdateError when one is not what was written."""
    at = 0
    while True:
        yield
        entry = writer.entry(at)
        if not entry:
            return
        if (yield from hashing(entry[2], entry[0])) != entry[1]:
            os.remove(writer.path)
            raise UpdateError(entry[2], "update.flash")
        at = entry[3]


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
    return done.digest().hex()
