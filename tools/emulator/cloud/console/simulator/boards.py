"""Boards that the console has started: child processes of `python -m tools board --control`, one a board.

Identity and settings reach a board by files of its own folder, which only the owner of the cloud can read.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import secrets
from tools.emulator.cloud.console.simulator.authority import Authority

ROOT = Path(__file__).resolve().parents[5]
BOARDS_MAX = 12
LINES, LINE_CHARACTERS = 300, 600  # of a board's console that are kept
LINE_BYTES = 1 << 20  # of one event of its process
END_SECONDS = 5
CERT, CONFIG, KEY, FLASH = "cert.json", "config.json", "ota.pub", "flash.bin"
APPLICATION = "app"  # folder of the files of an application


@dataclass
class Board:
    """One board. `state` is the last state line that it printed, `failed` why its process has ended by itself."""

    number: str
    folder: Path
    mac: str
    kind: str
    product_key: str
    device_name: str
    power: bool = False
    wifi: bool = True
    typing: bool = False  # whether the page types on its console
    ready: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    process: asyncio.subprocess.Process | None = None
    rest: str = ""  # of its console, a line without its end

    @property
    def status(self) -> str:
        """What the page calls it."""
        if self.failed:
            return "failed"
        return "starting" if not self.ready else "on" if self.power else "off"

    @property
    def news(self) -> str:
        """Its last state, or why it has ended."""
        return self.failed or str(self.state.get("aliot", "–"))

    def console(self) -> str:
        """What it has printed lately."""
        return "\n".join([*self.lines, self.rest])

    def take(self, line: bytes) -> None:
        """One line of its process."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):  # what a process says that cannot start
            self.failed = line.decode(errors="replace").strip()[:LINE_CHARACTERS]
            return
        self.ready = True
        self.power = event.get("power", self.power)
        *whole, self.rest = (self.rest + str(event.get("console", "")).replace("\r", "")).split("\n")
        self.rest = self.rest[-LINE_CHARACTERS:]
        for text in whole:
            self.print(text)

    def print(self, text: str) -> None:
        self.lines.append(text[:LINE_CHARACTERS])
        if text.startswith('{"aliot"'):
            with contextlib.suppress(ValueError, RecursionError):
                self.state = json.loads(text)

    async def follow(self) -> None:
        """Reads what the process says until it ends."""
        assert self.process
        assert self.process.stdout
        with contextlib.suppress(ValueError):  # a line beyond LINE_BYTES
            async for line in self.process.stdout:
                self.take(line)
        status = await self.process.wait()
        self.power, self.process = False, None
        self.failed = self.failed or f"its process ended with status {status}"

    def send(self, **command: Any) -> None:
        """Hands a command to the process, if there still is one."""
        if self.process and self.process.stdin and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(command).encode() + b"\n")

    def set_wifi(self, in_reach: bool) -> None:
        self.wifi = in_reach
        self.send(wifi=in_reach)


class Simulator:
    """The boards of the cloud in `run_dir`. They end with it, and their folders with them."""

    def __init__(self, run_dir: Path):
        self.run_dir, self.folder = run_dir, run_dir / "boards"
        shutil.rmtree(self.folder, ignore_errors=True)  # of a cloud that was killed
        self.boards: dict[str, Board] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.numbers = itertools.count(1)
        self.promised = 0
        self.authority = Authority()

    @property
    def full(self) -> bool:
        """Whether no board more may start."""
        return len(self.boards) + self.promised >= BOARDS_MAX

    @contextlib.contextmanager
    def promise(self) -> Iterator[None]:
        """Keeps a place for a board while its identity is made."""
        self.promised += 1
        try:
            yield
        finally:
            self.promised -= 1

    def new(self, kind: str, product_key: str, device_name: str) -> Board:
        """A board that is not started yet, with a MAC of its own."""
        number = next(self.numbers)
        mac = f"24:0a:c4:5e:{number >> 8 & 255:02x}:{number & 255:02x}"
        return Board(str(number), self.folder / str(number), mac, kind, product_key, device_name)

    async def start(
        self,
        board: Board,
        identity: Mapping[str, Any],
        config: Mapping[str, Any],
        files: Mapping[str, bytes],
        application: Mapping[str, bytes],
    ) -> None:
        """Starts its process. `files` lie beside its identity, `application` in the folder of that name."""
        self.boards[board.number] = board
        found = {CERT: json.dumps(identity).encode(), CONFIG: json.dumps(config).encode(), **files}
        found |= {f"{APPLICATION}/{name}": data for name, data in application.items()}
        await asyncio.to_thread(self.lay_out, board.folder, found)
        board.process = await asyncio.create_subprocess_exec(
            *self.command(board, found),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES,
            process_group=0,  # a Ctrl-C that ends the cloud is not theirs
        )
        self.tasks[board.number] = asyncio.ensure_future(board.follow())

    def lay_out(self, folder: Path, found: Mapping[str, bytes]) -> None:
        secrets.folder(self.folder)
        for name, data in found.items():
            secrets.write(folder / name, data)

    def command(self, board: Board, found: Mapping[str, bytes]) -> list[str]:
        options = {"--flash": board.folder / FLASH, "--mac": board.mac, "--cloud": self.run_dir}
        options |= {"--cert": board.folder / CERT, "--config": board.folder / CONFIG}
        options |= {"--ota-key": board.folder / KEY} if KEY in found else {}
        if any(name.startswith(APPLICATION + "/") for name in found):
            options["--files"] = board.folder / APPLICATION
        command = [sys.executable, "-m", "tools", "board", "--control", "--memory"]
        return [*command, *(str(word) for option in options.items() for word in option)]

    async def remove(self, board: Board) -> None:
        """Ends a board for good: its process, its flash."""
        self.boards.pop(board.number, None)
        process, task = board.process, self.tasks.pop(board.number, None)
        if process and process.stdin:
            process.stdin.close()
        if task:
            done, _ = await asyncio.wait([task], timeout=END_SECONDS)
            if not done and process:
                process.kill()
                await asyncio.wait([task])
        await asyncio.to_thread(shutil.rmtree, board.folder, ignore_errors=True)

    async def stop(self) -> None:
        """Ends all of them."""
        await asyncio.gather(*(self.remove(board) for board in list(self.boards.values())))
