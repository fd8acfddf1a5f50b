"""The process of an emulated board: the settings that it reads, its command and its surroundings."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tools import host_names
from tools.emulator.board import interpreter as interpreters
from tools.emulator.board import modules, umqtt
from tools.firmware import FOLDER as FIRMWARE

# machine -> (its number in linux/audit.h, that of the system call `socket`)
SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_ENV = shutil.which("env") or "/usr/bin/env"
CPYTHON = (
    sys.executable,
    "-I",
    "-u",
    "-X",
    "utf8",
    "-X",
    f"pycache_prefix={modules.CACHE.parent / 'pyc'}",
    str(modules.PORT / "cpython" / "start.py"),
)
# chips with the peripheral of hardware_hmac.md, behind `machine.mem32` of a board that is given eFuses
WITH_HMAC = ("esp32s2", "esp32s3", "esp32c3", "esp32c6")
YEAR_2000 = 946684800  # seconds since 1970; where a chip's clock begins


class Clock:
    """The clock of an emulated board, which its TLS reads too: libfaketime takes it from a file.

    `file` holds how far the board's clock is from the host's, in seconds.
    """

    def __init__(self, file):
        self.file = file

    def set(self, seconds):
        """Let the board's clock be at `seconds` since 1970."""
        self.file.write_text(f"{seconds - int(time.time()):+d}\n")

    def now(self):
        """What the board's clock says, in seconds since 1970."""
        return time.time() + int(self.file.read_text())

    def environment(self):
        """What the process needs beside the preloaded libfaketime; its ticks are not disturbed."""
        return {
            "TZ": "UTC0",
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


class Board(Protocol):
    """What a process is started from: of a `boot.Board`, which says what each is."""

    folder: Path
    flash: Path
    mac: str
    heap: str
    clock: Clock
    sealed: bool
    interpreter: str | None
    umqtt: str | Path | None
    cloud: str | Path | None
    hosts: Mapping[str, Mapping[int, tuple[str, int]]] | None
    measure: str | None
    memory: str | None
    chip: str
    efuses: Callable[[], bytes] | None


def settings(
    board: Board, cause: int, ticks: int | None, cut_at: int | None, torn: bool, console: bool, raw: bool
) -> dict[str, Any]:
    """What the process of `board` reads at its start; writes the file of its routes.

    `cause` is that of the reset, `ticks` the host's microseconds at which the board's begin (None: the host's own);
    the rest is as for `Board.start`.
    """
    folder = board.folder
    found: dict[str, Any] = {
        "flash": str(board.flash.resolve()),
        "mac": board.mac,
        "cause": cause,
        "ticks": ticks,
        **{
            name: str(folder / name) for name in ("clock", "rtc", "joined", "count", "heap", "routes", "slot")
        },
    }
    if (folder / "air").exists():
        found["air"] = str(folder / "air")
    found.update({"measure": board.measure} if board.measure else {})
    found.update({"memory": board.memory} if board.memory else {})
    found.update({"chip": board.chip} if board.chip != "esp32" else {})
    if board.efuses and board.chip in WITH_HMAC:
        found["efuses"] = str(folder / "efuses")  # a copy, which the board reads once and removes
        with open(os.open(found["efuses"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(board.efuses())
    if board.sealed:
        found.update({"sealed": str(folder), "socket": SOCKET_CALLS.get(platform.machine())})
    found.update({"cut": cut_at, "torn": torn} if cut_at else {})
    found.update({"console": True} if console else {}, **({"raw": True} if raw else {}))
    (folder / "routes").write_text(host_names.text(board.cloud, board.hosts))
    return found


def start(board: Board, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The process of `board`, started in its folder, with pipes to its console."""
    command, environment = _command(board, settings)
    return subprocess.Popen(
        [_ENV, "--ignore-signal=INT", *command],
        env=environment,
        cwd=board.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )


def _command(board, settings):
    """(command, environment) that starts the process."""
    file = board.folder / "settings.json"
    if board.interpreter == "cpython":
        settings["path"] = [str(FIRMWARE), str(board.umqtt or umqtt.folder())]
        file.write_text(json.dumps(settings))
        preload = {"LD_PRELOAD": interpreters.host_faketime()}
        return ([*CPYTHON, str(file)], {**os.environ, **board.clock.environment(), **preload})
    found = interpreters.at(board.interpreter) if board.interpreter else interpreters.find()
    rooms, rom = modules.port(rom=found.rom, mqtt=board.umqtt)
    settings["rom"] = str(rom)
    file.write_text(json.dumps(settings))
    command = found.command("-X", f"heapsize={board.heap}", "-m", "start", file, faketime=True)
    return command, {
        "MICROPYPATH": str(rooms),
        **board.clock.environment(),
        **found.environment(faketime=True),
    }
