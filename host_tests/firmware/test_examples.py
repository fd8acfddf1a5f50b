"""The examples run on an emulated board, from its flash, against the emulated cloud."""

import time

import pytest

from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import Cloud
from tools.firmware import FOLDER
from tools.image import flash
from tools.image.identity import Identity

KEY, NAME, SECRET = "a1EXAMPLE01", "example_1", "0123456789abcdef0123456789abcdef"
CLOUD = {"instance": {"kind": "enterprise", "id": "iot-06z00abc", "region": "cn-shanghai"},
         "product": [{"product_key": KEY, "product_secret": "ProductSecret016", "auth": "secret", "node": "direct",
                      "device": [{"device_name": NAME, "device_secret": SECRET}]}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Cloud(CLOUD, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(params=["micropython", "cpython"])
def run(request, cloud, tmp_path):
    """Starts a board with an example as its /main.py."""
    started = []

    def start(example):
        image = flash.build(identity=Identity(KEY, device_name=NAME, device_secret=SECRET), roots=[cloud.ca_pem],
                            config={"ssid": "home", "password": "12345678"},
                            files={"/main.py": (FOLDER / "examples" / example).read_bytes()})
        board = Board(image, cloud=cloud.run_dir, folder=tmp_path,
                      interpreter="cpython" if request.param == "cpython" else None)
        board.start()
        started.append(board)
        return board

    yield start
    for board in started:
        board.power_off()


def printed(board, text, seconds=30):
    """Wait until the board's console shows `text`."""
    ends = time.monotonic() + seconds
    while not any(text in line for line in board.run.lines):
        assert time.monotonic() < ends, "\n".join(board.run.lines)
        time.sleep(0.02)


def test_minimal(run, cloud):
    board = run("minimal.py")
    board.wait_for("connected", timeout=30)
    printed(board, "sent")
    cloud.admin("POST", "/publish", {"topic": f"/{KEY}/{NAME}/user/get", "payload": "echo me", "qos": 0})
    printed(board, "echo me")


def test_commands(run, cloud):
    board = run("commands.py")
    board.wait_for("connected", timeout=30)
    topic = f"/sys/{KEY}/{NAME}/thing/service/property/set"
    cloud.admin("POST", "/publish", {"topic": topic, "payload": '{"id":"7","version":"1.0","params":{"Switch":1}}', "qos": 1})
    printed(board, '"app": "set"')
    assert any('"Switch": 1' in line for line in board.run.lines)


def test_with_asyncio(run):
    board = run("with_asyncio.py")
    board.wait_for("connected", timeout=30)
    printed(board, '"app": "posted"')
    printed(board, '"app": "blinked"')
