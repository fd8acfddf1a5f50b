"""The board's flash: NOR rules, counted operations, and what is left when the power goes at one of them."""

import random

import pytest

from tools.emulator.board.boot import Board
from tools.image import flash_image, littlefs

SECTOR = 4096
BEGIN = "import flash\nf = flash.Flash('flash.bin')\nat = 0x3ff000\n"

FACTS = [
    (
        "programming only clears bits",
        "f.erase(at); f.program(at, b'\\xf0\\x0f'); f.program(at, b'\\x3c\\x3c'); print(f.read(at, 3))",
        ["b'0\\x0c\\xff'"],
    ),
    (
        "erasing sets a whole sector",
        "f.program(at, b'\\0' * 4096); f.erase(at); print(f.read(at, 4096) == b'\\xff' * 4096, f.operations)",
        ["True 2"],
    ),
    (
        "an erase begins at a sector",
        "try:\n    f.erase(at + 1)\nexcept OSError as e:\n    print(e.args[0])",
        ["22"],
    ),
    (
        "flash ends",
        "for call in (lambda: f.read(f.size - 1, 2), lambda: f.program(f.size, b'x'), lambda: f.read(-1, "
        "1)):\n"
        "    try:\n        call()\n    except OSError as e:\n        print(e.args[0])",
        ["22", "22", "22"],
    ),
]


@pytest.mark.parametrize("program, printed", [row[1:] for row in FACTS], ids=[row[0] for row in FACTS])
def test_fact(prints, program, printed):
    assert prints(BEGIN + program) == printed


CUT = "f = flash.Flash('flash.bin', 2, {torn})\nf.program(at, bytes(range(256)))\n{second}\nprint('never')\n"


@pytest.mark.parametrize("torn", [False, True])
def test_a_cut_comes_before_or_in_the_middle_of_a_program(board, torn):
    one = board(BEGIN + CUT.format(torn=torn, second="f.program(at + 256, b'ab' * 8)"))
    boot = one.boot(timeout=20)
    assert (boot.reason, boot.lines) == ("power cut", [])
    data = one.flash.read_bytes()[0x3FF000:0x3FF110]
    assert data == bytes(range(256)) + (b"ab" * 4 + b"\xff" * 8 if torn else b"\xff" * 16)


@pytest.mark.parametrize("torn", [False, True])
def test_a_cut_comes_before_or_in_the_middle_of_an_erase(board, torn):
    one = board(BEGIN + CUT.format(torn=torn, second="f.erase(at)"))
    assert one.boot(timeout=20).reason == "power cut"
    data = one.flash.read_bytes()[0x3FF000:0x400000]
    assert data[:256] == (b"\xff" * 256 if torn else bytes(range(256)))
    assert data[SECTOR // 2 :] == b"\xff" * (SECTOR // 2)


SAVE = """
import os
def save(text):
    with open("/state.new", "w") as file:
        file.write(text)
    os.rename("/state.new", "/state")
save("%s")
print("saved")
"""
NVS_SAVE = "import esp32\nn = esp32.NVS('space')\nn.set_blob('state', b'%s')\nn.commit()\nprint('saved')\n"
NVS_READ = (
    "import esp32\nb = bytearray(9)\nprint(bytes(b[:esp32.NVS('space').get_blob('state', b)]).decode())\n"
)


@pytest.mark.parametrize(
    "save, read", [(SAVE, "print(open('/state').read())\n"), (NVS_SAVE, NVS_READ)], ids=["littlefs", "NVS"]
)
def test_a_value_saved_over_another_is_the_old_or_the_new_whatever_the_cut(
    interpreter, tmp_path, campaign, save, read
):
    """A file renamed over another, and a blob, at each flash operation of the saving, whole and torn."""
    one = Board(_with(save % "old"), interpreter=interpreter, folder=tmp_path / "board")
    assert one.boot(timeout=20).lines == ["saved"]
    before = one.flash.read_bytes()
    before = _main(before, save % "new")
    one.flash.write_bytes(before)
    total = one.boot(timeout=20).operations
    assert total >= 2
    tries = [(cut, torn) for cut in range(1, total + 1) for torn in (False, True)]
    seen = set()
    for cut, torn in random.Random(1).sample(tries, min(len(tries), campaign(12))):
        one.flash.write_bytes(before)
        assert one.boot(timeout=20, cut_at=cut, torn=torn).reason == "power cut"
        one.flash.write_bytes(_main(one.flash.read_bytes(), read))
        lines = one.boot(timeout=20).lines
        assert lines in (["old"], ["new"]), (cut, torn, lines)
        seen.add(lines[0])
    print(f"{min(len(tries), campaign(12))} cuts tried of {len(tries)}")
    assert "old" in seen


def _with(main):
    return flash_image.build(with_firmware=False, files={"/main.py": main.encode()})


def _main(image, text):
    """The image with another /main.py, all else as it is."""
    layout = flash_image.layout_of("ESP32_GENERIC")
    begin, end = layout.vfs.offset, layout.vfs.offset + layout.vfs.size
    tree = littlefs.update(image[begin:end], {"/main.py": text.encode()})
    return image[:begin] + tree + image[end:]


def test_a_boot_counts_its_operations_from_one(board):
    one = board("with open('/a', 'w') as f:\n    f.write('x' * 100)\n")
    first = one.boot(timeout=20)
    assert first.operations > 1 and first.reason == "exit"
    assert board("pass").boot(timeout=20).operations == 0


STATES = """
print('{"aliot":"begun"}')
print('{"aliot":"same"}')
open("/main.py").read()
print('{"aliot":"read"}')
"""


def test_block_reads_of_the_file_system_are_counted_at_each_state_line(board):
    boot = board(STATES).boot(timeout=20)
    begun, same, read = [boot.reads_at(name) for name in ("begun", "same", "read")]
    assert 0 < begun == same < read <= boot.reads and boot.reads_at("connected") is None
    assert [name for name, _ in boot.marks] == ["begun", "same", "read"]


def test_block_reads_are_counted_up_to_the_moment_that_the_power_goes(board):
    one = board(STATES + "import time\nwhile True:\n    time.sleep_ms(10)\n")
    one.start()
    one.wait_for("read", 20)
    boot = one.power_off()
    assert boot.reads >= boot.reads_at("read") > boot.reads_at("begun")


def test_each_read_of_a_block_counts_one_and_a_look_at_nvs_none(prints):
    main = (
        "import esp32\np = esp32.Partition('vfs')\ncounted = lambda: esp32._flash.reads\na = counted()\n"
        "p.readblocks(0, bytearray(32))\np.readblocks(1, bytearray(64), 32)\nb = counted()\n"
        "esp32.NVS('space').set_i32('number', 1)\nesp32.idf_heap_info(esp32.HEAP_DATA)\nprint(b - a, counted() - b)\n"
    )
    assert prints(main) == ["2 0"]


def test_a_built_in_module_is_looked_for_on_flash_at_each_import_but_not_by_its_old_name(image, tmp_path):
    """As on a chip: in each place of sys.path that lies there."""
    main = (
        "import esp32, sys\ndef cost(name):\n    a = esp32._flash.reads\n    __import__(name)\n"
        "    return esp32._flash.reads - a\nfor name in ('time', 'json'):\n"
        "    print(cost(name) == cost(name) > 0, cost('u' + name))\n"
        "both = cost('time')\nsys.path.remove('/lib')\nprint(0 < cost('time') < both)\nprint(cost('esp32'))\n"
    )
    lines = Board(image(main), folder=tmp_path / "board").boot(timeout=20).lines
    assert lines == ["True 0", "True 0", "True", "0"]


PACKAGE = {
    "/p/__init__.py": b"from . import a\nfrom .a import x\ndef late():\n    from .c import z\n    return z\n",
    "/p/a.py": b"from .b import y\nfrom .b.d import w\nx = y + 1\n",
    "/p/b/__init__.py": b"y = 1\n",
    "/p/b/d.py": b"from .. import c\nw = c.z\n",
    "/p/c.py": b"z = 7\n",
}


def test_relative_imports_work(image, tmp_path):
    main = "import p\nprint(p.a.x, p.x, p.late(), p.a.w)\n"
    assert Board(image(main, PACKAGE), folder=tmp_path / "board").boot(timeout=20).lines == ["2 2 7 7"]


def test_a_relative_import_may_be_the_first_one_in_a_function(image, tmp_path):
    files = {"/p/__init__.py": b"def late():\n    from .c import z\n    return z\n", "/p/c.py": b"z = 7\n"}
    board = Board(image("import p\nprint(p.late())\n", files), folder=tmp_path / "board")
    assert board.boot(timeout=20).lines == ["7"]


def test_a_blank_file_system_is_formatted_a_damaged_one_is_not(interpreter, tmp_path):
    blank = flash_image.build(with_firmware=False)
    one = Board(blank, interpreter=interpreter, folder=tmp_path / "blank")
    assert one.boot(timeout=20).reason == "exit"
    assert one.boot(timeout=20).operations == 0
    layout = flash_image.layout_of("ESP32_GENERIC")
    damaged = bytearray(blank)
    damaged[layout.vfs.offset : layout.vfs.offset + 8] = b"not a fs"
    one = Board(bytes(damaged), interpreter=interpreter, folder=tmp_path / "damaged")
    one.start()
    assert "corrupted" in one.wait_line("filesystem", 20)
    assert one.power_off().operations == 0
    assert one.flash.read_bytes() == bytes(damaged)
