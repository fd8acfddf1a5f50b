"""A package taken in block by block and written where nothing runs; nothing of it is held whole.

Its files become the tree that does not run, an image of the firmware the slot that does not (aliot.ota.image).

    writer = Writer(device.product_key)
    while not writer.done:
        writer.write(the bytes of the package from writer.at on, as many as there are)
    writer.switch()

A writer that begins again where power went, or a connection, finds the files that are there: after the manifest its
`at` is behind them. What is refused leaves the old release as it is.

One write takes all that it is given, up to the end of a file. What takes long (reading files back, taking an old tree
away) it does in steps, each at most 4096 bytes read or one file deleted; `wants` is False meanwhile, and the next
write goes on with it, even without bytes.
"""

import os
from hashlib import sha256

import aliot
from aliot import feed, load, unload
from aliot.errors import AliotError
from aliot.ota import trees
from micropython import const

_HEAD = const(20)  # bytes before the signature


class UpdateError(AliotError):
    """What keeps a package from becoming a release; the old one runs on. Its advice is a sentence for each code.

    Codes: `update.` and form, cut, signature, key, keyless, product, board, mpy, least, store, older, version, tried,
    trial, changed, room, flash, slots, image.
    """

    code = "update"
    retry = "never"


class Writer:
    """`at`: the offset in the package of the next byte that is wanted; `wants`: whether it waits for bytes; `done`: the
    tree is whole, and was read back.

    `again`: also take a package whose trial has failed; `version`: the name that its release has to have; `digest`: a
    hash that is given all bytes of the package in their order, those found on flash too. What a write raises ends it.
    `begun`: that of an earlier writer of the same package, which took its manifest; this one begins behind it, finds
    the files that are there, and wants what follows them.
    """

    done = False
    wants = False
    _slot = None  # the partition for an image that it brings

    def __init__(self, product_key, again=False, version="", digest=None, begun=None):
        # (head and signature, SHA-256 of the manifest, whether it brings firmware, whether files)
        self.begun = begun
        self._product_key = product_key
        self._again = again
        self._version = version
        self._digest = digest
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

    def stop(self):
        """No more is written; a file that was begun is closed."""
        self._run.close()

    def switch(self, module="default"):
        """The next reset begins the trial of what was written; `module`: that of its task. UpdateError."""
        try:
            if self._slot:
                name = self._name if self._own != trees.NEW else aliot.tree[-1:]
                load("ota.place").switch(self._slot, name, self.begun[1][:8], self._own, module)
            else:
                load("ota.room").switch(self._name, self.begun[1][:8])
        except OSError as problem:
            raise _of_flash(problem)

    # Generators, which go on with each write.

    def _some(self, most):
        """From 1 to `most` of the next bytes."""
        while not len(self._data):
            self.wants = True
            yield
            self.wants = False
        piece = self._data[:most]
        self._pass(len(piece))
        if self._digest:
            self._digest.update(piece)
        feed()
        return piece

    def _pass(self, size):
        """So many bytes of the package are done with."""
        self._data = self._data[size:]
        self.at += size

    def _all(self, size):
        data = bytearray()
        while len(data) < size:
            data += yield from self._some(size - len(data))
        return data

    def _steps(self):
        begun = self.begun or (yield from self._manifest())
        head, digest, firmware, more = begun
        if firmware:
            self._slot = load("ota.place").slot(trees.NEW)
            unload("ota.place")
        own = self._tree + "/manifest" if more else trees.NEW
        if self.begun:
            self.at = yield from load("ota.reading").taken(head, own, self._digest)
        elif more:
            yield from load("ota.room").prepare(self._name, digest)
            unload("ota.room")
        self.begun = begun
        self._own = own
        if firmware:
            yield from load("ota.image").take(self._slot, own, self._some, self._pass, self._digest)
        if more:
            yield from self._files(own)
        if len(self._data):
            raise UpdateError("bytes behind its last file", "update.form")
        if more:
            yield from load("ota.reading").back(self._tree)
            unload("ota.reading")
        if firmware:
            yield from load("ota.image").read_back(self._slot, own)
            unload("ota.image")
        self.done = True

    def _manifest(self):
        """Write the manifest beside the record and look whether this board takes it.

        What `begun` is.
        """
        head = yield from self._all(_HEAD)
        signature, size, modulus = load("ota.seal").head(head)
        unload("ota.seal")
        signature = yield from self._all(signature)
        trees.make(trees.NEW)
        digest = yield from self._copy(trees.NEW, size)
        load("ota.seal").check(signature, digest, modulus)
        unload("ota.seal")
        terms = load("ota.terms")
        terms.check_record(digest[:8], self._again)
        firmware, more = terms.check(trees.NEW, self._product_key, aliot.tree, self._version)
        terms = None
        unload("ota.terms")
        return bytes(head + signature), digest, firmware, more

    def _files(self, own):
        """Write the files that are not there from before; `own`: the manifest."""
        found = yield from load("ota.reading").found(self._tree, self._digest)
        unload("ota.reading")
        self._pass(sum(found))
        whole = len(found)
        for size, wanted, path in files(own):
            if whole:
                whole -= 1
            else:
                yield from self._file(self._tree + "/" + path, size, wanted)
                yield

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


def files(path):
    """(size, SHA-256 in hex, path in the tree) of each file of a manifest. UpdateError."""
    for line in trees.lines(path):
        if line[0] == "file":
            name = line[3]
            if name[0] == "/" or ".." in name.split("/"):
                raise UpdateError(name, "update.form")
            yield int(line[1]), line[2], name


def _of_flash(problem):
    """What an OSError of the file system is for an update; 28 is ENOSPC."""
    number = problem.args[0]
    return UpdateError("error %s" % number, "update.room" if number == 28 else "update.flash")
