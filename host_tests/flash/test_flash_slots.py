"""Boards with two slots for firmware: what `inspect` and `make flash` say of them, and what stays."""

import struct
import zlib

import pytest

from host_tests.flash.flashed import _image
from host_tests.support.app_images import app_image, in_slots
from host_tests.support.flashing import USER_FILES, field_board, stock_bin
from tools import boards
from tools.image import flash_image, littlefs, slots, updates

BOARD = boards.load("ESP32_GENERIC-OTA")
NEW, PENDING, VALID, ABORTED = 0, 1, 2, 4
OLD, FRESH = app_image("v1"), app_image("v2")


def entry(sequence, state):
    data = struct.pack("<I", sequence)
    made = data + b"\xff" * 20 + struct.pack("<II", state, zlib.crc32(data, 0xFFFFFFFF))
    return made.ljust(4096, b"\xff")


def pair(subtype, image):
    return bytes([subtype + 1]) + image[0xB0:0xB8] + bytes(4)


def record(trees, pairs):
    data = bytes([0, 0, 0, 9, *trees, 0, 0]) + bytes(8) + b"".join(pairs) + b"\0"
    return data + struct.pack("<I", zlib.crc32(data))


# an update brought v2 and files into the second slot
PAIRS = [bytes(13), pair(0x11, FRESH), pair(0x10, OLD)]
UPDATED = {
    **USER_FILES,
    "/ota/r/0": record([0, ord("a"), 0], PAIRS),
    "/ota/a/manifest": b"aliot-ota 1\nrelease 1.2.0\nnumber 7\n",
    "/ota/a/main.py": b"update",
}


def updated(data=entry(1, VALID) + entry(2, VALID), files=UPDATED):
    return in_slots(field_board("ESP32_GENERIC-OTA", files=files), [OLD, FRESH], data)


@pytest.fixture
def flash(tool, tmp_path):
    path = tmp_path / "ota.bin"
    path.write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    return lambda board, *words: tool(
        board, "flash", "--board", BOARD.name, "--firmware", path, *words, firmware=None
    )


def test_inspect_shows_slots_trees_and_release(field, tool):
    shown = tool(field(image=updated()), "inspect", "--board", BOARD.name, firmware=False).out
    for line in (
        "slot ota_0: firmware v1, good\n",
        "slot ota_1: firmware v2, good; starts\n",
        "runs: release 1.2.0, number 7, good, in /ota/a, with the firmware in ota_1\n",
        "also there: the golden tree, good before, with the firmware in ota_0\n",
    ):
        assert line in shown, shown


@pytest.mark.parametrize(
    "data, states, runs",
    [
        (b"", ["; starts", ""], "the golden tree, good before"),
        (
            entry(1, VALID) + entry(2, NEW),
            [", good", ", on trial from the next start on; starts"],
            "release 1.2.0",
        ),
        (entry(1, VALID) + entry(2, PENDING), [", good", ", on trial; starts"], "release 1.2.0"),
        (
            entry(1, VALID) + entry(2, ABORTED),
            [", good; starts", ", taken back by the bootloader"],
            "the golden tree, good before",
        ),
        (entry(3, VALID) + entry(2, VALID), [", good; starts", ", good"], "the golden tree, good before"),
    ],
)
def test_what_runs_is_of_the_firmware_that_starts(data, states, runs):
    image = updated(data)
    found = slots.find(BOARD.rows, lambda at, size: image[at : at + size])
    assert [str(slot) for slot in found] == [
        f"ota_{n}: firmware v{n + 1}{state}" for n, state in enumerate(states)
    ]
    files = littlefs.read(flash_image.region(image, BOARD.layout.vfs))
    assert str(updates.trees(files.get, found)[0]).startswith(runs)


def test_a_cable_brings_its_firmware_to_run(field, flash):
    board = field(image=updated())
    done = flash(board)
    assert done.status == 0 and "ota_1: firmware v2, good; starts" in done.out
    assert (
        "an update runs on this board: release 1.2.0, number 7, good, in /ota/a, with the firmware"
        in done.out
    )
    image = _image(board)
    assert image[0xD000:0xF000] == b"\xff" * 0x2000
    assert not slots.find(BOARD.rows, lambda at, size: image[at : at + size])[1].starts
    assert not updates.newest_record(littlefs.read(flash_image.region(image, BOARD.layout.vfs)).get)


def test_keep_ota_leaves_firmware_and_files(field, flash):
    board = field(image=updated())
    done = flash(board, "--keep-ota")
    assert done.status == 0 and "it goes on to run" in done.out
    begin, end = BOARD.rows[1].offset, BOARD.file_system
    assert _image(board)[begin : begin + 0x2000] == updated()[begin : begin + 0x2000]
    assert _image(board)[0x10000:end] == updated()[0x10000:end]


def test_ota_data_that_the_bootloader_settled_is_nothing_to_do(field, flash):
    board = field(image=updated(b"", USER_FILES))
    assert flash(board).status == 0
    image = bytearray(_image(board))
    image[0xD000:0xF000] = entry(1, VALID) + b"\xff" * 4096
    assert "Nothing to do" in flash(field(image=bytes(image))).out


def test_a_slot_is_named_by_version_or_digest_or_is_empty():
    stock = app_image("", mark=b"MicroPython v1.26.1 on 2025-09-11; ")
    image = in_slots(field_board(BOARD.name), [stock, b"\xff" * 256])
    one, other = slots.find(BOARD.rows, lambda at, size: image[at : at + size])
    assert str(one) == f"ota_0: firmware with the ELF digest {stock[0xB0:0xB8].hex()}; starts"
    assert str(other) == "ota_1: no firmware"
