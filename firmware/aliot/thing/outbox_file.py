"""The file of an outbox on littlefs: an append-only list of records, written anew when half of it is dead.

    size u16 | kind u8 | body of `size` bytes | CRC-32 u32 of all before; integers little-endian

    H   of a file written anew, its first: the next number u32, how many entries were dropped u32
    P   an entry: number u32, id u32, time i64 in ms (of 2001 and later, else the uptime of its put), length of the
        kind u8, the kind, its params as JSON
    S   sent: the first number u32, the last u32, the id u32
    A   acknowledged: numbers, u32 each

The records say in their order what happened, so that reading them gives the same entries, and drops the same. A record
that is torn or spoiled is stepped over, and the file is written anew beside the old one, whose name it then takes.

put() and sent() are one append each, and one erase of a block for littlefs: 7 flash operations while little waits, 20
where much does (littlefs copies the last block of a file), with what writing anew takes. Acknowledgements go with the
next write, or eight at a time: after a power cut at most seven entries are sent again that had arrived, with the same
id and time. littlefs takes another block each time: 400 free blocks of 100,000 erases each stand 40 million writes. The
file has at most twice the bytes that wait, and 1 KB; a new one lies beside it for a moment.
"""

import os
from binascii import crc32
from struct import pack, unpack

from aliot import feed, load
from aliot.errors import StoreError
from aliot.ticks import uptime
from micropython import const

_FRAME = const(7)  # bytes of a record beside its body
_BEFORE = const(11)  # bytes of a record before an entry
_FRAMES = const(15)  # bytes that an entry takes beside itself
_WASTE = const(1024)  # dead bytes that are never worth a new file
_SHORT = const(64)  # bytes of a body beside an entry, or without one
_GROUP = const(8)  # acknowledgements that wait at most
_CLOCK = const(1000000000000)


class File:
    """The file at `path` for `outbox`, whose `places` are where the records of its entries begin."""

    def __init__(self, outbox, path):
        self.outbox = outbox
        self.path = path
        self.ended = []  # numbers of what was acknowledged and is not written yet
        self.size = 0
        self.torn = False
        try:
            os.remove(path + ".new")
        except OSError:
            pass
        try:
            with open(path, "rb") as file:
                self._load(file)
        except OSError as problem:
            if problem.args[0] != 2:  # ENOENT
                raise self._failed(problem)
        self._uptimes()

    def put(self, number, id, entry):
        """Write an entry; returns where its record lies."""
        data = record(b"P", pack("<II", number, id) + entry)
        return self._write(data) - len(data)

    def sent(self, first, last, id):
        self._write(record(b"S", pack("<III", first, last, id)))

    def later(self):
        """Write what ended when there is enough of it; what fails now is tried with the next write."""
        if len(self.ended) >= _GROUP:
            try:
                self.flush()
            except StoreError:
                pass

    def flush(self):
        if self.ended:
            self._write(b"")

    def read(self, first, last):
        """The entries of the outbox at `first` up to `last`."""
        if first == last:
            return []
        try:
            with open(self.path, "rb") as file:
                return [self._entry(file, at) for at in range(first, last)]
        except OSError as problem:
            raise self._failed(problem)

    def compact(self, more=b""):
        """Write the file anew with what waits, and `more` behind it."""
        box = self.outbox
        new = self.path + ".new"
        places = []
        try:
            with open(new, "wb") as file:
                size = file.write(record(b"H", pack("<II", box.next, box.dropped)))
                if box.numbers:
                    with open(self.path, "rb") as old:
                        for at in range(len(box.numbers)):
                            places.append(size)
                            size += file.write(self._record(old, at))
                size += file.write(more)
            os.rename(new, self.path)
        except OSError as problem:
            raise self._failed(problem)
        box.places[:] = places
        self.size = size
        self.ended.clear()
        self.torn = False

    def _record(self, file, at):
        """The record of an entry as it is by now."""
        box = self.outbox
        number = box.numbers[at]
        entry = self._entry(file, at)
        if number in box.times:
            entry = pack("<q", box.times[number]) + entry[8:]
        return record(b"P", pack("<II", number, box.ids[at]) + entry)

    def _entry(self, file, at):
        file.seek(self.outbox.places[at] + _BEFORE)
        return file.read(self.outbox.sizes[at])

    def _write(self, data):
        """Append acknowledgements and `data`, or write all anew; returns the size of the file."""
        box = self.outbox
        alive = box.used + len(box.numbers) * _FRAMES
        if self.torn or self.size - alive > max(_WASTE, alive):
            self.compact(data)
            return self.size
        if self.ended:
            data = record(b"A", pack("<%dI" % len(self.ended), *self.ended)) + data
        try:
            with open(self.path, "ab") as file:
                file.write(data)
        except OSError as problem:
            self.torn = True
            raise self._failed(problem)
        self.size += len(data)
        self.ended.clear()
        return self.size

    def _failed(self, problem):
        number = problem.args[0]
        full = number == 28  # ENOSPC
        text = "the file %s: %s" % (self.path, "full" if full else "error %s" % number)
        return StoreError(text, "store.full" if full else None)

    def _load(self, file):
        box = self.outbox
        for at, kind, body in self._scan(file):
            if kind == 80:  # P
                number, id, time = unpack("<IIq", body[:16])
                box.add(number, id, len(body) - 8, at)
                if time < _CLOCK:
                    box.times[number] = time
            elif kind == 72:  # H
                box.next, box.dropped = unpack("<II", body[:8])
            elif kind == 83:  # S
                load("thing.entries").mark(box, *unpack("<III", body[:12]))
            else:
                for number in unpack("<%dI" % (len(body) // 4), body):
                    if number in box.numbers:
                        box.remove(box.numbers.index(number))

    def _scan(self, file):
        """(where, kind, body) of each whole record."""
        while True:
            file.seek(self.size)
            data = file.read(3)
            if len(data) < 3:
                break
            size = unpack("<H", data[:2])[0]
            kind = data[2]
            if kind in b"HPSA" and size < self.outbox.size + _SHORT:
                data += file.read(size + 4)
                if len(data) == size + _FRAME and crc32(data[:-4]) == unpack("<I", data[-4:])[0]:
                    yield self.size, kind, data[3:-4]
                    self.size += len(data)
                    continue
            data = None
            self.torn = True
            self.size += 1
            feed()
        self.torn = self.torn or len(data) > 0

    def _uptimes(self):
        """Turn the uptimes of earlier starts into such of this one, negative: the latest that they can be.

        Between two entries of one start lies what their uptimes say, before the first of a start at least its uptime.
        """
        times = self.outbox.times
        now = uptime()
        following = None
        for number in reversed(self.outbox.numbers):
            if number in times:
                mark = times[number]
                if following is not None:
                    now -= max(0, following - mark if mark <= following else following)
                following = mark
                times[number] = now


def record(kind, body):
    data = pack("<H", len(body)) + kind + body
    return data + pack("<I", crc32(data))
