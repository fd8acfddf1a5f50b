"""The examples run on an emulated board, from its flash, against the emulated cloud."""

import time

import pytest

from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import Cloud
from tools.firmware import FOLDER
from tools.image import flash
from tools.image.identity import parse

KEY, NAME, SECRET = "a1EXAMPLE01", "example_1", "0123456789abcdef0123456789abcdef"
GATE_KEY, SUB_KEY = "a1EXAMPLEGW", "a1EXAMPLESB"
CLOUD = {"instance": {"kind": "enterprise", "id": "iot-06z00abc", "region": "cn-shanghai"},
         "product": [{"product_key": KEY, "product_secret": "ProductSecret016", "auth": "secret", "node": "direct",
                      "device": [{"device_name": NAME, "device_secret": SECRET}]},
                     {"product_key": GATE_KEY, "node": "gateway",
                      "device": [{"device_name": NAME, "device_secret": SECRET}]},
                     {"product_key": SUB_KEY, "node": "subdevice", "dynamic_registration": True,
                      "device": [{"device_name": "probe-1"}, {"device_name": "probe-2"}, {"device_name": "probe-3"}]}]}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Cloud(CLOUD, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(params=["micropython", "cpython"])
def run(request, cloud, tmp_path):
    """Starts a board with an example as its /main.py."""
    started = []

    def start(example, key=KEY, config=None, files=None):
        burned = {"product_key": key, "device_name": NAME, "device_secret": SECRET}
        image = flash.build(identity=parse(burned), roots=[cloud.ca_pem],
                            config={"ssid": "home", "password": "12345678", **(config or {})},
                            files={"/main.py": (FOLDER / "examples" / example).read_bytes(), **(files or {})})
        board = Board(image, cloud=cloud.run_dir, folder=tmp_path, heap="112K",
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


def test_gateway(run, cloud):
    names = "# three of them\n" + "".join(f"{SUB_KEY} {name}\n" for name in ("probe-1", "probe-2", "unknown"))
    board = run("gateway.py", GATE_KEY, {"spread": 0}, {"/subdevices.txt": names.encode()})
    board.wait_for("connected", timeout=30)
    printed(board, '"posted", "subdevice": "probe-2"')
    assert any('"subdevice": "unknown"' in line and "6100" in line and "exactly this DeviceName" in line
               for line in board.run.lines)
    cloud.admin("POST", f"/devices/{SUB_KEY}/probe-1/property", {"params": {"Switch": 1}})
    printed(board, '"app": "set"')
    notify = {"subdevices": [{"product_key": SUB_KEY, "device_name": "probe-3"}]}
    cloud.admin("POST", f"/devices/{GATE_KEY}/{NAME}/notify", notify)
    ends = time.monotonic() + 30
    while cloud.device(SUB_KEY, "probe-3")["status"] != "online":
        assert time.monotonic() < ends, "\n".join(board.run.lines)
        time.sleep(0.05)


def test_gateway_without_its_file_of_names(run):
    board = run("gateway.py", GATE_KEY, {"spread": 0})
    board.wait_for("connected", timeout=30)
    printed(board, '"gateway.names"')
    time.sleep(2)
    failed = [line for line in board.run.lines if '"gateway.names"' in line]
    assert len(failed) == 1 and "correct the file of names" in failed[0]
