"""The part of the chip's `esp32` module that firmware uses: NVS in Espressif's format, on the board's flash.

On the chip NVS is C and takes none of Python's heap. Here its code is loaded
for the length of a call and let go again; what stays is its state. Of the C
heap the same is true.
"""

import struct
import sys

import _chip

HEAP_DATA = 4
HEAP_EXEC = 1

_I32 = 0x14

running = None  # the row of the application that the bootloader started; None where there was none to choose
_flash = None
_nvs = None  # packed


def start(flash):
    """Power on with this `flash.Flash`: the bootloader's choice, then mount the partition "nvs".

    True when that erased it, as the chip's boot may. OSError(2) when the partition table has none.
    """
    global _flash, _nvs, running
    _flash = flash
    if any([row[:2] == (1, 0) for row in rows()]):
        running = _load("bootloader").start(flash, list(rows()))
    for kind, subtype, offset, size, label, _ in rows():
        if (kind, subtype, label) == (1, 2, "nvs"):
            storage, erased = _load("nvs_boot").boot(flash, offset, size)
            _nvs = storage.pack()
            return erased
    raise OSError(2)


def rows():
    """The partition table's rows as `Partition.info()` gives them."""
    for at in range(0x8000, 0x8C00, 32):
        row = _flash.read(at, 32)
        if row[:2] != b"\xaa\x50":
            return
        kind, subtype, offset, size = struct.unpack_from("<BBII", row, 2)
        yield kind, subtype, offset, size, row[12:28].rstrip(b"\0").decode(), row[28] & 1 == 1


def _load(name):
    """A module of the port that stays as long as somebody holds it; nothing on the board's flash is looked at."""
    path, known = sys.path[:], "_chip" in sys.modules
    sys.path[:] = ("/.frozen",)
    sys.modules["_chip"] = _chip
    try:
        return __import__(name)
    finally:
        sys.path[:] = path
        for module in (name, "nvs", "nvs_page", "flash", "bootloader", "app_image", "ota_data"):
            sys.modules.pop(module, None)
        if not known:  # sealed
            del sys.modules["_chip"]


def _do(name, *args):
    global _nvs
    storage = _load("nvs").unpack(*_nvs)
    try:
        return getattr(storage, name)(*args)
    finally:
        packed = storage.pack()
        if packed != _nvs:
            for old, new in zip(_nvs[2:4], packed[2:4]):  # pages
                for at, page in enumerate(new):
                    if page in old:  # then it stays where it lies: a chip has none of it in Python's heap
                        new[at] = old[old.index(page)]
            _nvs = packed


def idf_heap_info(kind):
    """[(total, free, largest free block, least that was ever free)] in bytes of the C heap's regions."""
    found = (_chip.heaps or _load("heaps")).state().rows()
    return found if kind == HEAP_DATA else found[1:]


class NVS:
    """A namespace of the partition "nvs"; created when it is not there."""

    def __init__(self, namespace):
        self._space = _do("namespace", namespace)

    def set_i32(self, key, value):
        if not -0x80000000 <= value <= 0x7FFFFFFF:
            raise OverflowError("overflow converting long int to machine word")
        _do("set_number", self._space, _I32, key, struct.pack("<i", value) + b"\xff" * 4)

    def get_i32(self, key):
        return struct.unpack("<i", _do("get_number", self._space, _I32, key)[:4])[0]

    def set_blob(self, key, value):
        if not isinstance(value, bytes):
            value = value.encode() if isinstance(value, str) else bytes(value)
        _do("set_blob", self._space, key, memoryview(value))  # a chip copies none of it in Python's heap

    def get_blob(self, key, buffer):
        return _do("get_blob", self._space, key, buffer)

    def erase_key(self, key):
        _do("erase_key", self._space, key)

    def commit(self):
        """Nothing is left to do: every set and erase is on flash when it returns."""


def __getattr__(name):
    if name == "Partition":
        found = _load("esp32_partition").Partition
        if running:  # a board with two slots asks again and again: one copy is enough
            globals()[name] = found
        return found
    raise AttributeError(name)
