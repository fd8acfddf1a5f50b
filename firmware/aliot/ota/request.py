"""The request for a package over HTTPS: a connection, and the head of the answer. Loaded for these moments."""

import gc

from aliot import https, load, unload
from aliot.errors import AliotError
from aliot.ota.trees import NOTE
from aliot.ticks import Deadline
from micropython import const

_HEAD = const(5000)  # ms for the head of an answer that has begun
# bytes that have to be free for a second TLS connection: of Python's heap, and of the C heap, of which a handshake
# takes 36,000 for a moment
_PYTHON = const(10000)
_C = const(48000)


def ask(update, at):
    """A stream on which the package from `at` on was asked for; None while that has to wait. AliotError."""
    device = update.device
    client = device.client
    if client and client.pinged is not None:
        return None  # the answer would seem to be late
    if client and _short():
        device.stop()
    with open(NOTE) as note:
        note.readline()
        url = note.readline().rstrip("\n")
    return https.get(device, url, "Range: bytes=%d-\r\n" % at)


def answered(stream, size, at):
    """(bytes of the body that comes next, how many of them lie before what was asked for). AliotError."""
    stream.deadline = Deadline(_HEAD)
    status, length = https.answer(stream, 200, 206)
    skip = at if status == 200 else 0
    if length != size - at + skip:
        raise AliotError("%d bytes instead of %d" % (length, size - at + skip), "download.size", "later")
    return length, skip


def _short():
    """Whether the connection of MQTT has to end for another one."""
    gc.collect()
    memory = load("memory")
    short = memory.free() < _PYTHON or memory.c_heap()[0] < _C
    unload("memory")
    return short
