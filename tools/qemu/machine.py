"""An ESP32 in QEMU: its command line, its power, its console and its access point."""

import ctypes
import json
import re
import shlex
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.errors import UserError

MAC = "240ac4000001"
CONSOLE, MONITOR, FLASH, EFUSES, LOG = "console", "monitor", "flash.bin", "efuses.bin", "console.log"
START_SECONDS = 60
CHECK_SECONDS = 30
_STATES_OF_TROUBLE = ("error", "offline", "refused")


class MachineError(Exception):
    """What was waited for did not come; the text is one line."""


@dataclass
class Line:
    """A line of the console; `seconds` since power-on; `state` is the dict of a line of JSON, else empty."""

    seconds: float
    text: str
    state: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: float, data: bytes) -> "Line":
        text = data.rstrip(b"\r").decode("utf-8", "replace")
        try:
            state = json.loads(text)
        except ValueError:
            state = None
        return cls(seconds, text, state if isinstance(state, dict) else {})

    @property
    def is_state(self) -> str | None:
        return self.state.get("aliot")

    @property
    def trouble(self) -> str | None:
        """The code of a state line that tells of trouble, or None."""
        return self.state.get("code") if self.is_state in _STATES_OF_TROUBLE else None


def check(path: Path | str) -> str:
    """The first line that the program says of its version; UserError when it is no QEMU with an ESP32 in it."""
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"there is no '{path}': --qemu is the path of a qemu-system-xtensa that emulates the ESP32 with Wi-Fi"
        )
    version = _ask(path, "--version")
    if not re.match(r"QEMU emulator version \d", version):
        raise UserError(
            f"'{path}' is not a QEMU: it says '{(version.splitlines() or ['nothing'])[0][:60]}' to --version"
        )
    if not re.search(r"^esp32\s", _ask(path, "-machine", "help"), re.M):
        raise UserError(
            f"'{path}' has no machine 'esp32'; it takes a QEMU for Xtensa that has one, with Wi-Fi"
        )
    return version.splitlines()[0]


def _ask(path, *arguments):
    try:
        done = subprocess.run(
            [path.resolve(), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=CHECK_SECONDS,
        )
    except OSError as error:
        raise UserError(f"'{path}' does not run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"'{path}' is not a QEMU: it says nothing to {' '.join(arguments)}") from None
    return done.stdout or done.stderr


def command(qemu: Path | str, extra: str = "") -> list[str]:
    """The command line; files and sockets are in the folder in which it is run. `extra`: what a QEMU needs further."""
    return [
        str(qemu),
        *("-machine", "esp32"),
        *("-display", "none", "-monitor", "none"),
        *("-drive", f"file={FLASH},if=mtd,format=raw"),
        *("-drive", f"file={EFUSES},if=none,format=raw,id=efuse"),
        *("-global", "driver=nvram.esp32.efuse,property=drive,value=efuse"),
        # time on a busy machine is not the chip's: its watchdogs would bite
        *("-global", "driver=timer.esp32.timg,property=wdt_disable,value=true"),
        *("-nic", "user,model=esp32_wifi,id=wifi"),
        *("-chardev", f"socket,id=console,path={CONSOLE},server=on,wait=on"),
        *("-serial", "chardev:console"),
        *("-qmp", f"unix:{MONITOR},server=on,wait=off"),
        *shlex.split(extra),
    ]


def efuses(mac: str = MAC) -> bytes:
    """The eFuses of an ESP32 of revision 3 with that MAC: the 31 words of its four blocks."""
    address = bytes.fromhex(mac)
    crc = 0  # polynomial 0x31, bits reflected
    for byte in address:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    words = [0] * 31
    words[1] = int.from_bytes(address[2:], "big")
    words[2] = crc << 16 | int.from_bytes(address[:2], "big")
    words[3], words[5] = 1 << 15, 1 << 20  # the two bits of the revision
    return struct.pack("<31I", *words)


class Machine:
    """One board, whose flash is a file in `folder`.

    `line`, if given, is called with each `Line`. `lines` are those since power-on.
    """

    def __init__(
        self,
        qemu: Path | str,
        folder: Path | str,
        image: bytes,
        extra: str = "",
        line: Callable[[Line], object] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / FLASH).write_bytes(image)
        (self.folder / EFUSES).write_bytes(efuses())
        self._command = command(Path(qemu).resolve(), extra)
        self._report = line or (lambda _: None)
        self._arrived = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.lines: list[Line] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.power_off()

    # --- power

    def power_on(self) -> None:
        """Start it; the console is read from its first byte. UserError when QEMU does not start."""
        for name in (CONSOLE, MONITOR):
            (self.folder / name).unlink(missing_ok=True)
        self.lines, self._seen = [], 0
        with open(self.folder / "qemu.log", "wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        try:
            self._console = self._connect(CONSOLE)
            self._began = time.monotonic()
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            self._monitor = self._connect(MONITOR).makefile("rwb")
            self._monitor.readline()
            self.monitor("qmp_capabilities")
        except (OSError, ValueError, MachineError):
            status = self._process.poll()
            self.power_off()
            raise UserError(
                f"QEMU does not start: {self._last_line() or f'status {status}, nothing said'}"
            ) from None

    def power_off(self) -> None:
        """The process is killed, as power goes: flash has what was written so far."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        if self._reader:
            self._reader.join()
            self._reader = None

    @property
    def seconds(self) -> float:
        """Since power-on."""
        return time.monotonic() - self._began

    # --- monitor

    def monitor(self, command: str, /, **arguments: object) -> Any:
        """One command of QEMU's machine protocol; its answer. MachineError when it is refused."""
        self._monitor.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._monitor.flush()
        while True:
            answer = json.loads(self._monitor.readline() or '{"error": {"desc": "QEMU has ended"}}')
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error'].get('desc')}")

    def link(self, up: bool) -> None:
        """Its access point goes away, or comes back, where that QEMU's Wi-Fi follows `set_link`."""
        self.monitor("set_link", name="wifi", up=up)

    # --- console

    def wait(self, find: Callable[[Line], object], timeout: float) -> Line:
        """The next line for which `find`, a function of a `Line`, is true; lines are looked at once. MachineError."""
        assert self._process and self._reader
        ends = time.monotonic() + timeout
        with self._arrived:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if find(self.lines[self._seen - 1]):
                        return self.lines[self._seen - 1]
                if self._process.poll() is not None and not self._reader.is_alive():
                    raise MachineError(f"QEMU ended by itself: {self._last_line() or 'nothing said'}")
                left = ends - time.monotonic()
                if left <= 0:
                    raise MachineError(f"not within {timeout:g} s; the last line: {self.tail()}")
                self._arrived.wait(min(left, 0.5))

    def wait_state(self, *names: str, timeout: float) -> Line:
        """The next state line of one of these names."""
        return self.wait(lambda line: line.is_state in names, timeout)

    def skip(self) -> None:
        """Lines so far are looked at no more."""
        with self._arrived:
            self._seen = len(self.lines)

    def tail(self) -> str:
        """The last line that says something, in short."""
        line = next((line for line in reversed(self.lines) if line.text.strip()), None)
        if line is None:
            return "none"
        values = (
            [line.state.get(name) for name in ("aliot", "code", "detail")] if line.is_state else [line.text]
        )
        return " ".join(str(value) for value in values if value)[:100]

    def _read(self):
        console, rest = self._console, b""
        with open(self.folder / LOG, "ab") as log, console:
            while data := _receive(console):
                log.write(data)
                log.flush()
                *whole, rest = (rest + data).split(b"\n")
                new = [Line.of(self.seconds, piece) for piece in whole]
                with self._arrived:
                    self.lines += new
                    self._arrived.notify_all()
                for line in new:
                    self._report(line)

    def _connect(self, name):
        ends = time.monotonic() + START_SECONDS
        with tempfile.TemporaryDirectory(prefix="aliot-") as short:
            # a socket's path has 108 bytes, and the folder may lie deep
            here = Path(short) / "board"
            here.symlink_to(self.folder.resolve())
            while True:
                link = socket.socket(socket.AF_UNIX)
                try:
                    link.connect(str(here / name))
                    return link
                except OSError:
                    link.close()
                    if time.monotonic() > ends or self._process.poll() is not None:
                        raise
                    time.sleep(0.01)  # between two looks at a program that is starting

    def _last_line(self):
        lines = (self.folder / "qemu.log").read_text(errors="replace").strip().splitlines()
        return next((line for line in reversed(lines) if "waiting for connection" not in line), "")


def _receive(console):
    try:
        return console.recv(65536)
    except OSError:
        return b""


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: no QEMU outlives this program
