"""A package over HTTPS with Range, from the byte on that is wanted; application.md 5.5."""

import gc

from aliot import load, unload
from aliot.errors import AliotError, TimedOut
from aliot.ticks import Deadline, uptime
from micropython import const

_PIECE = const(1024)  # bytes read at once
_HEAD = const(5000)  # ms for the head of an answer that has begun
_SILENT = const(30000)  # ms without a byte


# bytes that have to be free for a second TLS connection: of Python's heap, and of the C heap, of which a handshake
# takes 36,000 for a moment
_PYTHON = const(16000)
_C = const(48000)


class Source:
    """See aliot.ota.update. AliotError `download.` and what was wrong; LinkError."""

    stream = None
    left = 0  # bytes of the answer to come; -1 before its head
    skip = 0  # of them, those before what is wanted

    def __init__(self, device, update):
        self.device = device
        self.update = update  # aliot.ota.update: its task may be renewed
        self.buffer = memoryview(bytearray(_PIECE))
        self.at = self.end = 0  # what of the package lies in the buffer

    def open(self, at):
        """Whether what is open leads to the byte `at` of the package."""
        return self.at <= at < self.end or self.stream and at == self.end

    def read(self, at):
        if self.at <= at < self.end:
            return self.buffer[at - self.at : self.end - self.at]
        if not self.stream or at != self.end:
            self._open(at)
        elif self.stream.ready(0):
            self.heard = uptime()
            if self.left < 0:
                self._head(at)
            else:
                self._body()
        elif uptime() - self.heard > _SILENT:
            raise TimedOut("download")
        return self.buffer[: self.end - at]

    def close(self):
        if self.stream:
            self.stream.close()
            self.stream = None

    def _open(self, at):
        """Connect and ask; not while MQTT waits for a PONG, which would seem to be late."""
        self.close()
        client = self.device.client
        if not client or client.pinged is None:
            if client and _short():
                self.device.stop()
            self.at = self.end = at
            self.left = -1
            self.stream = load("https").get(self.device, self.update.task["url"], "Range: bytes=%d-\r\n" % at)
            self.heard = uptime()

    def _head(self, at):
        self.stream.deadline = Deadline(_HEAD)
        status, length = load("https").answer(self.stream, 200, 206)
        unload("https")
        self.skip = at if status == 200 else 0
        self.left = length
        if length != self.update.task["size"] - at + self.skip:
            raise AliotError(
                "%d bytes instead of %d" % (length, self.update.task["size"] - at + self.skip),
                "download.size",
                "later",
            )

    def _body(self):
        count = self.stream.readinto(self.buffer[: min(self.left, _PIECE)])
        self.left -= count
        if self.skip:
            piece = min(count, self.skip)
            self.skip -= piece
            self.buffer[: count - piece] = self.buffer[piece:count]
            count -= piece
        self.at = self.end
        self.end += count


def _short():
    """Whether the connection of MQTT has to end for another one."""
    gc.collect()
    memory = load("memory")
    short = memory.free() < _PYTHON or memory.c_heap()[0] < _C
    unload("memory")
    return short
