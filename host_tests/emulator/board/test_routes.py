"""Which names lead to the emulated cloud; what the port takes of the heap."""

import json

import pytest

from host_tests.support import peers
from tools import host_names
from tools.emulator.board import interpreter as interpreters
from tools.emulator.board import modules
from tools.emulator.board.boot import Board
from tools.errors import UserError

PORTS = {
    "mqtt_tls": 1001,
    "mqtt_tcp": 1002,
    "https": 1003,
    "admin": 1004,
    "ntp": 1005,
    "x509": 1006,
    "itls": 1007,
}
NAMES = [
    ("a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 1883, 1001),
    ("a1TESTpk001.iot-as-mqtt.us-west-1.aliyuncs.com", 443, 1001),
    ("iot-as-mqtt.eu-central-1.aliyuncs.com", 1883, 1001),
    ("iot-auth-global.aliyuncs.com", 443, 1003),
    ("iot-060a06ph.mqtt.iothub.aliyuncs.com", 8883, 1001),
    ("x509.itls.cn-shanghai.aliyuncs.com", 1883, 1006),
    ("a1WO4Z9qHRw.itls.cn-shanghai.aliyuncs.com", 1883, 1007),
    ("iot-060a06ph.itls.ap-northeast-1.aliyuncs.com", 1883, 1007),
    ("iot-auth.cn-shanghai.aliyuncs.com", 443, 1003),
    ("iot-auth.ap-northeast-1.aliyuncs.com", 443, 1003),
    ("ntp.aliyun.com", 123, 1005),
    ("2.pool.ntp.org", 123, 1005),
    # refused: the name is known, the port is not
    ("a1WO4Z9qHRw.itls.cn-shanghai.aliyuncs.com", 443, 111),
    ("iot-auth.cn-shanghai.aliyuncs.com", 80, 111),
    ("a1.iot-as-mqtt.cn-shanghai.aliyuncs.com", 8884, 111),
    # unknown to DNS
    ("a1.iot-as-mqtt.cn-nowhere.aliyuncs.com", 443, -202),
    ("a.b.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443, -202),
    (".mqtt.iothub.aliyuncs.com.example", 443, -202),
    ("iot-auth.cn-shanghai.aliyuncs.com.example", 443, -202),
    ("aliyuncs.com", 443, -202),
    ("localhost", 443, -202),
]
ASK = """
import network, socket
w = network.WLAN()
w.active(True)
w.connect("home")
for name, port in %r:
    try:
        there = socket._route((name, port))
        try:
            print(there[1])
        except TypeError:
            print(there)
    except OSError as error:
        print(error.args[0])
"""


@pytest.fixture
def cloud(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ready.json").write_text(json.dumps({"ports": PORTS}))
    return tmp_path / "run"


def test_the_platform_s_names_and_ports_and_no_others(image, cloud, tmp_path):
    board = Board(
        image(ASK % [row[:2] for row in NAMES]), interpreter="cpython", cloud=cloud, folder=tmp_path / "board"
    )
    assert board.boot(timeout=30).lines == [str(row[2]) for row in NAMES]


def test_the_micropython_board_reaches_the_same_port_by_name(image, serve, tmp_path, cloud):
    port = serve(peers.echo)[1]
    (cloud / "ready.json").write_text(json.dumps({"ports": {**PORTS, "mqtt_tls": port}}))
    program = (ASK % []) + (
        "s = socket.socket()\ns.connect(socket.getaddrinfo('i.mqtt.iothub.aliyuncs.com', 8883)[0][-1])\n"
        "s.write(b'hello')\nprint(s.read(5))\n"
    )
    assert Board(image(program), cloud=cloud, folder=tmp_path / "board").boot(timeout=30).lines == [
        "b'hello'"
    ]


def test_a_folder_without_a_cloud_is_one_line(image, tmp_path):
    with pytest.raises(UserError, match="no emulated cloud runs") as caught:
        Board(image(""), cloud=tmp_path, folder=tmp_path / "board").start()
    assert "\n" not in str(caught.value)


def test_hosts_beside_the_platform(cloud):
    text = host_names.text(cloud, {"broker.test": {8883: ("127.0.0.1", 5)}})
    assert "broker.test 8883=127.0.0.1:5\n" in text


@pytest.mark.parametrize("memory", [None, "1.25", "1.26"])
def test_the_port_takes_at_most_24_kb_of_the_heap(image, tmp_path, memory):
    """All that a first boot uses, umqtt apart: littlefs mounted, NVS and every module of the port loaded.

    MicroPython keeps names in pools of 20, 40, 80, 160 and 320: the port's leave the last one to the application,
    whose size is what a board's heap is measured for.
    """
    program = "import network, ntptime, esp32, socket, tls, machine, micropython\nmicropython.qstr_info()\n"
    program += 'print(\'{"aliot":"here"}\')\n'
    board = Board(image(program), measure="here", memory=memory, folder=tmp_path / "board")
    boot = board.boot(timeout=30)
    print(f"of {boot.heap['used']} bytes in use the port takes {boot.heap['port']}; {boot.lines[0]}")
    assert 0 < boot.heap["port"] <= 24 * 1024
    assert "n_pool=4," in boot.lines[0]


def test_an_interpreter_without_rom_file_system_runs_the_same_board(image, tmp_path, monkeypatch):
    """MicroPython 1.24, whose port's modules then lie in the heap."""
    found = interpreters.find()
    monkeypatch.setattr(
        interpreters,
        "find",
        lambda: interpreters.Interpreter(
            found.argv, found.version, found.why, found.faketime, found.loader, rom=False
        ),
    )
    board = Board(image("import umqtt.simple\nprint('runs')\n"), folder=tmp_path / "board")
    assert board.boot(timeout=30).lines == ["runs"]


def test_modules_are_compiled_once_for_the_same_bytes(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = modules.tree(tmp_path)
    assert (first / "a.mpy").is_file() and modules.tree(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    assert modules.tree(tmp_path) != first
