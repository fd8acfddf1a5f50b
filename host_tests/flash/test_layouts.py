"""Boards that move to another layout of the flash."""

from host_tests.flash.flashed import LAYOUT, _image
from host_tests.support.flashing import field_board, stock_bin, what_is_kept
from tools import boards


def test_a_table_that_moves_nvs_is_refused_then_carried_over(field, tool, tmp_path):
    ota = boards.load("ESP32_GENERIC-OTA")
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    board = field()
    kept = what_is_kept(_image(board), LAYOUT)
    before = _image(board)
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin"]
    refused = tool(board, "flash", *arguments, firmware=None)
    assert refused.error == (
        "NVS would move from 0x9000, 24 KB, to 0x9000, 16 KB on a board that holds the identity "
        "a1MZxOdcBnO/240ac4000001: --relayout saves it, and the files, to a file, writes, and puts them back"
    )
    assert _image(board) == before
    done = tool(board, "flash", *arguments, "--relayout", firmware=None)
    assert done.status == 0, done.err
    assert what_is_kept(_image(board), ota.layout) == kept
    assert not list((tmp_path / "journal").glob("*.identity"))
    assert "Nothing to do" in tool(board, "flash", *arguments, firmware=None).out


def test_a_move_is_refused_when_not_all_of_nvs_can_be_read(field, tool, tmp_path):
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    image = bytearray(field_board())
    image[LAYOUT.nvs.offset + 64 + 40] ^= 0x55  # an entry with a wrong CRC
    board = field(image=bytes(image))
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin", "--relayout"]
    result = tool(board, "flash", *arguments, firmware=None)
    assert "NVS holds what cannot be read and would be lost: page 0 entry" in result.error
    assert _image(board) == bytes(image)


def test_a_relayout_cut_off_is_finished_by_the_next_flash(field, tool, tmp_path):
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    kept = what_is_kept(field_board(), LAYOUT)
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin"]
    board = field(cut_at=150)
    assert tool(board, "flash", *arguments, "--relayout", firmware=None).status == 1
    rescue = list((tmp_path / "journal").glob("*.files.identity"))
    assert len(rescue) == 1 and rescue[0].stat().st_mode & 0o777 == 0o600
    board.nor.cut_at = None
    board.call(board.chip.power_on)
    done = tool(board, "flash", *arguments, firmware=None)
    assert done.status == 0 and "an interrupted flash of this board is finished" in done.out
    assert what_is_kept(_image(board), boards.load("ESP32_GENERIC-OTA").layout) == kept
