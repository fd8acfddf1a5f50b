"""A board behind a port is sealed: what is typed on it reaches nothing of the host. Each attack is tried as it is."""

import ctypes
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tools.emulator.board import interpreter as interpreters
from tools.emulator.board import modules
from tools.emulator.board.boot import Board
from tools.emulator.board.launch import SOCKET_CALLS

# forgets all that Python has put in front of the interpreter's own modules
FRESH = "import sys, builtins\nsys.path[:] = []\nsys.modules.clear()\ndel builtins.__import__\n"
WIDEN = "import socket\nc = socket._chip\n"
ATTACKS = {
    "ffi": "import ffi\nffi.open(None)",
    "ffi, by a fresh import": FRESH + "import ffi\nffi.open(None)",
    "ffi, by its own import": "__import__('ffi').open(None)",
    "the JVM": "import jni\njni.env()",
    "_chip": "import _chip",
    "_chip, by sys.modules": "import sys\nsys.modules['_chip']",
    "_chip, by the folder of the port": "import sys\nsys.path.append('/.frozen')\nimport jail",
    "os.system": "import os\nos.system('id')",
    "os.system, by a fresh import": FRESH + "import os\nos.system('id')",
    "os.system, by the old name": FRESH + "import uos\nuos.system('id')",
    "os.system, by what the port has": "import os\nos.uos.system('id')",
    "the environment": FRESH + "import os\nos.getenv('HOME')",
    "VfsPosix": "import vfs\nvfs.VfsPosix('/')",
    "VfsPosix, by a fresh import": FRESH + "import vfs\nvfs.VfsPosix('/')",
    "VfsPosix of os": FRESH + "import os\nos.VfsPosix('/')",
    "a path out of the board": "open('/../../etc/passwd')",
    "a path out of the port": "open('/.frozen/../../../../../../../../etc/passwd')",
    "memory": FRESH + "import machine\nmachine.mem8[0]",
    "a socket of the interpreter": FRESH + "import socket\nsocket.socket()",
    "a socket of the interpreter, by its old name": FRESH + "import usocket\nusocket.socket()",
    "a service of this machine": "import socket\nsocket.socket().connect(('127.0.0.1', PORT))",
    "a service of this machine, by UDP": "import socket\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', PORT))",
    "another family": "import socket\nsocket.socket(1)",
    "the port's socket": WIDEN + "c.raw_socket(2, 1).connect(('127.0.0.1', PORT))",
    "what is in the port's socket": "import socket\nsocket.socket()._raw.makefile()",
    "a file by the port": WIDEN + "c.open('/etc/passwd')",
    "other routes": WIDEN + "c.open(c.settings['routes'], 'wb')",
    "other flash": WIDEN + "c.open(c.settings['clock'][:-5] + 'flash.bin', 'r+b')",
    "wider settings": WIDEN + "c.settings['routes'] = '/etc/passwd'\nc.open(c.settings['routes'])",
    "other settings": WIDEN
    + "c.settings['rom'] = '/etc'\nimport sys\nsys.modules['_chip'] = c\nimport jail\njail.close(c.settings)",
    "a socket behind another": WIDEN
    + "import socket\ns = socket.socket()\ntype(s._raw)().connect(('127.0.0.1', PORT))",
    "the C library by the port": WIDEN + "c._libc.func('i', 'system', 's')",
    "memory of files": WIDEN + "c.map_file('/etc/passwd')",
}


@pytest.fixture
def peer():
    """A service of this machine that counts who comes: (port, connections)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        came = []

        def serve():
            try:
                while True:
                    came.append(server.accept())
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["ROM file system", "folder"])
def sealed(request, image, tmp_path, monkeypatch):
    """`sealed(main)`: what a sealed board prints; on an interpreter that runs from a ROM and on one that cannot."""
    if request.param == "folder":
        found = interpreters.find()
        plain = interpreters.Interpreter(
            found.argv, found.version, found.why, found.faketime, found.loader, rom=False
        )
        monkeypatch.setattr(interpreters, "find", lambda: plain)

    def run(main, **options):
        return Board(image(main), folder=tmp_path / "board", sealed=True, **options).boot(timeout=60)

    return run


def test_nothing_of_the_host_is_reached(sealed, peer):
    """All attacks on one board: each in the names of a fresh module, what it changed put back after it."""
    port, came = peer
    program = (
        "import sys, builtins\nhow = builtins.__import__\nname = None\n"
        "for name, text in ATTACKS.items():\n"
        "    path, known = sys.path[:], dict(sys.modules)\n"
        "    try:\n        exec(text, {})\n        print('REACHED', name)\n"
        "    except Exception as error:\n        print('refused', name, type(error).__name__)\n"
        "    sys.path[:] = path\n    sys.modules.clear()\n"
        "    sys.modules.update(known)\n    builtins.__import__ = how\n"
    )
    attacks = {name: text.replace("PORT", str(port)) for name, text in ATTACKS.items()}
    boot = sealed(program.replace("ATTACKS", repr(attacks)))
    assert [line for line in boot.lines if not line.startswith("refused")] == []
    assert len(boot.lines) == len(ATTACKS) and boot.reason == "exit" and came == []


def test_no_object_that_a_program_finds_is_one_of_the_host(sealed):
    program = """
import sys, network, ntptime, esp32, socket, tls, machine, os, time, vfs, select, asyncio
found, todo = set(), [(name, module) for name, module in sys.modules.items()] + [("vfs", vfs), ("mounts", vfs.mount())]
while todo:
    path, one = todo.pop()
    if id(one) in found or isinstance(one, (int, str, bytes, float)):
        continue
    found.add(id(one))
    try:
        text = "" if isinstance(one, (dict, list, tuple, set)) else str(one)
    except RuntimeError:  # a closure that leads back to itself
        text = ""
    for word in ("VfsPosix", "ffimod", "<_socket", "<class 'ffimod", "<function system", "<function getenv"):
        if word in text and "<closure" not in text:  # what a closure holds is printed, and cannot be had
            print("REACHED", path, one)
    if isinstance(one, (list, tuple, set)):
        todo += [(path + "[]", item) for item in one]
    elif isinstance(one, dict):
        todo += [(path + "[%s]" % key, item) for key, item in one.items()]
    else:
        for name in dir(one) + ["__globals__"]:
            try:
                todo.append((path + "." + name, getattr(one, name)))
            except Exception:
                pass
print(len(found) > 300)
"""
    assert sealed(program, heap="8M").lines == ["True"]


def test_a_sealed_board_goes_on_with_all_that_a_chip_has(sealed, peer):
    """Clock, RTC memory, NVS, files, modules that are loaded late, a host that is mapped, a server of its own."""
    program = """
import machine, esp32, time, socket, network, random, os
machine.RTC().datetime((2026, 1, 2, 0, 3, 4, 5, 0))
machine.RTC().memory(b"kept")
nvs = esp32.NVS("x")
nvs.set_i32("n", 5)
nvs.commit()
with open("/f", "w") as file:
    file.write("text")
wlan = network.WLAN()
wlan.active(True)
wlan.connect("home")
print(time.gmtime()[:4], machine.RTC().memory(), nvs.get_i32("n"), open("/f").read(), len(os.urandom(4)))
print(len(esp32.Partition.find(1)) > 0, machine.Pin(2).value())
s = socket.socket()
s.connect(socket.getaddrinfo("service.test", 80)[0][-1])
s.close()
print("reached")
s = socket.socket()
s.bind(("", 0))
s.listen(1)
print("listens")
"""
    port, _ = peer
    boot = sealed(program, hosts={"service.test": {80: ("127.0.0.1", port)}})
    assert boot.lines[0].startswith("(2026, 1, 2, 3) b'kept' 5 text 4") and boot.lines[1:] == [
        "True 0",
        "reached",
        "listens",
    ]


def test_its_process_has_neither_the_user_s_environment_nor_their_folder(image, tmp_path, monkeypatch):
    monkeypatch.setenv("ALIOT_SECRET_OF_THE_USER", "x")
    board = Board(image("import time\nprint('runs')\nwhile True:\n    time.sleep_ms(10)\n"), sealed=True)
    board.start()
    board.wait_line("runs")
    proc = Path("/proc", str(board._process.pid))
    names = {row.partition(b"=")[0].decode() for row in (proc / "environ").read_bytes().split(b"\0")} - {""}
    assert names <= {"MICROPYPATH", "LD_PRELOAD", *board.clock.environment()}
    assert Path(os.readlink(proc / "cwd")) == board.folder and Path.home() not in board.folder.parents
    board.power_off()


def _landlock():
    """The version of Landlock that this kernel has, 0 for none."""
    return max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)


def test_what_machine_code_asks_the_kernel_for_is_refused_too(tmp_path, peer):
    """With the C library in its hands: no file outside its folder, no program, no socket that is not mapped."""
    port, came = peer
    (tmp_path / "board").mkdir()
    (tmp_path / "secret").write_text("secret")
    program = f"""
import sys, ffi, usocket
sys.modules["_chip"] = None
c = ffi.open(None).func
calls = c("i", "system", "s"), c("i", "open", "si"), c("i", "socket", "iii"), c("i", "connect", "iPi")
there = usocket.getaddrinfo("127.0.0.1", {port})[0][-1]
import jail
jail.confine(c, {str(tmp_path / "board")!r}, None, ["127.0.0.1:1"], {SOCKET_CALLS.get(os.uname().machine)!r})
system, open, socket, connect = calls
print("system", system("touch {tmp_path}/board/ran"))
print("secret", open({str(tmp_path / "secret")!r}, 0), "own", open({str(tmp_path / "board" / "own")!r}, 0o102) >= 0)
print("unix", socket(1, 1, 0), "connect", connect(socket(2, 1, 0), there, len(there)))
"""
    (tmp_path / "program.py").write_text(program)
    start, rom = modules.port(rom=False)
    found = interpreters.find()
    done = subprocess.run(
        found.command(tmp_path / "program.py"),
        env={"MICROPYPATH": str(rom)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    values = dict(re.findall(r"(\w+) (-?\w+)", done.stdout))
    known = os.uname().machine in SOCKET_CALLS
    wanted = {"own": "True", **({"unix": "-1"} if known else {})}
    if _landlock():
        assert values["system"] != "0" and not (tmp_path / "board" / "ran").exists()
        wanted["secret"] = "-1"
    if _landlock() >= 4:
        wanted["connect"] = "-1"
        assert came == []
    assert {name: values.get(name) for name in wanted} == wanted, done.stdout + done.stderr
