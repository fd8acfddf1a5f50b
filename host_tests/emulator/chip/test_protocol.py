"""The pieces under the loader, each by its rules: SLIP, the wire, DTR and RTS, NOR flash."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from types import SimpleNamespace

import esp_pylib.serial_reset as sequences
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.emulator.chip import pins, slip
from tools.emulator.chip.nor import PAGE, SECTOR, Nor, OutOfRange, PowerCut
from tools.emulator.chip.server import Wire
from tools.errors import UserError

# --- SLIP


@given(frames=st.lists(st.binary(min_size=1, max_size=80), max_size=5), cuts=st.randoms())
@settings(max_examples=150, deadline=None)
def test_frames_come_out_as_they_went_in_however_the_line_cuts_them(frames, cuts):
    line = b"".join(map(slip.encode, frames))
    decoder, out, at = slip.Decoder(), [], 0
    while at < len(line):
        step = cuts.randint(1, 7)
        out += decoder.feed(line[at : at + step])
        at += step
    assert out == frames


def test_noise_before_a_frame_and_bad_escapes_are_dropped():
    assert slip.Decoder().feed(b"ets Jun\r\n\xc0ab\xc0") == [b"ab"]
    assert slip.Decoder().feed(b"\xc0a\xdbz\xc0\xc0cd\xc0") == [b"cd"]


# --- the wire


def test_a_limited_wire_carries_no_more_than_ten_bits_a_byte_allow():
    rnd = random.Random(5)
    wire, now, total = Wire(921600), 0.0, 0
    for _ in range(500):
        count = rnd.randint(1, 1024)
        done = wire.carry(count, now, 921600)
        total += count
        assert done >= total * 10 / 921600 - 1e-9
        now = rnd.uniform(now, done)  # the sender never waits longer than the wire
    assert wire.free_at == pytest.approx(total * 10 / 921600)  # and the wire never idles


@pytest.mark.parametrize(
    ("limit", "baud", "seconds"),
    [
        (921600, 115200, 1024 * 10 / 115200),  # the host's rate holds when it is the lower one
        (115200, 921600, 1024 * 10 / 115200),
        (None, 9600, 0.0),
    ],
)
def test_the_slower_of_limit_and_rate_counts(limit, baud, seconds):
    assert Wire(limit).carry(1024, 0.0, baud) == pytest.approx(seconds)


def test_an_idle_wire_starts_at_once():
    wire = Wire(1000)
    assert wire.carry(1, 0.0, 1000) == pytest.approx(0.01)
    assert wire.carry(1, 5.0, 1000) == pytest.approx(5.01)


# --- DTR and RTS


class _FakePort:
    """Takes what esptool's own reset sequences do to a port."""

    def __init__(self, wiring):
        self.wiring, self.events, self.dtr, self.rts = wiring, [], False, False

    def setDTR(self, state):
        self.dtr = state
        self._note(self.wiring.set(dtr=state))

    def setRTS(self, state):
        self.rts = state
        self._note(self.wiring.set(rts=state))

    def both(self, dtr, rts):
        self.dtr, self.rts = dtr, rts
        self._note(self.wiring.set(dtr, rts))

    def _note(self, event):
        if event:
            self.events.append(event)


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(sequences, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(sequences, "set_dtr_rts", lambda port, dtr, rts: port.both(dtr, rts))


@pytest.mark.parametrize(
    ("wiring", "sequence", "first", "events"),
    [
        (pins.Bridge, "classic_bootloader_reset", (True, True), [pins.HOLD, pins.DOWNLOAD]),
        (pins.Bridge, "classic_bootloader_reset", (False, False), [pins.HOLD, pins.DOWNLOAD]),
        (pins.Bridge, "unix_tight_bootloader_reset", (True, True), [pins.HOLD, pins.DOWNLOAD]),
        (pins.Bridge, "hard_reset", (False, False), [pins.HOLD, pins.RUN]),
        (pins.Usb, "usb_jtag_bootloader_reset", (False, False), [pins.DOWNLOAD]),
        (pins.Usb, "hard_reset", (False, False), [pins.RUN]),
    ],
)
def test_esptools_own_sequences_reset_the_chip_as_on_a_dev_board(no_pauses, wiring, sequence, first, events):
    port = _FakePort(wiring())
    port.both(*first)
    port.events.clear()
    getattr(sequences, sequence)(port)
    assert port.events == events


@pytest.mark.parametrize("wiring", [pins.Bridge, pins.Usb])
def test_opening_and_closing_a_port_resets_nothing(wiring):
    port = _FakePort(wiring())
    port.setDTR(True)  # as pyserial opens a port
    port.setRTS(True)
    port.both(False, False)  # as it is when the port is closed
    assert port.events == []


def test_a_bridge_that_stays_at_both_lines_on_runs_after_a_pause():
    wiring = pins.Bridge()
    assert wiring.set(dtr=False, rts=True) == pins.HOLD
    assert wiring.set(dtr=True) is None and wiring.rising
    assert wiring.settle() == pins.RUN
    assert wiring.settle() is None


# --- NOR flash


def test_programming_only_clears_bits_and_erasing_sets_whole_sectors(tmp_path):
    nor = Nor(tmp_path / "flash", 1 << 20)
    nor.program(100, b"\xf0" * 300)
    nor.program(100, b"\x3c" * 300)
    assert nor.read(100, 300) == b"\x30" * 300
    nor.program(SECTOR * 2, b"\0")
    nor.erase(50, 100)
    assert nor.read(0, SECTOR) == b"\xff" * SECTOR
    assert nor.read(SECTOR * 2, 1) == b"\0"


@pytest.mark.parametrize("offset", [(1 << 20) - 1, 1 << 20, -1])
def test_nothing_is_read_or_written_beyond_the_end(tmp_path, offset):
    nor = Nor(tmp_path / "flash", 1 << 20)
    for action in (lambda: nor.read(offset, 2), lambda: nor.program(offset, b"ab")):
        with pytest.raises(OutOfRange):
            action()


@pytest.mark.parametrize("size", [1 << 20, 4 << 20, 16 << 20])
def test_the_jedec_id_tells_the_size(tmp_path, size):
    assert 1 << (Nor(tmp_path / "flash", size).jedec >> 16) == size


def test_a_file_that_is_no_flash_is_refused(tmp_path):
    (tmp_path / "flash").write_bytes(b"x" * 1000)
    with pytest.raises(UserError, match="has 1000 bytes"):
        Nor(tmp_path / "flash")


def test_power_goes_in_the_middle_of_the_operation_asked_for(tmp_path):
    data = os.urandom(PAGE * 3).replace(b"\xff", b"\xfe")
    nor = Nor(tmp_path / "flash", 1 << 20, cut_at=2)
    with pytest.raises(PowerCut):
        nor.program(0, data)
    torn = PAGE + PAGE // 2
    assert nor.read(0, torn) == data[:torn]
    assert nor.read(torn, PAGE) == b"\xff" * PAGE
    assert nor.operations == 2
    nor.cut_at = 3
    with pytest.raises(PowerCut):
        nor.erase(0)
    assert nor.read(0, PAGE) == b"\xff" * PAGE


def test_what_was_acknowledged_outlives_a_killed_process(tmp_path):
    program = (
        "import sys; from tools.emulator.chip.nor import Nor\n"
        "nor = Nor(sys.argv[1], 1 << 20); nor.program(0, b'kept' * 5000)\n"
        "print('done', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "flash")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"done\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert (
        hashlib.md5((tmp_path / "flash").read_bytes()[:20000]).digest()
        == hashlib.md5(b"kept" * 5000).digest()
    )
