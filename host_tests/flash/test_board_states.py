"""What a board says that it is: state lines, settings on it, and what `inspect` shows."""

import json

import pytest
import serial

from host_tests.flash.flashed import LAYOUT, _found, _image
from host_tests.support.flashing import MAC, field_board, what_is_kept
from tools import partitions
from tools.errors import UserError
from tools.flash import backup, console, port, settings
from tools.image import config, flash_image


def test_a_port_that_comes_back_under_another_name_is_followed(bench, tmp_path, monkeypatch):
    """Native USB: at the reset the port goes away, and the application brings up one of its own."""
    (tmp_path / "flash.bin").write_bytes(
        flash_image.build(
            "ESP32_GENERIC_S3",
            files={
                "/main.py": b'import time\nwhile True:\n    print(\'{"aliot": "connected"}\')\n    time.sleep_ms(200)\n'
            },
        )
    )
    board = bench(chip="esp32s3", size=8 << 20, style="usb", renumber=True, software=True, boot_blank=True)
    old = board.url
    line = port.open_port(old)
    monkeypatch.setattr(port.list_ports, "comports", _found())
    line.dtr = False
    line.rts = False
    try:
        line.rts = True
        line.rts = False
    except (OSError, serial.SerialException):
        pass
    monkeypatch.setattr(port.list_ports, "comports", lambda: [] if board.url == old else _found(board.url)())
    states = []
    state = console.follow(old, line, 30, states.append)
    assert board.url != old and state["aliot"] == "connected"


def test_a_board_that_never_says_that_it_runs_is_told_in_time(field, tool):
    board = field()  # nothing is emulated behind the application: the console stays silent
    result = tool(board, "flash", wait="0.3")
    assert result.error.startswith("the board was flashed, but did not say within 0.3 s that it runs")


def test_state_lines_are_told_from_all_others():
    assert console.state_of(b'{"aliot": "wifi"}\r') == {"aliot": "wifi"}
    for line in (b"", b"{", b"[1]", b'{"app": "posted"}', b'{"aliot": 3}', b"\xff\xfe", b'"aliot"'):
        assert console.state_of(line) is None


# --- settings


@pytest.mark.parametrize(
    "values",
    [
        {"ssid": ""},
        {"ssid": "x" * 33},
        {"ssid": "a", "password": "short"},
        {"ssid": "a", "password": "x" * 64},
        {"device_secret": "x"},
        {"ssid": 3},
        {"id2_key": "00"},
        {"endpoint": {"auth": "http"}},
    ],
)
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(UserError):
        config.check(values)


def test_settings_of_a_board_stay_unless_they_are_given():
    assert settings.merged(b'{"a": 1}', {}) is None
    assert settings.merged(b'{"a": 1}', {"a": 1}) == b'{"a": 1}'
    assert json.loads(settings.merged(b'{"a": 1}', {"b": 2})) == {"a": 1, "b": 2}
    with pytest.raises(UserError, match="is not a JSON object"):
        settings.merged(b"[]", {"b": 2})


def test_wifi_is_asked_for_on_a_terminal_only(monkeypatch):
    monkeypatch.delenv("ALIOT_WIFI_SSID", raising=False)
    with pytest.raises(UserError, match="there is no terminal"):
        settings.given(prompt=True)


def test_inspect_shows_the_board_with_its_secrets_masked(field, tool):
    result = tool(field(), "inspect")
    assert (
        result.status == 0
        and "device_secret: ****et12" in result.out
        and "/mine.txt: 600 bytes" in result.out
    )


def test_a_table_that_is_damaged_still_finds_the_identity(field, tool):
    image = bytearray(field_board())
    image[partitions.OFFSET + 5] ^= 0xFF
    board = field(image=bytes(image))
    kept = what_is_kept(_image(board), LAYOUT)
    assert tool(board, "flash").status == 0
    assert what_is_kept(_image(board), LAYOUT) == kept


def test_a_rescue_that_cannot_be_read_is_left_alone(tmp_path):
    backup.save_rescue(MAC, (), {"/a": b"b"}, tmp_path)
    assert backup.load_rescue(MAC, tmp_path).tree == {"/a": b"b"}
    path = next(tmp_path.iterdir())
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read; it holds what a board held"):
        backup.load_rescue(MAC, tmp_path)
    assert path.exists()
