"""Flash in memory: programming clears bits, erasing sets a sector, power goes at a chosen operation.

And what reads and writes it on an emulated board: its NVS modules. They are loaded one by one: their folder also
holds the chip's `socket` and `errno`, which must not come before Python's own here.
"""

import importlib.util
import os
import sys

from host_tests.support.paths import ROOT

SECTOR = 4096


class PowerCut(BaseException):
    pass


class Nor:
    """`cut_at` operations from now power goes, after the share `torn` (0 to 1) of that operation."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.operations = 0
        self.cut_at = None
        self.torn = 0.0

    def cut(self, after, torn=0.0):
        self.cut_at = self.operations + after
        self.torn = torn

    def read(self, offset, size):
        return bytes(self.data[offset : offset + size])

    def program(self, offset, data):
        old = self.read(offset, len(data))
        self._put(offset, bytes(a & b for a, b in zip(old, bytes(data), strict=True)))

    def erase(self, offset):
        assert offset % SECTOR == 0
        self._put(offset, b"\xff" * SECTOR)

    def write(self, offset, data):
        """What a loader does: whole sectors erased and written, one operation each."""
        assert offset % SECTOR == 0 and len(data) % SECTOR == 0
        for at in range(0, len(data), SECTOR):
            self._put(offset + at, b"\xff" * SECTOR)
            self._put(offset + at, data[at : at + SECTOR])

    def _put(self, offset, data):
        self.operations += 1
        if self.operations == self.cut_at:
            self.cut_at = None
            done = int(len(data) * self.torn)
            # an erase clears a page's header, its first bytes, or nothing
            data = data[: done - done % 256 if len(data) == SECTOR else done]
            self.data[offset : offset + len(data)] = data
            raise PowerCut
        self.data[offset : offset + len(data)] = data


_SHARED = ROOT / "tools" / "emulator" / "board" / "port" / "shared"


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _SHARED / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


nvs_page, nvs, nvs_boot = [_load(name) for name in ("nvs_page", "nvs", "nvs_boot")]


def campaign(count):
    """A number of examples, scaled by ALIOT_CAMPAIGN."""
    return max(1, int(count * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))
