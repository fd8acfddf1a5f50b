"""The trees of updates, /ota/a and /ota/b: their files, the room that they take, and what the record says of them."""

import os
from hashlib import sha256

from aliot import feed
from aliot.ota import choice
from micropython import const

FOLDER = "/ota/"
_FOLDERS = const(0x4000)
_BLOCK = const(4096)
_SMALL = const(128)  # bytes of a file that take no block of their own
_SPARE = const(
    6
)  # blocks that littlefs may need beside the files: the record, and what moves while it is written


def target(tree):
    """The name, "a" or "b", of the tree that does not run; `tree`: that of what runs, "" for the golden one."""
    return "b" if tree == FOLDER + "a" else "a"


def record():
    """The record on the board, or that of a board without an update, as a bytearray."""
    return choice.read() or bytearray(17)


def forget(found, name):
    """Take a tree out of the record `found`, on flash before anything of the tree is touched. OSError."""
    trial, good, other = [0 if tree == ord(name) else tree for tree in found[4:7]]
    if not good:
        good, other = other, 0
    before = bytes(found[4:7])
    found[4:7] = bytes((trial, good, other))
    if before != found[4:7]:
        choice.write(found)


def room():
    """Bytes that are free, in whole blocks."""
    free = os.statvfs("/")
    return max(0, free[3] - _SPARE) * free[0]


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
    """Remove a folder and all that is in it. OSError."""
    for name, kind, _ in entries(path):
        feed()
        if kind == _FOLDERS:
            remove(path + "/" + name)
        else:
            os.remove(path + "/" + name)
    try:
        os.rmdir(path)
    except OSError as problem:
        if problem.args[0] != 2:  # ENOENT
            raise


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


def hashed(path, size):
    """The SHA-256 in hex of the first `size` bytes of a file; "" when it is shorter, or not there."""
    done = sha256()
    piece = bytearray(512)
    try:
        with open(path, "rb") as file:
            while size:
                count = file.readinto(memoryview(piece)[: min(size, 512)])
                if not count:
                    return ""
                done.update(memoryview(piece)[:count])
                size -= count
            if file.read(1):
                return ""
    except OSError:
        return ""
    return hexadecimal(done.digest())


def hexadecimal(data):
    """Bytes as hex digits."""
    return "".join(["%02x" % byte for byte in data])
