"""The trees of updates, /ota/a and /ota/b: their files and their manifests."""

import os


FOLDER = "/ota/"
NEW = "/ota/r/new"  # a manifest, before its signature is checked


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


def hexadecimal(data):
    """Bytes as hex digits."""
    return "".join(["%02x" % byte for byte in data])
