"""A flash chip whose id esptool does not know, one that says nothing, and one that is too small."""

import pytest

from host_tests.support.flashing import field_board
from tools.emulator.chip.nor import Nor
from tools.errors import UserError
from tools.flash import open_board

UNKNOWN = 0x5A40C8


@pytest.fixture
def answers(monkeypatch):
    """`answers(id)`: what the flash chip says to 0x9F from now on."""
    return lambda number: monkeypatch.setattr(Nor, "jedec", property(lambda self: number))


def test_a_flash_that_esptool_does_not_know_is_named_and_taken_with_its_size(field, tool, answers):
    answers(UNKNOWN)
    board = field()
    assert tool(board, "flash").error == (
        f"the flash at {board.url} answers with the id 0x5a40c8 (maker 0xc8), and esptool does not know how large that "
        "is: say ARGS=--flash-size=4, or how many MB its data sheet names"
    )
    assert board.nor.read(0, board.nor.size) == field_board()
    assert tool(board, "backup", "--flash-size", "4MB").status == 0


def test_a_flash_that_does_not_answer_is_told_apart(bench, tool, answers):
    answers(0xFFFFFF)
    assert (
        "does not answer (its id reads 0xffffff): is it powered well enough" in tool(bench(), "flash").error
    )


def test_a_size_that_the_flash_contradicts_is_refused(bench, tool):
    board = bench()
    assert tool(board, "flash", "--flash-size", "8").error == (
        f"the flash at {board.url} says that it has 4 MB, not 8: leave --flash-size out"
    )


def test_a_small_board_hears_which_board_fits(bench, tool, tmp_path):
    result = tool(bench("c3.bin", chip="esp32c3", size=2 << 20), "backup")
    assert result.error.endswith(
        "ESP32_GENERIC_C3 needs 4 MB; no board here is for an esp32c3 with so little: "
        "boards/README.md says how to add one"
    )


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("4", 4 << 20), ("16MB", 16 << 20), ("2mb", 2 << 20)]
)
def test_a_size_is_read(text, size):
    assert open_board.flash_size(text) == size


@pytest.mark.parametrize("text", ["0", "3", "four", "4KB", "-4", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="is not one of 1, 2, 4"):
        open_board.flash_size(text)
