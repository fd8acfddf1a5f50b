"""The image of a firmware, taken in block by block and written into the slot that does not run.

A stage of a writer, twice, for packages that bring one. Each piece that the manifest names is looked at as it ends, all
of them once more from flash; a piece that is there from before is not wanted again.
"""

from hashlib import sha256

from aliot import feed, load, unload
from aliot.ota.lines import lines
from aliot.ota.writer import UpdateError
from esp32 import Partition
from micropython import const

_SECTOR = const(4096)
_HEAD = const(36)  # bytes that say what an image is
_PIECE = const(512)


def pieces(manifest):
    """(size, SHA-256 in hex) of each piece of the image that a manifest names."""
    for line in lines(manifest):
        if line[0] == "image":
            size, _, digest = line[1].partition(" ")
            yield int(size), digest


def steps(writer):
    return take(writer) if writer.next else read_back(writer)


def take(writer):
    """Write the image into its slot. A generator; UpdateError."""
    at = 0
    whole = True
    cleared = False
    part = writer.slot
    for size, wanted in pieces(writer.path):
        whole = whole and (yield from hashing(part, at, size)) == wanted
        if whole:
            if writer.digest:
                yield from hashing(part, at, size, writer.digest)
            writer.at += size
            writer.data = writer.data[size:]
        else:
            if not cleared:
                load("ota.place").clear(part)
                unload("ota.place")
                cleared = True
            yield from _write(part, at, size, wanted, writer)
        at += size


def _write(part, at, size, wanted, writer):
    """One piece, whose place begins at a sector."""
    done = sha256()
    end = at + size
    piece = b""
    while at < end:
        piece = bytes(piece) + bytes(writer.take(min(end - at, _SECTOR - at % _SECTOR) - len(piece)))
        if writer.wants or not at and len(piece) < min(_HEAD, size):
            yield
            continue
        if not at:
            refuse(piece[:_HEAD])
        done.update(piece)
        if not at % _SECTOR:
            part.ioctl(6, at // _SECTOR)
        part.writeblocks(at // _SECTOR, piece, at % _SECTOR)
        at += len(piece)
        piece = b""
    if done.digest().hex() != wanted:
        raise UpdateError("the image", "update.changed")


def refuse(head):
    """UpdateError unless an image that begins so is an application for this chip."""
    mine = bytearray(_HEAD)
    Partition(Partition.RUNNING).readblocks(0, mine)
    if head[:1] != b"\xe9":
        raise UpdateError("no image of an application", "update.image")
    if head[12:14] != mine[12:14]:
        raise UpdateError("an image for the chip %d" % (head[12] | head[13] << 8), "update.image")
    if head[32:] != b"\x32\x54\xcd\xab":
        raise UpdateError("a merged image, or a bootloader", "update.image")
    if head[23] != 1:
        raise UpdateError("an image without SHA-256", "update.image")


def read_back(writer):
    """The image once more, as it is on the flash; a generator. UpdateError."""
    at = 0
    for size, wanted in pieces(writer.path):
        if (yield from hashing(writer.slot, at, size)) != wanted:
            raise UpdateError("the image", "update.flash")
        at += size


def hashing(part, at, size, more=None):
    """The SHA-256 in hex of `size` bytes of a partition; a generator that yields after each sector."""
    done = sha256()
    view = memoryview(bytearray(_PIECE))
    end = at + size
    while at < end:
        piece = view[: min(_PIECE, end - at)]
        part.readblocks(at // _SECTOR, piece, at % _SECTOR)
        done.update(piece)
        if more:
            more.update(piece)
        at += len(piece)
        if not at % _SECTOR:
            feed()
            yield
    return done.digest().hex()
