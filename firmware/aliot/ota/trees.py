"""The trees of updates, /ota/a and /ota/b: their files and their manifests."""

import os
from hashlib import sha256

from aliot import feed
from micropython import const

FOLDER = "/ota/"
NEW = "/ota/r/new"  # a manifest, before its signature is checked
_PIECE = const(512)
_STEP = const(4095)  # bytes read between two yields, less one


def target(tree):
    """The name, "a" or "b", of the tree that does not run; `tree`: that of what runs, "" for the golden one."""
    return "b" if tree == FOLDER + "a" else "a"


def make(path):
    """Make the folders that a file needs."""
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError as problem:
            if problem.args[0] != 17:  # EEXIST
                raise
        at = path.find("/", at + 1)


def lines(path):
    """The lines of a manifest: [name, rest], for a file ["file", size, SHA-256, path]."""
    with open(path, "rb") as file:
        while True:
            line = file.readline()
            if not line:
                return
            line = line.decode().rstrip("\n")
            yield line.split(" ", 3) if line[:5] == "file " else line.split(" ", 1)


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
    return hexadecimal(done.digest())


def hexadecimal(data):
    """Bytes as hex digits."""
    return "".join(["%02x" % byte for byte in data])
