"""What device tests stand on: the vectors, a stream that plays a script, media that fail, a clock to turn."""

import binascii

from case import Vectors

from aliot.errors import Closed, Reset
from aliot.ticks import Deadline

SILENT, CLOSED, RESET = "silent", "closed", "reset"


def vectors():
    """{name: vector} of the published vectors, read one at a time."""
    return Vectors()


def unhex(text):
    return binascii.unhexlify(text)


def raises(kind, action, *arguments):
    """The error of `kind` that the action raises; any other outcome fails the test."""
    try:
        action(*arguments)
    except kind as problem:
        return problem
    raise AssertionError("nothing was raised")


class Stream:
    """A stream of aliot.transport that plays `data` and then is silent, closed or reset.

    `piece` is how many bytes are there at a time: between two pieces readinto() finds nothing once, as
    from a peer that trickles. `answer(written)` may return bytes to play after a write.
    """

    def __init__(self, data=b"", end=SILENT, piece=0, answer=None):
        self.data = data
        self.end = end
        self.piece = piece
        self.answer = answer
        self.writes = []
        self.closed = 0
        self.deadline = Deadline(10000)  # of its opening
        self._left = piece

    def written(self):
        return b"".join(self.writes)

    def write(self, data):
        self.writes.append(bytes(data))
        if self.answer:
            self.data += self.answer(bytes(data)) or b""

    def readinto(self, view):
        if not self.data:
            return self._ended()
        if self.piece and not self._left:
            self._left = self.piece
            return 0
        count = min(len(view), len(self.data))
        if self.piece:
            count = min(count, self._left)
            self._left -= count
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    def ready(self, ms):
        return bool(self.data) or bool(self._ended())

    def close(self):
        self.closed += 1

    def _ended(self):
        if self.end == CLOSED:
            raise Closed("script")
        if self.end == RESET:
            raise Reset("script")
        return 0


class Medium:
    """A medium of aliot.store in memory. `fault` fails writes: "full", "torn", "silent" or "reads" (both ways)."""

    def __init__(self, name, fault=None):
        self.NAME = name
        self.fault = fault
        self.kept = {}
        self.writes = 0

    def read(self, key):
        if self.fault == "reads":
            raise OSError(5)
        return self.kept.get(key)

    def write(self, key, data):
        self.writes += 1
        if self.fault == "full":
            raise OSError(28)
        if self.fault == "reads":
            raise OSError(5)
        if self.fault == "torn":
            data = data[: len(data) // 2]
        if self.fault != "silent":
            self.kept[key] = data
