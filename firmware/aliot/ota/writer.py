"""A package taken in block by block and written into the tree that does not run; nothing of it is held whole.

    writer = Writer(device.product_key)
    while not writer.done:
        writer.write(the bytes of the package from writer.at on, as many as there are)
    writer.switch()

A writer that begins again where power went, or a connection, finds the files that are there: after the manifest its
`at` is behind them. What is refused leaves the old release as it is.
"""

import os
from hashlib import sha256

import aliot
from aliot import feed, load, unload
from aliot.errors import AliotError
from aliot.ota import choice, trees
from micropython import const

_HEAD = const(20)  # bytes before the signature
_NEW = "/ota/r/new"  # a manifest, before its signature is checked


class UpdateError(AliotError):
    """What keeps a package from becoming a release; the old one runs on. Its advice is a sentence for each code.

    Codes: `update.` and form, cut, signature, key, keyless, product, board, mpy, least, store, older, tried, trial,
    changed, room, flash.
    """

    code = "update"
    retry = "never"


class Writer:
    """`at`: the offset in the package of the next byte that is wanted; `done`: the tree is whole, and was read back.

    `again`: also take a package whose trial has failed. UpdateError of a write ends it.
    """

    done = False

    def __init__(self, product_key, again=False):
        self._product_key = product_key
        self._again = again
        self.at = 0
        self._name = trees.target(aliot.tree)
        self._tree = trees.FOLDER + self._name
        self._data = memoryview(b"")
        self._run = self._steps()
        next(self._run)

    def write(self, data):
        """Take the bytes of the package from `at` on. UpdateError."""
        self._data = memoryview(data)
        try:
            next(self._run)
        except StopIteration:
            pass  # it is whole, or was refused before
        except OSError as problem:
            raise _of_flash(problem)
        except (ValueError, KeyError, IndexError):
            raise UpdateError("the manifest", "update.form")

    def close(self):
        """There are no more bytes. UpdateError when some are missing."""
        if not self.done:
            raise UpdateError("ends at %d" % self.at, "update.cut")

    def switch(self):
        """The next reset begins the trial of what was written. UpdateError."""
        try:
            found = trees.record()
            found[4:9] = bytes((ord(self._name), found[5], found[6], 0, 0))
            found[9:17] = self._sum
            choice.write(found)
        except OSError as problem:
            raise _of_flash(problem)

    # Generators, which go on with each write.

    def _some(self, most):
        """From 1 to `most` of the next bytes."""
        while not len(self._data):
            yield
        piece = self._data[:most]
        self._data = self._data[len(piece) :]
        self.at += len(piece)
        feed()
        return piece

    def _all(self, size):
        data = bytearray()
        while len(data) < size:
            data += yield from self._some(size - len(data))
        return data

    def _steps(self):
        head = yield from self._all(_HEAD)
        signature, size, modulus = load("ota.package").head(head)
        unload("ota.package")
        signature = yield from self._all(signature)
        found = trees.record()
        if found[4]:
            raise UpdateError("a release is on trial", "update.trial")
        trees.make(_NEW)
        digest = yield from self._copy(_NEW, size)
        load("ota.package").check_signature(signature, digest, modulus)
        signature = modulus = None
        self._sum = digest[:8]
        if found[8] and found[9:17] == self._sum and not self._again:
            raise UpdateError("its trial failed", "update.tried")
        load("ota.package").check(_NEW, self._product_key, aliot.tree)
        unload("ota.package")
        whole = self._begin(found, digest)
        for size, wanted, path in _files(self._tree + "/manifest"):
            path = self._tree + "/" + path
            if whole and trees.hashed(path, size) == wanted:
                self.at += size
                self._data = self._data[size:]
                continue
            whole = False
            yield from self._file(path, size, wanted)
        if len(self._data):
            raise UpdateError("bytes behind its last file", "update.form")
        self._read_back()
        self.done = True

    def _copy(self, path, size):
        """Write the next `size` bytes into a file; their SHA-256."""
        done = sha256()
        with open(path, "wb") as file:
            while size:
                piece = yield from self._some(size)
                done.update(piece)
                file.write(piece)
                size -= len(piece)
        return done.digest()

    def _file(self, path, size, wanted):
        trees.make(path)
        digest = yield from self._copy(path, size)
        if trees.hexadecimal(digest) != wanted:
            os.remove(path)
            raise UpdateError(path, "update.changed")

    def _begin(self, found, digest):
        """Make the tree ready for the files; whether some of them may be there."""
        own = self._tree + "/manifest"
        if self._name.encode() not in bytes(found[4:7]) and _same(own, digest):
            return True
        need = 0
        folders = {}
        for size, _, path in _files(_NEW):
            need += trees.needed(size)
            while "/" in path:
                path = path.rpartition("/")[0]
                folders[path] = True
        need += (len(folders) + 1) * 2 * 4096 - trees.held(self._tree) - trees.room()
        if need > 0:
            raise UpdateError("%d bytes more are needed" % need, "update.room")
        trees.forget(found, self._name)
        trees.remove(self._tree)
        trees.make(own)
        os.rename(_NEW, own)
        return True

    def _read_back(self):
        """All files once more, as they are on the flash."""
        for size, wanted, path in _files(self._tree + "/manifest"):
            feed()
            if trees.hashed(self._tree + "/" + path, size) != wanted:
                os.remove(self._tree + "/manifest")
                raise UpdateError(path, "update.flash")


def _files(path):
    """(size, SHA-256 in hex, path in the tree) of each file of a manifest. UpdateError."""
    for line in trees.lines(path):
        if line[0] == "file":
            name = line[3]
            if name[0] == "/" or ".." in name.split("/"):
                raise UpdateError(name, "update.form")
            yield int(line[1]), line[2], name


def _same(path, digest):
    try:
        return trees.hashed(path, os.stat(path)[6]) == trees.hexadecimal(digest)
    except OSError:
        return False


def _of_flash(problem):
    """What an OSError of the file system is for an update; 28 is ENOSPC."""
    number = problem.args[0]
    return UpdateError("error %s" % number, "update.room" if number == 28 else "update.flash")
