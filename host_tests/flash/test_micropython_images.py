"""The image of MicroPython: its parts, its hash, and what is no such image."""

import re

import pytest

from host_tests.support.flashing import stock_bin
from tools import boards
from tools.errors import UserError
from tools.flash import micropython_images as stock


def test_the_image_is_taken_apart_so_that_nvs_is_in_no_part(stock_image):
    taken = stock.take_apart(boards.load("ESP32_GENERIC"), stock_image[1], "stock")
    assert [(part.name, part.offset) for part in taken.parts] == [
        ("bootloader", 0x1000),
        ("partition table", 0x8000),
        ("application factory", 0x10000),
    ]
    for part in taken.parts:
        end = part.offset + len(part.data)
        assert end <= taken.layout.nvs.offset or part.offset >= taken.layout.nvs.end
        begin = part.offset - 0x1000
        assert part.data.rstrip(b"\xff") == stock_image[1][begin : begin + len(part.data)].rstrip(b"\xff")


def test_an_ota_image_resets_the_choice_of_application():
    taken = stock.take_apart(boards.load("ESP32_GENERIC-OTA"), stock_bin("ESP32_GENERIC-OTA"), "ota")
    assert [(part.name, part.offset) for part in taken.parts] == [
        ("bootloader", 0x1000),
        ("partition table", 0x8000),
        ("choice of application", 0xD000),
        ("application ota_0", 0x10000),
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image: b"", "does not begin with an ESP image"),
        (lambda image: b"\x7fELF" + image[4:], "does not begin with an ESP image"),
        (lambda image: image[:0x7000], "there is no partition table"),
        (lambda image: image[:0x7004] + b"\x09" + image[0x7005:], "MD5 does not match"),
        (lambda image: image[:0xF000], "holds no application"),
        (lambda image: image[:0xF000] + b"\0" + image[0xF001:], "holds no application at 0x10000"),
        (lambda image: stock_bin("ESP32_GENERIC-OTA"), "partition 'nvs' is data/nvs, 0x4000 bytes"),
    ],
)
def test_what_is_no_stock_image_is_told(spoil, message):
    with pytest.raises(UserError, match=re.escape(message)):
        stock.take_apart(boards.load("ESP32_GENERIC"), spoil(stock_bin()), "x.bin")


def test_an_image_that_is_not_known_or_cannot_be_had_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(stock, "CACHE", tmp_path)
    with pytest.raises(UserError, match=r"no image is pinned for ESP32_GENERIC_C3.*say FIRMWARE=FILE.bin"):
        stock.load(boards.load("ESP32_GENERIC_C3"))
    monkeypatch.setattr(
        stock.urllib.request, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network"))
    )
    with pytest.raises(
        UserError, match=r"v1.26.1.bin is not in the cache and cannot be fetched \(no network\)"
    ):
        stock.load(boards.load("ESP32_GENERIC_S3"))
    board = boards.load("ESP32_GENERIC_S3")
    (tmp_path / board.file).write_bytes(b"something else")
    with pytest.raises(UserError, match="is damaged: delete it"):
        stock.load(board)
    (tmp_path / board.file).unlink()
    monkeypatch.setattr(stock, "_from_site", lambda board: b"something else")
    with pytest.raises(UserError, match="is not the release that is pinned"):
        stock.load(board)
    assert not list(tmp_path.iterdir())


def test_flash_says_who_is_trusted_for_the_pinned_image_and_nothing_of_ones_own(
    field, tool, stock_image, tmp_path
):
    result = tool(field(), "flash", firmware=None)
    assert (
        "\nMicroPython 1.25.0: ESP32_GENERIC-20250415-v1.25.0.bin\n  taken by its SHA-256 out of"
        in result.out
    )
    assert "taken by" not in tool(field("other.bin"), "flash").out
