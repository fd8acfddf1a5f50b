"""The HMAC peripheral behind `machine.mem32`: the page's order signs, and nothing else does; on both interpreters."""

import hashlib
import hmac
import json

import pytest

from host_tests.support import key_blocks

KEY = b"0123456789abcdefghijklmnopqrstuv"
SHORT = b"ProductSecret016"
# block: (purpose, key); KEY5 has an upstream key that anybody may read
BLOCKS = {0: (4, bytes(range(32))), 1: (5, KEY), 3: (8, KEY), 4: (8, SHORT), 5: (8, KEY)}
TEXTS = [0, 1, 54, 55, 56, 63, 64, 65, 118, 119, 120, 127, 128, 150, 183, 184, 300]


def _setup(base, clocks, resets):
    """What `PLAYER` needs of a chip. `clocks`, `resets`: (register, bit) of SHA, DS and HMAC."""
    return {
        "base": base,
        "on": [[*row, row[1]] for row in clocks + resets] + [[*row, 0] for row in resets],
        "off": [*clocks[2], 0],
        "sha_off": [*clocks[0], 0],
        "ds_held": [*resets[1], resets[1][1]],
        "pulse": [["gate", *resets[0], resets[0][1]], ["gate", *resets[0], 0]],
    }


def _shared(clock, reset):
    return _setup(0x6003E000, *([(at, bit) for bit in (0x04, 0x10, 0x20)] for at in (clock, reset)))


_C6 = (0x600960CC, 0x600960E0, 0x600960E4)
SETUPS = {
    "esp32c3": _shared(0x600C0014, 0x600C001C),
    "esp32s3": _shared(0x600C001C, 0x600C0024),
    "esp32s2": _shared(0x3F4C0044, 0x3F4C004C),
    "esp32c6": _setup(0x6008D000, [(at, 1) for at in _C6], [(at, 2) for at in _C6]),
}

# Plays rows of [name, text, key, change] and prints an outcome for each. A step is [what, offset, value]: "gate",
# "wait", "write" or "result"; a `change` is Python that edits the list `s`.
PLAYER = """
import json
from machine import mem32
from struct import pack, unpack
SETUP = json.loads({setup!r})
BASE = SETUP["base"]
OFF, SHA_OFF, DS_HELD, PULSE = [SETUP[name] for name in ("off", "sha_off", "ds_held", "pulse")]
START, PURPOSE, KEY, PARA, ONE, ING, END, FINISH = 0x40, 0x44, 0x48, 0x4C, 0x50, 0x54, 0x58, 0x5C
ERROR, BUSY, WDATA, RDATA, PAD, ONE_BLOCK = 0x68, 0x6C, 0x80, 0xC0, 0xF0, 0xF4
def gate(at, mask, value):
    mem32[at] = mem32[at] & ~mask | value
def steps(text, key):
    s = [["gate"] + row for row in SETUP["on"]]
    def write(*rows):
        for at, value in rows:
            s.append(["write", at, value])
        s.append(["wait"])
    write((START, 1))
    write((PURPOSE, 8), (KEY, key), (PARA, 1))
    s.append(["error"])
    size = len(text)
    text += b"\\x80" + bytes(-(size + 9) % 64) + (8 * size + 512).to_bytes(8, "big")
    blocks = [text[at : at + 64] for at in range(0, len(text), 64)]
    for number, block in enumerate(blocks):
        if number:
            write((PAD if number == len(blocks) - 1 else ING, 1))
        elif 56 <= size < 64:
            write((ING, 1))
        write(*[(WDATA + 4 * n, word) for n, word in enumerate(unpack("<16I", block))], (ONE, 1))
    if len(blocks) == 1:
        write((ONE_BLOCK, 1))
    return s + [["result"], ["write", FINISH, 2], ["wait"]]
def play(s):
    result = None
    for what, *more in s:
        if what == "gate":
            gate(*more)
        elif what == "write":
            mem32[BASE + more[0]] = more[1]
        elif what == "wait":
            looks = 0
            while mem32[BASE + BUSY]:
                looks += 1
                if looks == 50:
                    return "busy"
        elif what == "error" and mem32[BASE + ERROR]:
            return "error"
        elif what == "result":
            result = b"".join([pack("<I", mem32[BASE + RDATA + 4 * n]) for n in range(8)])
    return result.hex() if any(result) else "nothing"
def at(s, offset, value=1, which=0):
    return [n for n, step in enumerate(s) if step[0] == "write" and step[1] == offset][which]
for name, size, key, change in json.loads({rows!r}):
    s = steps(bytes([48 + n % 75 for n in range(size)]), key)
    exec(change, globals())
    print(name + ": " + play(s))
"""

# name, length of the text, block, change, outcome
ROWS = [
    *((f"a text of {size}", size, 3, "", "signed") for size in TEXTS),
    ("a key that is padded", 100, 4, "", "signed"),
    ("a key that can be read", 100, 5, "", "signed"),
    ("a blank block", 9, 2, "", "error"),
    ("a block of another purpose", 9, 0, "", "error"),
    ("a downstream key", 9, 1, "", "error"),
    ("a block that is none", 9, 6, "", "error"),
    ("a downstream purpose", 9, 3, "s[at(s, PURPOSE)][2] = 5", "error"),
    ("signs after an error", 9, 3, "", "signed"),
    ("no start", 9, 3, "del s[at(s, START)]", "nothing"),
    ("a second start", 9, 3, "s.insert(at(s, PURPOSE), ['write', START, 1])", "nothing"),
    ("no purpose", 9, 3, "del s[at(s, PURPOSE)]", "nothing"),
    ("the key after its end", 9, 3, "n = at(s, KEY); s[n], s[n + 1] = s[n + 1], s[n]", "nothing"),
    ("no end of the parameters", 9, 3, "del s[at(s, PARA)]", "nothing"),
    ("no ONE_BLOCK", 9, 3, "del s[at(s, ONE_BLOCK)]", "nothing"),
    ("ONE_BLOCK in place of PAD", 70, 3, "s[at(s, PAD)][1] = ONE_BLOCK", "nothing"),
    ("ING in place of PAD", 70, 3, "s[at(s, PAD)][1] = ING", "nothing"),
    ("PAD too early", 200, 3, "s[at(s, ING)][1] = PAD", "nothing"),
    ("no ING between blocks", 200, 3, "del s[at(s, ING)]", "nothing"),
    ("no ING before 56 bytes", 56, 3, "del s[at(s, ING)]", "nothing"),
    ("ING before 55 bytes", 55, 3, "s[at(s, WDATA):0] = [['write', ING, 1], ['wait']]", "nothing"),
    ("ING before 64 bytes", 64, 3, "s[at(s, WDATA):0] = [['write', ING, 1], ['wait']]", "nothing"),
    ("a block that is not taken", 9, 3, "del s[at(s, ONE)]", "nothing"),
    ("a command that is no 1", 9, 3, "s[at(s, ONE)][2] = 3", "nothing"),
    (
        "whole blocks, padded by the peripheral",
        128,
        3,
        "n = at(s, PAD); s[n][1] = END; del s[n + 2 : -3]",
        "signed",
    ),
    ("a length without the key's block", 9, 3, "s[at(s, WDATA) + 15][2] = 72 << 24", "other"),
    ("no 0x80", 8, 3, "s[at(s, WDATA) + 2][2] = 0", "other"),
    ("the result too early", 9, 3, "s.insert(at(s, ONE_BLOCK) + 1, ['result']); s[-3] = ['wait']", "nothing"),
    ("the result after it is wiped", 9, 3, "s.append(s.pop(-3))", "nothing"),
    ("signs after what was lost", 9, 3, "", "signed"),
    ("a clock that is off", 9, 3, "s[at(s, PURPOSE):0] = [['gate'] + OFF]", "nothing"),
    ("no clock of SHA", 9, 3, "s[at(s, START):0] = [['gate'] + SHA_OFF]", "busy"),
    ("DS in reset", 9, 3, "s[at(s, START):0] = [['gate'] + DS_HELD]", "busy"),
    ("SHA is reset before a block", 9, 3, "s[at(s, WDATA):0] = PULSE", "other"),
    ("SHA is reset between blocks", 70, 3, "s[at(s, PAD):0] = PULSE", "other"),
    ("SHA is reset at the end", 9, 3, "s[at(s, ONE_BLOCK) + 1:0] = PULSE", "other"),
    ("SHA is reset before the start", 9, 3, "s[at(s, START):0] = PULSE", "signed"),
    ("SHA is reset when the result is there", 9, 3, "s[-3:0] = PULSE", "signed"),
    *(
        (
            f"no wait after step {number} of {size} bytes",
            size,
            3,
            f"del s[[n for n, x in enumerate(s) if x[0] == 'wait'][{number}]]",
            "nothing",
        )
        for size, waits in ((9, 4), (60, 6), (140, 7))
        for number in range(waits)
    ),
]


def fuses(chip="esp32c3"):
    return key_blocks.fuses(BLOCKS, 0x7F & ~(1 << 5), chip).image()


def signature(size, block):
    """Python's hmac, with the key out of the eFuse file."""
    return hmac.new(
        key_blocks.key_of(fuses(), block), bytes(48 + n % 75 for n in range(size)), hashlib.sha256
    ).hexdigest()


def player(chip, rows):
    return PLAYER.format(setup=json.dumps(SETUPS[chip]), rows=json.dumps([row[:4] for row in rows]))


@pytest.mark.parametrize("chip", SETUPS)
def test_the_order_of_the_page_signs_and_no_other_does(prints, chip):
    lines = prints(player(chip, ROWS), chip=chip, efuses=lambda: fuses(chip))
    found = {}
    for line, (_, size, block, *_) in zip(lines, ROWS, strict=True):
        name, _, got = line.partition(": ")
        right = got == (signature(size, block) if block in BLOCKS else "")
        found[name] = "signed" if right else "other" if len(got) == 64 else got
    assert found == {row[0]: row[4] for row in ROWS}


def test_what_is_spoiled_is_wrong_in_another_way_each_time(prints):
    rows = [("spoiled", 9, 3, "s[at(s, WDATA):0] = PULSE", "")] * 5
    assert len(set(prints(player("esp32c3", rows), chip="esp32c3", efuses=fuses))) == 5


FACTS = [
    (
        "a protected key reads as zeros",
        "print(sum([mem32[0x60008800 + 0x9C + 96 + 4 * n] for n in range(8)]))",
        "0",
    ),
    (
        "another does not",
        "print(hex(mem32[0x60008800 + 0x9C + 160]))",
        hex(int.from_bytes(KEY[:4], "little")),
    ),
    ("purposes can be read", "print(mem32[0x60008800 + 0x38] >> 4 & 15)", "8"),
    ("a word has an address of four", "mem32[0x60008802]", "ValueError"),
    ("nothing is elsewhere", "mem32[0x3FF00000]", "RuntimeError"),
    ("the board burns nothing", "mem32[0x60008800] = 1", "RuntimeError"),
    ("other clocks are not ours", "mem32[0x600C0014] = 0x34", "RuntimeError"),
    ("without a clock all reads as 0", "print(mem32[0x6003E000 + 0x6C])", "0"),
    ("its name", "import os; print(os.uname()[4])", "Generic ESP32C3 module with ESP32C3 (emulated)"),
    ("the file is gone", "import machine\nmachine._chip.open(machine._chip.settings['efuses'])", "OSError"),
]


def test_what_software_sees(prints):
    program = "from machine import mem32\n"
    for _, text, _ in FACTS:
        program += f"try:\n    exec({text!r})\nexcept OSError:\n    print('OSError')\n"
        program += "except Exception as e:\n    print(type(e).__name__)\n"
    assert prints(program, chip="esp32c3", efuses=fuses) == [row[2] for row in FACTS]


def test_a_chip_without_it_has_none(prints):
    assert prints("import machine; print(hasattr(machine, 'mem32'))", efuses=fuses) == ["False"]
