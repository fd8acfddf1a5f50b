"""The example application, main.py, on an emulated board."""

import json

import pytest

from tools.image import flash_image
from tools.image.identity import parse

DEVICE = parse(
    {
        "product_key": "a1EXAMPLE01",
        "device_name": "example_1",
        "device_secret": "0123456789abcdef0123456789abcdef",
    }
)
WIFI = {"ssid": "home", "password": "a-wifi-password"}


@pytest.fixture
def run(board):
    """Starts a board without a platform: no name resolves."""

    def start(identity=DEVICE, config=WIFI, files=None, **options):
        made = board(flash_image.build(identity=identity, config=config, files=files))
        made.start(**options)
        return made

    return start


def test_ctrl_c_stops_it(run):
    board = run(console=lambda data: None)
    board.wait_for("wifi", timeout=30)
    board.send(b"\x03")
    board.wait_line("stopped", timeout=30)
    assert not any("Traceback" in line for line in board.run.lines)


def test_without_a_name_server_it_says_so_and_goes_on(run):
    board = run()
    state = board.wait_for("offline", timeout=30)
    assert state["code"] == "dns" and state["retry"] == "now" and state["advice"]
    assert board.run.state("clock")["server"] is None
    again = board.wait_for("connecting", timeout=30)
    assert again["host"].endswith(".aliyuncs.com")


def test_what_nobody_handles_is_one_line_of_json_and_a_reset(run):
    board = run(identity=None)
    state = board.wait_for("error", timeout=30)
    assert (
        state["wait"] == 5
        and state["code"] == "credential"
        and "burned" in state["detail"]
        and state["advice"]
    )
    for line in board.run.lines:
        json.loads(line)


@pytest.mark.parametrize(
    "content, detail",
    [
        (b"{broken", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"a": "' + b"x" * 60000 + b'"}', "has more than 4096 bytes"),
        (b'{"keepalive": 10}', "keepalive has to be a number from 30 to 1200"),
        (b'{"every": "60"}', "every has to be a number from 1 to 86400"),
        (b'{"ntp": "ntp.aliyun.com"}', "ntp has to be a list of 1 to 8 host names"),
        (b'{"watchdog": 5}', "watchdog has to be a number from 8000 to 3600000 or 0"),
        (b'{"endpoint": ["h"]}', "endpoint has to be an object"),
        (b'{"endpoint": {"port": "8883"}}', "endpoint.port has to be a number from 1 to 65535"),
        (b'{"endpoint": {"regoin": "x"}}', "endpoint.regoin has to be one of auth, bootstrap, host"),
    ],
)
def test_settings_that_cannot_be_are_named_and_the_board_goes_on(run, content, detail):
    board = run(config=None, files={"/config.json": content})
    state = board.wait_for("error", timeout=30)
    assert state["code"] == "settings" and "/config.json" in state["detail"] and detail in state["detail"]
    assert state["advice"]
    reported = board.wait_for("wifi", timeout=30)
    assert reported["up"] is False and reported["code"] == "wifi.ssid" and "ssid" in reported["advice"]


def test_no_secret_is_ever_on_the_console(run):
    board = run()
    board.wait_for("offline", timeout=30)
    shown = "\n".join(board.run.lines)
    assert WIFI["password"] not in shown and DEVICE.device_secret not in shown
