"""What `flash` and `erase` refuse, each by its line, and what goes wrong on the way."""

import json

import pytest

from host_tests.flash.flashed import LAYOUT, _files, _folder, _golden, _image
from host_tests.support.flashing import MAC, SECRET, field_board, records, stock_bin, what_is_kept
from tools.image import device_files as firmware
from tools.image import flash_image, nvs


def test_a_wrong_chip(bench, tool):
    result = tool(bench(chip="esp32c3"), "flash", "--board", "ESP32_GENERIC")
    assert (
        result.error
        == "the board is an esp32c3, but ESP32_GENERIC is for an esp32: say BOARD=ESP32_GENERIC_C3"
    )


def test_an_image_for_another_chip(bench, tool, tmp_path):
    (tmp_path / "c3.bin").write_bytes(stock_bin("ESP32_GENERIC_C3"))
    result = tool(bench(), "flash", "--firmware", tmp_path / "c3.bin", firmware=None)
    assert result.error == (
        "c3.bin is not a stock MicroPython image for ESP32_GENERIC: it is an image for esp32c3, not for esp32"
    )


def test_a_flash_that_is_too_small(bench, tool):
    assert (
        tool(bench(size=2 << 20), "flash").error
        == "the board has 2 MB of flash, but ESP32_GENERIC needs 4 MB: say BOARD=ESP32_GENERIC-D2WD"
    )


@pytest.mark.parametrize(
    ("chip", "burns", "message"),
    [
        ("esp32", [(0, 0, 1 << 20)], "flash encryption is switched on"),
        ("esp32", [(0, 6, 1 << 4)], "secure boot is switched on"),
        ("esp32s3", [(0, 2, 1 << 18), (0, 3, 1 << 20)], "secure boot and flash encryption are switched on"),
        ("esp32c3", [(0, 4, 1 << 5)], "secure download mode is switched on"),
    ],
)
def test_a_chip_with_security_switched_on(bench, tool, tmp_path, chip, burns, message):
    board = bench(chip=chip, size=(8 if chip == "esp32s3" else 4) << 20)
    for burn in burns:
        board.chip.efuses.burn(*burn)
    name = {"esp32": "ESP32_GENERIC", "esp32s3": "ESP32_GENERIC_S3", "esp32c3": "ESP32_GENERIC_C3"}[chip]
    (tmp_path / "its.bin").write_bytes(stock_bin(name))
    result = tool(board, "flash", "--firmware", tmp_path / "its.bin", firmware=None)
    assert result.error == f"{message} in this chip: plain data would ruin it for good, so nothing is written"
    assert board.nor.operations == 0


def test_a_file_system_that_cannot_be_read_is_made_anew_only_when_asked(field, tool):
    image = bytearray(field_board())
    start = LAYOUT.vfs.offset
    image[start : start + 0x2000] = b"\x5a" * 0x2000
    board = field(image=bytes(image))
    assert tool(board, "flash").error == (
        "the file system on the board cannot be read: --fresh makes a new one, and what is in it is lost"
    )
    assert _image(board) == bytes(image)
    assert tool(board, "flash", "--fresh").status == 0
    assert _files(board) == firmware.compile_tree()
    assert nvs.read(flash_image.region(_image(board), LAYOUT.nvs)).find("aliot", "burned") == records()[0]


def test_an_identity_of_another_device_is_not_burned_over(field, tool, tmp_path):
    board = field()
    before = _image(board)
    (tmp_path / "cert.json").write_text(
        json.dumps(
            {
                "product_key": "a1Other",
                "device_name": "dev2",
                "device_secret": "x" * 32,
                "region": "cn-shanghai",
            }
        )
    )
    assert (
        "which is lost when a1Other/dev2 is burned"
        in tool(board, "flash", "--cert", tmp_path / "cert.json").error
    )
    assert _image(board) == before


def test_erase_names_what_is_lost_and_saves_it(field, tool, tmp_path):
    board = field()
    before = _image(board)
    refused = tool(board, "flash", "--erase")
    assert refused.error == (
        "this erases the secret that the platform issued to a1MZxOdcBnO/240ac4000001; without the "
        "backup the device can never register again: say --confirm 240ac4000001"
    )
    assert (
        tool(board, "flash", "--erase", "--confirm", "no").error
        == "not erased: what was typed is not the device's name"
    )
    assert _image(board) == before
    done = tool(board, "erase", "--confirm", "240ac4000001")
    assert done.status == 0
    _golden("erase", done.out)
    assert not _image(board).strip(b"\xff")
    saved = sorted((tmp_path / "backups").glob("*.identity"))
    assert saved and all(path.stat().st_mode & 0o777 == 0o600 for path in saved)

    assert (
        tool(board, "restore", "--from", saved[-1]).error
        == "there is no partition table on this board: flash it first"
    )
    assert tool(board, "flash").status == 0
    _golden("restore", tool(board, "restore", "--from", saved[-1]).out)
    _, found, _ = what_is_kept(_image(board), LAYOUT)
    assert (
        found["nvs"] == found["littlefs"]
        and found["nvs"]["burned"]
        and SECRET.encode() in found["nvs"]["issued"]
    )
    assert "nothing to do" in tool(board, "restore", "--from", saved[-1]).out


def test_a_backup_goes_back_only_onto_its_own_board(field, tool, tmp_path):
    first, other = field(), field("other.bin", mac="24:0a:c4:00:00:02")
    assert tool(first, "backup").status == 0
    saved = next((tmp_path / "backups").glob("*.identity"))
    assert (
        "two boards with one identity throw each other off" in tool(other, "restore", "--from", saved).error
    )
    (tmp_path / "broken.identity").write_text("{}")
    assert (
        "is not a backup of an identity"
        in tool(first, "restore", "--from", tmp_path / "broken.identity").error
    )


def test_a_board_without_identity_has_none_to_save(bench, tool):
    board = bench()
    assert tool(board, "backup").error == f"the board {MAC} holds no identity"


def test_only_the_files_of_a_board_without_micropython(bench, tool, tmp_path):
    board = bench()
    app = _folder(tmp_path / "app", {"main.py": "print('app')\n"})
    result = tool(board, "flash", "--app", "--files", app, firmware=None, wait="90")
    assert result.error == (
        f"there is no MicroPython on this board: 'make flash PORT={board.url} FILES={app}' brings it, and the files"
    )
    assert "say 'make flash'" in tool(board, "flash", "--app", "--erase", firmware=None).error
    assert board.nor.operations == 0


def test_a_board_that_does_not_answer(bench, tool):
    board = bench()
    board.chip.efuses.burn(0, 0, 1 << 27)  # its download mode is switched off
    assert "no answer from a board at" in tool(board, "flash").error


@pytest.mark.parametrize("fault", [{"disconnect": 3}, {"bad-md5": 10_000}])
def test_what_goes_wrong_on_the_way_is_one_line_and_the_next_flash_mends_it(bench, tool, fault):
    board = bench(faults=fault)
    result = tool(board, "flash")
    assert "went away" in result.error or "reads back otherwise" in result.error
    board.chip.faults.clear()
    done = tool(board, "flash")
    assert done.status == 0
    assert _files(board) == firmware.compile_tree()
