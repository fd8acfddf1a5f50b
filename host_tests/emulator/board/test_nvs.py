"""The emulated board's NVS against a dict, through random operations and power cuts, read by our own reader.

The port (tools/emulator/board/port/shared) and the reader (tools/image/nvs.py)
share no code, so each checks the other.
"""

import struct

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from host_tests.support.nor import Nor, PowerCut, campaign, nvs, nvs_boot, nvs_page
from tools.image import nvs as reader

KEYS = st.sampled_from(["burned", "issued", "a", "fifteen-letters"])
# No 0xFF: the chip finds the end of a torn write by a first word that is not all ones.
BLOBS = st.builds(
    lambda size, fill: bytes((fill + i) % 255 for i in range(size)),
    st.one_of(st.integers(0, 700), st.integers(0, 5000)),
    st.integers(0, 254),
)
NUMBERS = st.integers(-(2**31), 2**31 - 1)


def number(value):
    return struct.pack("<i", value) + b"\xff" * 4


class Machine(RuleBasedStateMachine):
    """One namespace; `model` is what must be there. A value that found no space to be written may go."""

    pages = 6

    def __init__(self):
        super().__init__()
        self.flash = Nor(b"\xff" * 4096 * self.pages)
        self.model = {}
        self.power_on()

    def power_on(self):
        self.storage = nvs_boot.mount(self.flash, 0, len(self.flash.data))
        self.space = self.storage.namespace("aliot")

    def get(self, key):
        buffer = bytearray(20000)
        return bytes(buffer[: self.storage.get_blob(self.space, key, buffer)])

    def get_or_none(self, key):
        try:
            return self.get(key)
        except OSError as error:
            assert error.args == nvs.NOT_FOUND
            return None

    def mend(self, key):
        """A blob that found no space can take chunks of its old value with it, as in the original."""
        try:
            self.get_or_none(key)
        except AssertionError:
            self.storage.erase_key(self.space, key)

    def attempt(self, key, new, act, cut):
        """Run `act`, which makes `key` be `new`; with a cut in it the old or the new value may be there."""
        old = self.model.get(key)
        if cut:
            self.flash.cut(*cut)
        try:
            act()
            allowed = [new]
        except PowerCut:
            self.check_reader(key, (old, new))
            self.power_on()
            allowed = [old, new]
        except OSError as error:
            self.flash.cut_at = None
            assert error.args == nvs.NOT_ENOUGH_SPACE
            self.power_on()
            self.mend(key)
            allowed = [old, None]
        self.flash.cut_at = None
        found = self.get_or_none(key)
        assert found in allowed
        self.model.pop(key, None)
        if found is not None:
            self.model[key] = found

    CUTS = st.one_of(st.none(), st.tuples(st.integers(1, 60), st.floats(0, 1)))

    @rule(key=KEYS, value=BLOBS, cut=CUTS)
    def set_blob(self, key, value, cut):
        self.attempt(key, value, lambda: self.storage.set_blob(self.space, key, value), cut)

    @rule(key=KEYS, cut=CUTS)
    def erase(self, key, cut):
        if key not in self.model:
            with pytest.raises(OSError, match="NOT_FOUND"):
                self.storage.erase_key(self.space, key)
            return
        self.attempt(key, None, lambda: self.storage.erase_key(self.space, key), cut)

    @rule(key=KEYS)
    def write_the_same(self, key):
        assume(key in self.model)
        before = self.flash.operations
        self.storage.set_blob(self.space, key, self.model[key])
        assert self.flash.operations == before

    @rule(value=NUMBERS, cut=CUTS)
    def set_number(self, value, cut):
        old = self.model.get("n")
        if cut:
            self.flash.cut(*cut)
        try:
            self.storage.set_number(self.space, nvs_page.I32, "n", number(value))
            allowed = [value]
        except PowerCut:
            self.power_on()
            allowed = [old, value]
        except OSError as error:
            assert error.args == nvs.NOT_ENOUGH_SPACE
            self.power_on()
            allowed = [old]
        self.flash.cut_at = None
        try:
            found = struct.unpack("<i", self.storage.get_number(self.space, nvs_page.I32, "n")[:4])[0]
        except OSError:
            found = None
        assert found in allowed
        if found is not None:
            self.model["n"] = found

    @rule(cut=CUTS)
    def reset(self, cut):
        """A boot that a power cut interrupts as well, then one that it does not."""
        if cut:
            self.flash.cut(*cut)
            try:
                self.power_on()
            except PowerCut:
                pass
            self.flash.cut_at = None
        self.power_on()

    def check_reader(self, key, allowed):
        """After a cut and before any boot, the reader too finds the old or the new value and all the rest."""
        found = reader.read(bytes(self.flash.data))
        assert found.find("aliot", key) in allowed
        for other, value in self.model.items():
            assert other == key or found.find("aliot", other) == value

    @invariant()
    def everything_is_there(self):
        found = reader.read(bytes(self.flash.data))
        assert found.faults == ()
        assert {entry.key: entry.value for entry in found.entries} == self.model
        assert any(page.state == "unused" or page.state == "damaged" for page in found.pages)
        for key, value in self.model.items():
            assert key == "n" or self.get(key) == value


class SmallMachine(Machine):
    """The 16 KB of MicroPython's OTA layouts."""

    pages = 4


def _settings(examples):
    # Shrinking such a machine takes minutes; the steps it prints are few enough.
    return settings(
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        max_examples=campaign(examples),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


TestSixPages = Machine.TestCase
TestSixPages.settings = _settings(60)
TestFourPages = SmallMachine.TestCase
TestFourPages.settings = _settings(40)
