"""A chip whose HMAC peripheral has keys, for device tests, and what may go on beside a signature."""

import _chip
import machine
import registers
from aliot import efuse

KEY = b"0123456789abcdef0123456789abcdef"
SHORT = b"ProductSecret016" + bytes(16)
RESETS = {"esp32s2": 0x3F4C004C, "esp32s3": 0x600C0024, "esp32c3": 0x600C001C, "esp32c6": 0x600960CC}
UP = 8  # the purpose


def fuses(keys):
    """The bytes of an eFuse file. `keys`: block -> (purpose, key); all are protected against reading."""
    space = bytearray(512)
    words = [0x7F, 0, 0]
    for block in keys:
        purpose, key = keys[block]
        words[1 if block < 2 else 2] |= purpose << (24 + 4 * block if block < 2 else 4 * block - 8)
        space[0x9C + 32 * block : 0xBC + 32 * block] = key
    for at in range(3):
        space[0x30 + 4 * at : 0x34 + 4 * at] = words[at].to_bytes(4, "little")
    return bytes(reversed(space))


def chip(name="esp32c3", keys=None, image=None):
    """This board is that chip from now on, with its registers as after a reset."""
    _chip.settings["chip"] = name
    if name in RESETS:
        registers.connect(machine, name, image or fuses(keys or {0: (UP, SHORT), 3: (UP, KEY), 4: (4, KEY)}))


class Beside:
    """The chip's `mem32`, and what something else does at chosen accesses.

    `acts(count)` is asked before each access to HMAC, and gives a function to call, or None.
    """

    def __init__(self, acts):
        self.real = machine.mem32
        self.acts = acts
        self.count = 0
        self.gates = []  # accesses outside HMAC
        machine.mem32 = self

    def __getitem__(self, at):
        self._look(at)
        return self.real[at]

    def __setitem__(self, at, value):
        self._look(at)
        self.real[at] = value

    def _look(self, at):
        if at & ~0xFF not in (0x6003E000, 0x6008D000):
            self.gates.append(at)
            return
        self.count += 1
        act = self.acts(self.count)
        if act:
            act(self.real)


def hash_beside(name="esp32c3"):
    """What TLS in another task does to SHA: a reset."""
    register, bit = RESETS[name], 2 if name == "esp32c6" else 4

    def act(words):
        words[register] |= bit
        words[register] &= ~bit

    return act


def stop_beside(words):
    """What another task of a C3 does when it has hashed: SHA's clock is off."""
    words[0x600C0014] &= ~4


def block(number):
    return efuse.KeyBlock(number)
