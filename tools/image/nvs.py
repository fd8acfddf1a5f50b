"""An NVS partition in Espressif's format: bytes to entries and back.

Reading is done here, written from the format's public description, so that it
can say what is wrong with a partition; writing is left to Espressif's own
`esp-idf-nvs-partition-gen`, in memory.

A page is 4096 bytes: header (32), entry states (32, two bits an entry), 126
entries of 32. An entry: namespace u8 | type u8 | span u8 | chunk u8 | CRC-32 of
the rest | key 16 | data 8. Strings and blobs lie in the entries that follow.
"""

import io
import struct
import zlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from esp_idf_nvs_partition_gen import nvs_partition_gen as espressif

from tools.errors import UserError

PAGE = 4096
ENTRIES = 126
NAME_LIMIT = 15

_UNUSED, _ACTIVE, _FULL, _FREEING = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8
STATES = {_UNUSED: "unused", _ACTIVE: "active", _FULL: "full", _FREEING: "freeing"}
_EMPTY, _WRITTEN, _ERASED = 3, 2, 0
_VERSIONS = {0xFF: 1, 0xFE: 2}

_INTEGERS = {
    0x01: ("u8", "<B"),
    0x11: ("i8", "<b"),
    0x02: ("u16", "<H"),
    0x12: ("i16", "<h"),
    0x04: ("u32", "<I"),
    0x14: ("i32", "<i"),
    0x08: ("u64", "<Q"),
    0x18: ("i64", "<q"),
}
_STRING, _BLOB_V1, _BLOB_DATA, _BLOB_INDEX = 0x21, 0x41, 0x42, 0x48
_VARIABLE = (_STRING, _BLOB_V1, _BLOB_DATA)
_ANY_CHUNK = 0xFF
TYPES = tuple(name for name, _ in _INTEGERS.values()) + ("string", "blob")


class Full(UserError):
    """Entries do not fit into a partition."""


@dataclass(frozen=True)
class Entry:
    """One value: `type` is u8 to i64, "string" (value str) or "blob" (value bytes)."""

    namespace: str
    key: str
    type: str
    value: int | str | bytes = field(repr=False)


@dataclass(frozen=True)
class Page:
    """What a page looks like: its state in words, sequence number, version and entry counts."""

    index: int
    state: str
    sequence: int | None = None
    version: int | None = None
    written: int = 0
    erased: int = 0


@dataclass(frozen=True)
class Partition:
    """What `read` found: the entries, the pages, and what is wrong in plain words.

    `faults` are values that are lost or pages that are damaged; `traces` are
    what a power cut leaves behind and a boot tidies away: nothing is lost.
    `owners` has a (namespace, key) for each fault, None where it is not known.
    """

    entries: tuple[Entry, ...]
    pages: tuple[Page, ...]
    faults: tuple[str, ...]
    traces: tuple[str, ...]
    owners: tuple[tuple[str, str] | None, ...] = ()

    def find(self, namespace: str, key: str) -> int | str | bytes | None:
        """The value of a blob, string or number; None when it is not there."""
        found = (e.value for e in self.entries if (e.namespace, e.key) == (namespace, key))
        return next(found, None)

    @property
    def blank(self) -> bool:
        return all(page.state == "unused" for page in self.pages)

    def faults_beside(self, namespace: str, keys: Container[str]) -> tuple[str, ...]:
        """The faults that can concern anything but these keys of this namespace."""
        return tuple(
            fault
            for fault, owner in zip(self.faults, self.owners, strict=True)
            if not owner or owner[0] != namespace or owner[1] not in keys
        )


@dataclass
class _Item:
    page: int  # place in the order of sequence numbers
    index: int
    namespace: int
    type: int
    chunk: int
    key: str
    data: bytes  # the eight bytes of the entry itself
    body: bytes  # what lies in the entries that follow

    @property
    def place(self):
        return (self.page, self.index)


def read(data: bytes) -> Partition:
    """A `Partition` from the bytes of an NVS partition; damage is told in `faults`, never raised.

    ValueError only when the size is not a number of 4096-byte pages.
    """
    if not data or len(data) % PAGE:
        raise ValueError(f"an NVS partition is made of {PAGE}-byte pages; this has {len(data)} bytes")
    return _Reader(bytes(data)).result()


class _Reader:
    def __init__(self, data):
        self.faults = []  # (text, the item that is lost or None)
        self.traces = []
        self.pages = [self._page(at // PAGE, data[at : at + PAGE]) for at in range(0, len(data), PAGE)]
        self.raw = data
        self.items = []
        live = [page for page in self.pages if page.sequence is not None]
        for order, page in enumerate(sorted(live, key=lambda page: page.sequence)):
            self._items(order, page)

    def _fault(self, text, item=None):
        self.faults.append((text, item))

    def _page(self, index, data):
        state, sequence, version = struct.unpack_from("<IIB", data)
        if state == _UNUSED:
            if not data.strip(b"\xff"):
                return Page(index, "unused")
            self.traces.append(f"page {index} was being erased")
            return Page(index, "damaged")
        if struct.unpack_from("<I", data, 28)[0] != _crc(data[4:28]):
            if data[32:].strip(b"\xff"):
                self._fault(f"page {index}: wrong header CRC")
            else:
                self.traces.append(f"page {index} was being begun")
            return Page(index, "damaged")
        if state not in STATES:
            self._fault(f"page {index}: state 0x{state:08x} is not known")
            return Page(index, "damaged")
        if version not in _VERSIONS:
            self._fault(f"page {index}: format version 0x{version:02x} is newer than this tool")
            return Page(index, "newer")
        if state == _FREEING:
            self.traces.append(f"page {index} was being freed")
        states = [_state(data, entry) for entry in range(ENTRIES)]
        return Page(
            index, STATES[state], sequence, _VERSIONS[version], states.count(_WRITTEN), states.count(_ERASED)
        )

    def _items(self, order, page):
        data = self.raw[page.index * PAGE : (page.index + 1) * PAGE]
        at = 0
        while at < ENTRIES:
            if _state(data, at) != _WRITTEN:
                at += 1
                continue
            item, span = self._item(order, page, data, at)
            if item:
                self.items.append(item)
            at += span

    def _item(self, order, page, data, at):
        """(item or None, entries to go on by) of the entry at index `at`, whose state is "written"."""
        where = f"page {page.index} entry {at}"
        entry = data[64 + at * 32 : 96 + at * 32]
        namespace, kind, span, chunk, crc = struct.unpack_from("<BBBBI", entry)
        if crc != _crc(entry[:4] + entry[8:]):
            self._fault(f"{where}: wrong CRC")
            return None, 1
        if not 1 <= span <= ENTRIES - at:
            self._fault(f"{where}: spans {span} entries")
            return None, 1
        key = entry[8:24].split(b"\0")[0].decode("ascii", "backslashreplace")
        item = _Item(order, at, namespace, kind, chunk, key, entry[24:32], b"")
        if kind not in _VARIABLE:
            return item, 1
        if any(_state(data, i) != _WRITTEN for i in range(at, at + span)):
            self.traces.append(f"{where}: '{key}' was being written or erased")
            return None, self._written_run(data, at, span)
        size, _, body_crc = struct.unpack("<HHI", item.data)
        item.body = data[96 + at * 32 : 96 + at * 32 + size]
        if size > (span - 1) * 32 or body_crc != _crc(item.body):
            self._fault(f"{where}: the value of '{key}' has a wrong CRC", item)
            return None, span
        return item, span

    @staticmethod
    def _written_run(data, at, span):
        return next((i - at for i in range(at + 1, at + span) if _state(data, i) != _WRITTEN), span)

    def result(self):
        names = self._namespaces()
        values = {}
        for item in self.items:
            if item.namespace == 0 or item.type == _BLOB_DATA:
                continue
            if item.namespace not in names:
                self._fault(f"'{item.key}' belongs to namespace {item.namespace}, which has no name", item)
                continue
            entry = self._entry(names[item.namespace], item)
            if entry is None:
                continue
            slot = (item.namespace, item.key, entry.type)
            if slot in values:
                self.traces.append(f"'{item.key}' in '{entry.namespace}' is there twice; the newer counts")
                del values[slot]
            values[slot] = entry
        owners = tuple(item and (names.get(item.namespace), item.key) for _, item in self.faults)
        return Partition(
            tuple(values.values()),
            tuple(self.pages),
            tuple(text for text, _ in self.faults),
            tuple(self.traces),
            owners,
        )

    def _namespaces(self):
        found = [item for item in self.items if item.namespace == 0 and item.type == 0x01]
        return {item.data[0]: item.key for item in found}

    def _entry(self, namespace, item):
        if item.type in _INTEGERS:
            name, form = _INTEGERS[item.type]
            return Entry(namespace, item.key, name, struct.unpack_from(form, item.data)[0])
        if item.type == _STRING:
            return self._string(namespace, item)
        if item.type == _BLOB_V1:
            return Entry(namespace, item.key, "blob", item.body)
        if item.type == _BLOB_INDEX:
            return self._blob(namespace, item)
        self._fault(f"'{item.key}' in '{namespace}' has type 0x{item.type:02x}, which is not known", item)
        return None

    def _string(self, namespace, item):
        try:
            text = item.body.decode()
        except UnicodeDecodeError:
            text = ""
        if not text.endswith("\0"):
            self._fault(f"string '{item.key}' in '{namespace}' is not UTF-8 ending in a zero byte", item)
            return None
        return Entry(namespace, item.key, "string", text[:-1])

    def _blob(self, namespace, item):
        size, count, first = struct.unpack_from("<IBB", item.data)
        chunks = {}
        for part in self.items:
            if (part.namespace, part.key, part.type) == (item.namespace, item.key, _BLOB_DATA):
                chunks.setdefault(part.chunk, part.body)
        parts = [chunks.get(number) for number in range(first, first + count)]
        if None in parts or len(b"".join(parts)) != size:
            self._fault(f"blob '{item.key}' in '{namespace}' is not whole", item)
            return None
        return Entry(namespace, item.key, "blob", b"".join(parts))


def _state(page, entry):
    return page[32 + entry // 4] >> entry % 4 * 2 & 3


def _crc(data):
    return zlib.crc32(data, 0xFFFFFFFF)


def write(entries: Sequence[Entry], size: int) -> bytes:
    """The bytes of a fresh NVS partition of `size` bytes that holds `entries`, by Espressif's generator.

    UserError when they do not fit; ValueError for a name over 15 characters or
    a type that is not known.
    """
    for entry in entries:
        _check(entry)
    out = io.BytesIO()
    try:
        # The generator adds the page that has to stay free to the size it is given.
        with espressif.nvs_open(out, size - PAGE, espressif.Page.VERSION2) as partition:
            for entry in entries:
                partition.write_namespace(entry.namespace)
                partition.write_entry(entry.key, *_generator_value(entry), partition.get_namespace_idx())
    except espressif.InsufficientSizeError:
        raise Full(f"NVS is full: these {len(entries)} entries do not fit into {size // 1024} KB") from None
    return out.getvalue()


def _generator_value(entry):
    """(value, encoding) as the generator's `write_entry` takes them."""
    if entry.type == "blob":
        return bytes(entry.value), "binary"
    if entry.type == "string":
        return entry.value, "string"
    return str(entry.value), entry.type


def _check(entry):
    for name in (entry.namespace, entry.key):
        if not 1 <= len(name.encode()) <= NAME_LIMIT:
            raise ValueError(f"'{name}' is not 1 to {NAME_LIMIT} characters long")
    if entry.type not in TYPES:
        raise ValueError(f"type '{entry.type}' of '{entry.key}' is not one of {', '.join(TYPES)}")


def merge(data: bytes, changes: Mapping[tuple[str, str], bytes | None]) -> bytes:
    """The partition with some blobs set or removed; every other entry keeps namespace, type and value.

    `changes` maps (namespace, key) to new bytes, or to None to remove. UserError
    when an entry of the old partition cannot be read, so that nothing is lost.
    """
    old = read(data)
    if old.faults:
        raise UserError(f"NVS holds what cannot be read, so it is left alone: {old.faults[0]}")
    kept = [entry for entry in old.entries if (entry.namespace, entry.key) not in changes]
    fresh = [Entry(*name, "blob", value) for name, value in changes.items() if value is not None]
    return write(kept + fresh, len(data))
