"""Settings on their way onto a board: the whole of CONFIG=, the bytes of an access point, and what is said before."""

import json
import os

import pytest

from host_tests.flash.flashed import _image
from host_tests.support.flashing import field_board
from tools import boards
from tools.errors import UserError
from tools.flash import settings
from tools.image import flash_image, littlefs

LAYOUT = boards.load("ESP32_GENERIC").layout
EMOJI = "\U0001f4f6Caf\u00e9"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in (settings.SSID, settings.PASSWORD):
        monkeypatch.delenv(name, raising=False)


def _config(board):
    return littlefs.read(flash_image.region(_image(board), LAYOUT.vfs)).get("/config.json")


def test_config_is_the_whole_of_it_and_what_goes_is_said(field, tool, tmp_path):
    board = field(image=field_board(files={"/config.json": b'{"ssid": "home", "pass": "x", "every": 5}'}))
    (tmp_path / "config.json").write_text(json.dumps({"ssid": EMOJI, "pump": 4}))
    result = tool(board, "flash", "--app", "--config", tmp_path / "config.json", firmware=None)
    assert result.status == 0, result.err
    assert (
        "CONFIG= does not name pass, every: " in result.out
        and "pump in config.json is no setting" in result.out
    )
    assert EMOJI.encode() in _config(board) and json.loads(_config(board)) == {"ssid": EMOJI, "pump": 4}


def test_what_the_board_will_miss_is_said_before_anything_is_written(field, tool, tmp_path):
    board = field(image=field_board(files={}))
    result = tool(board, "flash", "--app", firmware=None).out
    assert result.index("the board will have no settings") < result.index("written")
    (tmp_path / "config.json").write_text('{"every": 5}')
    result = tool(board, "flash", "--app", "--config", tmp_path / "config.json", firmware=None).out
    assert result.index("the board will have no Wi-Fi: its config.json names no ssid") < result.index(
        "written"
    )


def test_a_misspelt_setting_is_refused_before_a_port_is_opened(tool, tmp_path):
    (tmp_path / "config.json").write_text('{"SSID": "x", "pass": "y"}')
    result = tool("/dev/nowhere", "flash", "--config", tmp_path / "config.json")
    assert result.error == f"{tmp_path / 'config.json'}: SSID: did you mean ssid?"


def test_the_wifi_of_the_environment_goes_over_the_rest_and_drops_another_spelling(monkeypatch):
    monkeypatch.setenv(settings.SSID, EMOJI)
    chosen = settings.given()
    assert chosen == {"ssid": EMOJI, "password": ""}
    merged = settings.merged(b'{"ssid_hex": "ff", "password": "12345678", "every": 5}', chosen)
    assert json.loads(merged) == {"every": 5, "ssid": EMOJI, "password": ""} and EMOJI.encode() in merged


def test_bytes_of_an_access_point_that_are_no_utf_8_arrive_as_they_are(monkeypatch):
    monkeypatch.setenv(settings.SSID, os.fsdecode(b"caf\xe9"))
    assert settings.given() == {"ssid_hex": b"caf\xe9".hex(), "password": ""}


def test_a_config_that_cannot_be_read_is_replaced_by_a_whole_one_only():
    with pytest.raises(UserError, match="CONFIG=FILE puts another in its place"):
        settings.merged(b"{", {"every": 5})
    assert json.loads(settings.merged(b"{", {"every": 5}, whole=True)) == {"every": 5}


def test_an_image_holds_the_bytes_of_the_access_point():
    image = flash_image.build(config={"ssid": EMOJI}, with_firmware=False)
    assert EMOJI.encode() in littlefs.read(flash_image.region(image, LAYOUT.vfs))["/config.json"]


def test_what_fits_is_written_close_when_it_has_to_be_and_no_more_than_a_board_reads():
    values = {f"a{i}": i for i in range(350)}
    assert json.loads(settings.merged(None, values)) == values and len(settings.merged(None, values)) <= 4096
    with pytest.raises(UserError, match="config.json would have .* bytes; a board reads 4096"):
        settings.merged(b'{"b": "%s"}' % (b"x" * 3000), values)


def test_half_a_character_in_a_setting_of_an_application_breaks_nothing():
    assert settings.parsed(settings.merged(None, {"pump": "\ud83d"})) is not None
