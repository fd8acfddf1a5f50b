"""`flash` against esptool doing the same reads and writes of the same bytes, on a wire of 921600 baud."""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import esptool.cmds as esptool
from esp_pylib.logger import EspLog

from host_tests.bench.report import Bound, Column, Report, Table
from tools import boards
from tools.cli import main
from tools.flash import loader as loaders
from tools.flash import micropython_images
from tools.flash import port as ports
from tools.flash.loader import Loader, _Quiet

BAUD = 921600
SAME, AGAIN = 1.1, 0.15  # bounds of issue 3


class _Port(ports.NetworkPort):
    """Counts how long its bytes take on a wire of its rate."""

    wire = 0.0
    carried = 0

    def write(self, data):
        self._count(len(data))
        return super().write(data)

    def read(self, size=1):
        data = super().read(size)
        self._count(len(data))
        return data

    def _count(self, size):
        _Port.wire += size * 10 / min(self.baudrate, BAUD)
        _Port.carried += size


class _Recorder(Loader):
    """Notes what is done to the flash."""

    done = []

    def md5(self, offset, size):
        self.done.append(("md5", offset, size))
        return super().md5(offset, size)

    def _fetch(self, at, size):
        self.done.append(("read", at, size))
        return super()._fetch(at, size)

    def write_all(self, regions):
        self.done += [("write", offset, bytes(data)) for offset, data in regions]
        super().write_all(regions)

    def erase(self, offset, size):
        self.done.append(("erase", offset, size))
        super().erase(offset, size)


@contextlib.contextmanager
def _board(folder, name, *arguments):
    """An emulated board in a process of its own; gives its URL and what it says later."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tools",
            "board",
            "--flash",
            str(folder / name),
            "--listen",
            "127.0.0.1:0",
            "--baud-limit",
            str(BAUD),
            "--json",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def _flash(folder, url, *arguments):
    """What `flash --json` reports, with the wire's seconds and bytes and the flash operations."""
    _Port.wire, _Port.carried, _Recorder.done = 0.0, 0, []
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(["flash", "--port", url, "--json", "--journal", str(folder / "journal"), *arguments])
    if status:
        raise RuntimeError("the flash failed")
    return {
        **json.loads(out.getvalue()),
        "wire": _Port.wire,
        "carried": _Port.carried,
        "done": _Recorder.done,
    }


def _esptool(url, done, port=None):
    """Seconds that esptool takes for the same operations, from its sync to the last verify."""
    before, EspLog.instance = (
        EspLog.instance,
        _Quiet(type("_", (), {"progress": staticmethod(lambda *_: None)})),
    )
    esp = esptool.detect_chip(port or url)
    try:
        began = time.perf_counter()
        esp.get_flash_encryption_enabled(), esp.get_secure_boot_enabled(), esp.read_mac()
        esp = esptool.run_stub(esp)
        esp.change_baud(BAUD)
        esptool.attach_flash(esp)
        for kind, offset, what in done:
            if kind == "md5":
                esp.flash_md5sum(offset, what)
            elif kind == "read":
                esp.read_flash(offset, what)
            elif kind == "erase":
                esp.erase_region(offset, what)
            else:
                esptool.write_flash(esp, [(offset, what)])
        return time.perf_counter() - began
    finally:
        esp._port.close()
        EspLog.instance = before


def report(scale=1.0):
    """The bench's part: first flash, flash without a change, the console, beside esptool and the wire."""
    rounds = max(1, round(scale))
    micropython_images.load(boards.load("ESP32_GENERIC"))  # fetched before anything is timed
    network, ports.NetworkPort = ports.NetworkPort, _Port
    plain, loaders.Loader = loaders.Loader, _Recorder
    from tools.flash import open_board

    open_board.Loader = _Recorder
    try:
        runs = [_round() for _ in range(rounds)]
    finally:
        ports.NetworkPort, loaders.Loader, open_board.Loader = network, plain, plain
    return _figures(runs)


def _round():
    with tempfile.TemporaryDirectory(prefix="aliot-bench-") as name:
        folder = Path(name)
        with _board(folder, "a.bin", "--play", str(folder / "play")) as url:
            play = folder / "play"
            files = ["--root", str(play / "cloud" / "ca.der"), "--config", str(play / "config.json")]
            first = _flash(folder, url, *files, "--wait", "0")
            again = _flash(folder, url, *files, "--wait", "0")
            burned = _flash(folder, url, *files, "--cert", str(play / "cert.json"), "--wait", "60")
        with _board(folder, "b.bin") as url:
            same = _esptool(url, first["done"], ports.open_port(url))
        with _board(folder, "c.bin") as url:
            as_it_is = _esptool(url, first["done"])
    return first, again, burned, same, as_it_is


def _middle(values):
    return sorted(values)[len(values) // 2]


def _figures(runs):
    first, again, burned = ([run[at] for run in runs] for at in range(3))
    table = Table(
        f"Seconds from the loader's sync to the last verify, {BAUD} baud",
        [
            Column("what"),
            Column("seconds", ".2f"),
            Column("wire alone", ".2f"),
            Column("KB on the wire", ".0f"),
            Column("KB written", ".0f"),
        ],
    )
    for title, found in (("first flash of a blank board", first), ("the same again, nothing to do", again)):
        table.add(
            title,
            _middle([run["seconds"] for run in found]),
            _middle([run["wire"] for run in found]),
            _middle([run["carried"] / 1024 for run in found]),
            found[0]["written"] / 1024,
        )
    table.add(
        "esptool, the same reads and writes, our port", _middle([run[3] for run in runs]), None, None, None
    )
    table.add(
        "esptool, the same, pyserial's port as it is", _middle([run[4] for run in runs]), None, None, None
    )
    table.add(
        "console: reset to connected", _middle([run["console_seconds"] for run in burned]), None, None, None
    )
    return Report(
        [table],
        [
            Bound("first flash / esptool", _middle([run[0]["seconds"] / run[3] for run in runs]), SAME),
            Bound(
                "flash without a change / first flash",
                _middle([run[1]["seconds"] / run[0]["seconds"] for run in runs]),
                AGAIN,
            ),
        ],
        [
            "The wire is emulated: ten bits a byte at the port's rate, each direction alone. Erasing and hashing "
            "take an emulated chip no time."
        ],
    )
