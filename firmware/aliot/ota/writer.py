"""A package taken in block by block and written where nothing runs; nothing of it is held whole.

Its files become the tree that does not run, an image of the firmware the slot that does not (aliot.ota.image).

    writer = Writer(device.product_key)
    while not writer.done:
        writer.write(the bytes of the package from writer.at on, as many as there are)
    writer.switch()

A writer that begins again where power went finds the files that are there: after the manifest its `at` is behind them.
What is refused leaves the old release as it is.

One write takes all that it is given, up to the end of a file. What takes long (reading files back, taking an old tree
away) it does in steps, each at most 4096 bytes read or one file deleted; `wants` is False meanwhile, and the next
write goes on with it, even without bytes.

The stages of a writer are modules beside this one, each in memory for its time only. steps(writer) of a stage does its
part: what it returns is gone through with a yield for each item, so that a generator waits where it yields.
"""

from hashlib import sha256

import aliot
from aliot import feed, load, unload
from aliot.errors import AliotError
from aliot.ota import trees


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
    """

    done = False
    wants = True
    path = ""  # of its manifest
    slot = None  # the partition for an image that it brings
    whole = None  # where in the manifest the files end that are there from before

    def __init__(self, product_key, again=False, version="", digest=None):
        self.terms = product_key, again, version
        self.digest = digest
        self.at = 0
        self.tree = trees.FOLDER + ("b" if aliot.tree[-1:] == "a" else "a")  # the one that does not run
        self.next = ["seal", "terms"]  # stages; these add those that follow
        self.run = self.steps()

    def write(self, data):
        """Take the bytes of the package from `at` on. UpdateError."""
        self.data = memoryview(data)
        try:
            next(self.run)
        except StopIteration:
            pass  # it is whole, or was refused before
        except OSError as problem:
            number = problem.args[0]  # 28: ENOSPC
            raise UpdateError("error %s" % number, "update.room" if number == 28 else "update.flash")
        except (ValueError, KeyError, IndexError):
            raise UpdateError("the manifest", "update.form")
        self.data = b""  # whose they are may have the memory

    def close(self):
        """There are no more bytes: a file that was begun is closed. UpdateError when some are missing."""
        self.run.close()
        if not self.done:
            raise UpdateError("it ends at byte %d" % self.at, "update.cut")

    def switch(self, module="default"):
        """The next reset begins the trial of what was written; `module`: that of its task. UpdateError."""
        load("ota.room").switch(self, module)

    def steps(self):
        """A generator: the stages, one after another."""
        self.wants = False
        while self.next:
            name = self.next.pop(0)
            yield from load("ota." + name).steps(self)
            unload("ota." + name)
        if len(self.data):
            raise UpdateError("bytes behind its last file", "update.form")
        self.done = True

    # For the stages.

    def take(self, most):
        """Up to `most` of the next bytes; whoever gets none yields, and asks again."""
        piece = self.data[:most]
        self.wants = not len(piece)
        self.data = self.data[len(piece) :] or b""  # an empty view would hold what it was of
        self.at += len(piece)
        if self.digest:
            self.digest.update(piece)
        feed()
        return piece

    def entry(self, at):
        """(size, SHA-256 in hex, path, where its line ends) of the next file in the manifest from `at` on; None."""
        with open(self.path, "rb") as manifest:  # not open for longer: each file takes half a kilobyte
            manifest.seek(at)
            line = manifest.readline()
            while line[:5] != b"file ":
                if not line:
                    return None
                line = manifest.readline()
            line = line.decode()[5:-1].split(" ", 2)
            return int(line[0]), line[1], self.tree + "/" + line[2], manifest.tell()

    def copy(self, path, size):
        """Write the next `size` bytes into a file; their SHA-256. A generator."""
        trees.mkdir(path)
        done = sha256()
        with open(path, "wb") as file:
            while size:
                piece = self.take(size)
                done.update(piece)
                file.write(piece)
                size -= len(piece)
                if self.wants:
                    yield
        return done.digest()
