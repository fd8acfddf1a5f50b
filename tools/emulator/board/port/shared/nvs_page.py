"""One page of ESP-IDF's NVS on flash, with the order of flash operations and the recovery of the original.

A page is a sector: header (state, sequence number, version, CRC), two bits of
state for each entry, 126 entries of 32 bytes. Entry: namespace, type, span,
chunk, CRC-32 of the rest, key of 16 bytes, 8 bytes of data.
"""

import struct
from binascii import crc32

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


ENTRIES = const(126)
ANY = const(0xFF)  # chunk number of all that is no chunk of a blob

I32 = const(0x14)
U8 = const(0x01)
STRING = const(0x21)
BLOB = const(0x41)  # of format version 1: one item
DATA = const(0x42)  # a chunk of a blob
INDEX = const(0x48)  # what ties a blob's chunks together

BLANK = const(0xFFFFFFFF)  # the states of a page
ACTIVE = const(0xFFFFFFFE)
FULL = const(0xFFFFFFFC)
FREEING = const(0xFFFFFFF8)
CORRUPT = const(0)

EMPTY = const(3)  # the states of an entry
WRITTEN = const(2)
ERASED = const(0)

PAGE_FULL = const(0x110A)
CHUNK_LIMIT = const(4000)  # bytes of a value that one page can take

VERSION = const(0xFE)
TABLE = const(32)
_FIRST = const(64)


def crc(data):
    return crc32(data, 0xFFFFFFFF) & 0xFFFFFFFF


def sealed(item):
    """Whether an entry's CRC is that of its content."""
    return struct.unpack_from("<I", item, 4)[0] == crc(item[:4] + item[8:])


def variable(kind):
    return kind == DATA or kind == STRING or kind == BLOB


class Page:
    """`next` is the first entry that is free to write, 126 when there is none; `table`: the states."""

    def __init__(self, flash, base, state=CORRUPT, sequence=0, next=0, table=None):
        self.flash = flash
        self.base = base
        self.state = state
        self.sequence = sequence
        self.next = next
        self.table = table or bytearray(b"\xff" * 32)

    def pack(self):
        """What `__init__` takes after the flash."""
        written = self.table.count(b"\xff") < 32
        return self.base, self.state, self.sequence, self.next, self.table if written else None

    def live(self):
        return self.state == ACTIVE or self.state == FULL or self.state == FREEING

    def used(self):
        """How many entries are written and not erased."""
        return sum(1 for i in range(ENTRIES) if self.get(i) == WRITTEN)

    def room(self):
        """Bytes of a chunk that this page can still take."""
        if self.state == BLANK:
            return CHUNK_LIMIT
        if self.state == FULL or self.next >= ENTRIES - 1:
            return 0
        return (ENTRIES - self.next - 1) * 32

    # --- writing

    def write(self, namespace, kind, key, data, chunk=ANY):
        """Append an item: `key` of 16 bytes, `data` of 8 bytes unless `kind` has variable length.

        OSError(PAGE_FULL) when it does not fit.
        """
        if self.state == BLANK:
            self._begin()
        span = 1 + (len(data) + 31) // 32 if variable(kind) else 1
        if self.state == FULL or self.next + span > ENTRIES:
            raise OSError(PAGE_FULL)
        if not variable(kind):
            self.append(self.item(namespace, kind, span, chunk, key, data))
            return
        head = struct.pack("<HHI", len(data), 0xFFFF, crc(data))
        self.append(self.item(namespace, kind, span, chunk, key, head))
        whole = len(data) & ~31
        if whole:
            self.flash.program(self.at(self.next), data[:whole])
            self.mark(self.next, self.next + whole // 32, WRITTEN)
            self.next += whole // 32
        if whole < len(data):
            tail = bytes(data[whole:])
            self.append(tail + b"\xff" * (32 - len(tail)))

    def copy(self, target):
        """Append every item that is still good here to `target`."""
        i = 0
        while i < ENTRIES:
            if self.get(i) != WRITTEN:
                i += 1
                continue
            if target.state == BLANK:
                target._begin()
            for _ in range(self.entry(i)[2]):
                target.append(self.entry(i))
                i += 1

    def close(self, state):
        """Mark the page FULL or FREEING."""
        self.flash.program(self.base, struct.pack("<I", state))
        self.state = state

    def erase(self):
        self.flash.erase(self.base)
        self.table[:] = b"\xff" * 32
        self.state = BLANK
        self.next = 0

    def drop(self, index):
        """Mark the item at `index` erased: all of its span, its first entry last."""
        end = index + 1
        if self.get(index) == WRITTEN:
            item = self.entry(index)
            if sealed(item):
                end = min(index + item[2], ENTRIES)
        self.mark(index, end, ERASED)
        self.next = max(self.next, end)

    # --- finding

    def find(self, namespace, kind, key, chunk=ANY, version=None, start=0):
        """(index, item) of the first match, or None. None for namespace, kind or key matches any.

        Of a blob's index, `version` is the number that its chunks begin with. As
        in the original, an item of the right name and another kind hides what
        follows it in the page.
        """
        exact = namespace is not None and key is not None and (kind != DATA or chunk != ANY)
        i = start
        while i < self.next:
            at = i
            i += 1
            if self.get(at) != WRITTEN:
                continue
            item = self.entry(at)
            if not sealed(item):
                self.drop(at)
                continue
            if variable(item[1]):
                i = at + item[2]
            if namespace is not None and item[0] != namespace or key is not None and item[8:24] != key:
                continue
            if exact and item[3] != chunk:
                continue
            if kind == INDEX and version is not None and item[29] != version:
                continue
            if kind is not None and item[1] != kind:
                if exact:
                    return None
                continue
            return at, item
        return None

    def value(self, index, item, into):
        """Read a variable-length item to the beginning of `into`, a memoryview with room for it; its size.

        None, and the item is dropped, when its CRC is wrong.
        """
        size, _, check = struct.unpack_from("<HHI", item, 24)
        for first in range(0, size, 256):  # a chip reads into the buffer, and takes none of Python's heap
            last = min(first + 256, size)
            into[first:last] = self.flash.read(self.at(index + 1) + first, last - first)
        if crc(into[:size]) == check:
            return size
        self.drop(index)
        return None

    def holds(self, index, item, data):
        """Whether a variable-length item's value is what `data` begins with."""
        size, _, check = struct.unpack_from("<HHI", item, 24)
        value = self.flash.read(self.at(index + 1), size)
        return value == data[:size] and crc(value) == check

    def entry(self, index):
        return self.flash.read(self.at(index), 32)

    # --- the work below

    def at(self, index):
        return self.base + _FIRST + index * 32

    def item(self, namespace, kind, span, chunk, key, data):
        head = bytes((namespace, kind, span, chunk))
        return head + struct.pack("<I", crc(head + key + data)) + key + data

    def append(self, item):
        self.flash.program(self.at(self.next), item)
        self.mark(self.next, self.next + 1, WRITTEN)
        self.next += 1

    def _begin(self):
        rest = struct.pack("<IB", self.sequence, VERSION) + b"\xff" * 19
        self.state = ACTIVE
        self.next = 0
        self.flash.program(self.base, struct.pack("<I", ACTIVE) + rest + struct.pack("<I", crc(rest)))

    def get(self, index):
        return self.table[index >> 2] >> ((index & 3) << 1) & 3

    def mark(self, begin, end, state):
        """Set entries' states from the last to the first, one flash operation for each word of the table."""
        for i in range(end - 1, begin - 1, -1):
            shift = (i & 3) << 1
            self.table[i >> 2] = self.table[i >> 2] & ~(3 << shift) | state << shift
            if i == begin or i & 15 == 0:
                word = i >> 4 << 2
                self.flash.program(self.base + TABLE + word, self.table[word : word + 4])
