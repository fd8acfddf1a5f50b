"""The example application, main.py, on an emulated board."""

import json
import time

import pytest

from tools.emulator.board.boot import Board
from tools.image import flash
from tools.image.identity import parse

DEVICE = parse(
    {"product_key": "a1EXAMPLE01", "device_name": "example_1", "device_secret": "0123456789abcdef0123456789abcdef"}
)
WIFI = {"ssid": "home", "password": "a-wifi-password"}


@pytest.fixture(params=["micropython", "cpython"])
def run(request, tmp_path):
    """Starts a board without a platform: no name resolves."""
    started = []

    def start(identity=DEVICE, config=WIFI, files=None, **options):
        image = flash.build(identity=identity, config=config, files=files)
        board = Board(image, folder=tmp_path, interpreter="cpython" if request.param == "cpython" else None)
        board.start(**options)
        started.append(board)
        return board

    yield start
    for board in started:
        board.power_off()


def until(condition, board, seconds=30):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "\n".join(board.run.lines)
        time.sleep(0.02)


def test_ctrl_c_stops_it(run):
    board = run(console=lambda data: None)
    board.wait_for("wifi", timeout=30)
    board.send(b"\x03")
    until(lambda: any("stopped" in line for line in board.run.lines), board)
    assert not any("Traceback" in line for line in board.run.lines)


def test_without_a_name_server_it_says_so_and_goes_on(run):
    board = run()
    state = board.wait_for("offline", timeout=30)
    assert state["code"] == "dns" and state["retry"] == "now" and state["advice"]
    assert board.run.state("clock")["server"] is None
    again = board.wait_for("connecting", timeout=30)
    assert again["host"].endswith(".aliyuncs.com")


@pytest.mark.parametrize("case", ["settings", "nothing burned"])
def test_what_nobody_handles_is_one_line_of_json(run, case):
    board = run(config=None, files={"/config.json": b"{broken"}) if case == "settings" else run(identity=None)
    state = board.wait_for("error", timeout=30)
    assert state["wait"] == 5
    assert state["code"] == ("ValueError" if case == "settings" else "credential")
    assert "config.json" in state["detail"] if case == "settings" else "burned" in state["detail"]
    for line in board.run.lines:
        json.loads(line)


def test_no_secret_is_ever_on_the_console(run):
    board = run()
    board.wait_for("offline", timeout=30)
    shown = "\n".join(board.run.lines)
    assert WIFI["password"] not in shown and DEVICE.device_secret not in shown
