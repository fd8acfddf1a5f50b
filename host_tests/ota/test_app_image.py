"""Firmware in a package: the image alone, whole and for this board, or refused by name."""

import hashlib
import json
from pathlib import Path

import pytest

from host_tests.support.app_images import app_image
from host_tests.support.flashing import stock_bin
from tools import boards
from tools.errors import UserError
from tools.ota import app_image as images
from tools.ota import manifest, package

BOARD = boards.load("ESP32_GENERIC-OTA")
GOOD = app_image()
PACK = "pack --firmware new.bin --board ESP32_GENERIC-OTA --number 8 --out fw.ota --release"


def changed(at, value, data=GOOD):
    return data[:at] + bytes([value]) + data[at + 1 :]


REFUSED = [
    ("a text", b"MicroPython", "no image of an application: take the application alone"),
    ("nothing", b"", "no image of an application"),
    ("a stock .bin", stock_bin("ESP32_GENERIC-OTA"), "a merged image, with bootloader and partition table"),
    ("the same for offset 0", b"\xff" * 0x1000 + stock_bin("ESP32_GENERIC-OTA"), "a merged image"),
    ("a stock .bin of a C3", stock_bin("ESP32_GENERIC_C3"), "a merged image"),
    ("another chip", app_image(chip="esp32c3"), "an image for ESP32-C3, but ESP32_GENERIC-OTA has an ESP32"),
    ("an unknown chip", changed(12, 99), "an image for another chip, but"),
    ("cut in a segment", GOOD[:-100], "cut short, or damaged"),
    ("cut in its digest", GOOD[:-1], "cut short: its SHA-256 is missing"),
    ("a byte of code", changed(700, 1), "damaged: its SHA-256 is another"),
    ("a byte of the digest", changed(len(GOOD) - 1, GOOD[-1] ^ 1), "damaged: its SHA-256 is another"),
    ("a segment too many", changed(1, 3), "damaged: its SHA-256 is another"),
    ("17 segments", changed(1, 17), "cut short, or damaged"),
    ("padded", GOOD + b"\xff" * 16, "has 16 bytes behind its end"),
    ("no digest", changed(23, 0, GOOD[:-32]), "has no SHA-256 at its end"),
    ("too large", app_image(size=0x180000), "a slot of ESP32_GENERIC-OTA has 1572864"),
    (
        "a version that none publishes",
        app_image("v1.26+mine"),
        "has the version 'v1.26\\+mine', which no device",
    ),
]


@pytest.mark.parametrize("data, complaint", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_application_for_this_board_is_refused_by_name(data, complaint):
    with pytest.raises(UserError, match=f"^new.bin .*{complaint}"):
        images.parse(data, BOARD, "new.bin")


def resealed(data):
    """An image after a change of its bytes, with the digest that belongs to them."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def test_a_description_that_is_missing_or_names_no_build_is_refused():
    for at in range(0x20, 0x24):
        with pytest.raises(UserError, match="damaged: its checksum is wrong"):
            images.parse(resealed(changed(at, 0)), BOARD)
    bare = bytearray(GOOD)
    bare[0x20:0x28] = bytes(4) + bytes(a ^ b for a, b in zip(GOOD[0x20:0x24], GOOD[0x24:0x28]))
    with pytest.raises(UserError, match="is a bootloader, or no application of ESP-IDF"):
        images.parse(resealed(bytes(bare)), BOARD)


def test_micropython_s_own_images_have_their_version_in_the_banner_only():
    stock = app_image("", mark=b"MicroPython v1.26.1 on 2025-09-11; ")
    assert images.parse(stock, BOARD).version == "v1.26.1"


def test_a_board_without_slots_takes_no_firmware():
    with pytest.raises(UserError, match="ESP32_GENERIC has no OTA partitions, so no firmware comes to it"):
        images.parse(GOOD, boards.load("ESP32_GENERIC"))


def test_an_image_is_packed_in_pieces_before_the_files(monkeypatch, key):
    monkeypatch.setattr(manifest, "PIECE", 4096)
    image = app_image(size=9000)
    head = manifest.Manifest("v1.26.1", 3, 6, 1, "1.24", board="ESP32", firmware="v1.26.1")
    made = package.pack({}, head, image).signed(key)
    text = made.manifest.encode().decode().splitlines()
    assert text[7] == "firmware v1.26.1" and [line.split()[1] for line in text[8:]] == [
        "4096",
        "4096",
        "1152",
    ]
    assert package.parse(made.encode()) == made and made.contents == image


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"board": "", "products": ("a1OtaTests0",)}, "names the chip"),
        ({"release": "2"}, "a package of firmware alone is --release v1.26.1"),
        ({"firmware": ""}, "go together"),
        ({"delete": ("/old.bin",)}, "deletes nothing"),
    ],
    ids=str,
)
def test_a_manifest_with_an_image_says_what_a_board_needs(change, complaint):
    fields = {"release": "v1.26.1", "board": "ESP32", "firmware": "v1.26.1", **change}
    head = manifest.Manifest(number=3, mpy=6, store=1, least="1.24", **fields)
    with pytest.raises(UserError, match=complaint):
        package.pack({}, head, GOOD)


def test_pieces_are_of_whole_sectors():
    head = manifest.Manifest(
        "v1", 3, 6, 1, "1.24", board="ESP32", firmware="v1", pieces=((100, "0" * 64), (100, "0" * 64))
    )
    with pytest.raises(UserError, match="whole sectors of 4096"):
        head.encode()


def test_firmware_alone_and_with_files(ota):
    Path("new.bin").write_bytes(GOOD)
    assert ota(f"{PACK} v1.26.1") == (
        0,
        f"fw.ota: release v1.26.1, number 8, firmware v1.26.1, {len(GOOD)} bytes\n"
        "  next   python -m tools ota sign fw.ota --key FOLDER\n",
    )
    assert ota("inspect fw.ota")[1].splitlines()[4] == f"  firmware    v1.26.1, an image of {len(GOOD)} bytes"
    alone = package.read("fw.ota")
    assert alone.contents == GOOD and alone.manifest.board == "ESP32"
    assert ota(f"{PACK} 2.0 --files app")[0] == 0
    both = package.read("fw.ota")
    assert both.manifest.release == "2.0" and "main.py" in [file.path for file in both.manifest.files]
    assert both.contents.startswith(GOOD)
    assert json.loads(ota("inspect fw.ota --json")[1])["firmware"] == "v1.26.1"


@pytest.mark.parametrize(
    "message, complaint",
    [
        (f"{PACK} 2.0", "a package of firmware alone is --release v1.26.1"),
        (f"{PACK} v1.26.1 --without aliot/id2", "--without goes with --files"),
        (f"{PACK} v1.26.1".replace("--board ESP32_GENERIC-OTA", ""), "--firmware needs --board"),
        (f"{PACK} v1.26.1".replace("C-OTA", "C"), "ESP32_GENERIC has no OTA partitions"),
        (f"{PACK} v1.26.1".replace("new.bin", "none.bin"), "none.bin"),
    ],
)
def test_a_request_that_cannot_be_met_gets_one_line(ota, message, complaint):
    Path("new.bin").write_bytes(GOOD)
    status, text = ota(message)
    assert status == 1 and text.count("\n") == 1 and complaint in text, text
