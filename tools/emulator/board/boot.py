"""An emulated board: MicroPython (or CPython) booted from the bytes of a flash file.

    board = Board(flash_image, cloud=cloud.run_dir)
    boot = board.boot(until="connected")        # power on, wait, power off
    assert boot.states[-1]["aliot"] == "connected"

    board.start()                               # or step by step
    board.wait_for("connected")
    board.send(b"\\x03")                         # Ctrl-C on its console
    board.power_off()

The board is a process. Its console is the process's input and output; power off is a kill. Flash outlives
everything; the clock, RTC memory and the reset cause live from power on to power off. It powers up in the
year 2000, for TLS too. What answers to the platform's host names is the emulated cloud whose run directory is
`cloud`; without one no name resolves.

A reset that the firmware asks for ends the process: `boot` stops there and says
so; `start(follow=True)` starts the board again with the cause that a chip gives.
"""

import atexit
import contextlib
import fcntl
import json
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from tools.emulator.board import launch
from tools.emulator.board.interrupt import interrupt
from tools.emulator.board.launch import YEAR_2000, Clock
from tools.emulator.board.output import BoardError, Output, State, Wanted
from tools.errors import UserError

MAC = "24:0a:c4:00:00:01"
HEAP = "112K"
SEALED = "122K"  # the same for what runs on it: what seals a board takes 9 KB
SIGNING = {HEAP: "118K", SEALED: "128K"}  # the same where the registers of a chip that signs take 6 KB
ROOMY = "256K"  # where a chip's two heaps are modelled: what Python's adds to itself must have room
SECONDS_TO_END = 5  # of a process that reads no more
RELEASES = ("1.25", "1.26")  # whose memory a board can have
# how a process ends -> (reason, the cause with which a chip starts again)
ENDS = {
    41: ("reset", 2),
    42: ("soft reset", 5),
    43: ("raw reset", 5),
    44: ("power cut", None),
    45: ("deep sleep", 4),
    -signal.SIGALRM: ("watchdog", 3),
    0: ("exit", None),
}


@dataclass
class Boot:
    """What a board did from one start to its end."""

    lines: list[str] = field(default_factory=list)  # of its console, without line ends
    states: list[dict] = field(default_factory=list)  # its state lines, parsed
    reason: str | None = None  # "reset", "soft reset", "raw reset", "deep sleep", "watchdog", "power cut",
    #                             "exit" (main.py ended), "failed" (with an error), "stopped", "timeout"
    operations: int = 0  # erases and programs of flash
    reads: int = 0  # blocks that littlefs read, from power-on or the last reset
    marks: list[tuple[dict, int]] = field(default_factory=list)  # (state, reads so far) of each state line
    heap: dict[str, int] = field(
        default_factory=dict
    )  # bytes in the state that `measure` names: port, used, free; with
    #    `memory` also gc, what Python holds as a chip counts, and c_free, c_largest, c_min of the C heap
    seconds: float = 0.0

    def state(self, name: str) -> dict[str, object] | None:
        """The last state line of that name, or None."""
        return next((state for state in reversed(self.states) if state["aliot"] == name), None)

    def reads_at(self, name: str) -> int | None:
        """`reads` when the last state line of that name passed, or None."""
        return next((reads for state, reads in reversed(self.marks) if state == name), None)


class Board:
    """One board.

    `flash`: path of the flash file, which is changed as the board runs, or bytes
    (then it is a file in `folder`). `mac`: its base MAC. `cloud`: run directory
    of an emulated cloud. `heap`: MicroPython's heap. `interpreter`: "cpython",
    the path of a MicroPython, or None for the project's. `folder`: where the
    board keeps what is not flash; a temporary one by default. `umqtt`: folder
    with another umqtt/simple.py. `hosts`: {name: {port: (host, port)}} beside
    the platform's. `measure`: a state in which the heap in use is measured (MicroPython
    only; costs some). `log`: called with each console line. `memory`: a release of
    RELEASES whose two heaps it has; None: memory never ends beside Python's heap.
    `ticks`: what `time.ticks_ms()` begins with at power-on; None: they are the host's own (MicroPython only), which
    are as quick as a chip's, and begin and wrap elsewhere.
    `sealed`: what runs on it reaches nothing of the host but the cloud and `hosts` (MicroPython only); without it, the
    host's loopback and the modules of the Unix port too.
    `chip`: "esp32s3" and its like, as `os.uname()` says it. `efuses`: gives the bytes of its eFuse file at each reset;
    with them a chip that has the HMAC peripheral has it behind `machine.mem32`.
    """

    def __init__(
        self,
        flash,
        *,
        mac=MAC,
        cloud=None,
        heap=None,
        interpreter=None,
        folder=None,
        umqtt=None,
        hosts=None,
        measure=None,
        log=None,
        memory=None,
        ticks=0,
        sealed=False,
        chip="esp32",
        efuses=None,
    ):
        self.folder = Path(
            folder or tempfile.mkdtemp(prefix="aliot-board-")
        ).absolute()  # its process runs there
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(flash, (bytes, bytearray)):
            self.flash = self.folder / "flash.bin"
            self.flash.write_bytes(flash)
        else:
            self.flash = Path(flash)
        if memory not in (None, *RELEASES):
            raise UserError(f"no figures of MicroPython {memory}'s memory; there are {', '.join(RELEASES)}")
        self.mac, self.cloud, self.interpreter = mac, cloud, interpreter
        usual = SEALED if sealed else HEAP
        signing = efuses and chip in launch.WITH_HMAC
        self.heap = heap or (ROOMY if memory else SIGNING[usual] if signing else usual)
        self.umqtt, self.hosts, self.measure, self.log = umqtt, hosts, measure, log
        self.memory, self.ticks, self.sealed = memory, ticks, sealed
        self.chip, self.efuses = chip, efuses
        self.clock = Clock(self.folder / "clock")
        self.run = None  # the Boot that goes on, or the last one
        self._process = None
        self._switch = (
            threading.Lock()
        )  # held while a reset starts the next process, or power takes the last one away
        self._sent = 0  # bytes to its console, from the start of the process
        self._output = None  # what the console of `run` prints
        self._powered = False

    # --- power and reset

    def boot(
        self, timeout: float = 60, cut_at: int | None = None, torn: bool = False, until: Wanted | None = None
    ) -> Boot:
        """Power on, run until the state `until` (or the end), power off; returns the `Boot`.

        `until` may be a name or a function of a state line. `cut_at`: power
        goes at that flash operation (1 is the first), before it, or with `torn`
        in the middle of it. After `timeout` seconds the power goes too, reason
        "timeout". A reset ends it; the next `boot` is a cold start.
        """
        self.start(cut_at=cut_at, torn=torn)
        try:
            reason = self._output.until(until, timeout)
        except TimeoutError:
            reason = "timeout"
        return self._finish(reason)

    def start(
        self,
        *,
        cause: int = 1,
        cut_at: int | None = None,
        torn: bool = False,
        console: object = None,
        ended: object = None,
        follow: bool | str = False,
        raw: bool = False,
    ) -> None:
        """Power on (cause 1), or go on after a reset with that cause: clock and RTC memory are kept.

        With `console`, a function of bytes, the REPL answers on the console when
        main.py has ended; without it the process ends then. `ended(reason)` is
        called when the process has ended; both are called from a thread of the
        board's. `follow`: start again by itself after resets; only after soft
        ones with "soft". `raw`: begin in the raw REPL, without main.py.
        """
        if self._process is not None:
            raise BoardError("the board is on")
        if not self.flash.is_file():
            raise UserError(f"there is no flash file '{self.flash}'")
        if cause == 1 or not self._powered:
            self._power_on()
        self.run = Boot()
        self._output = Output(self.run, self.log)
        (self.folder / "heap").unlink(missing_ok=True)
        (self.folder / "count").write_bytes(bytes(8))
        settings = self._settings(cause, cut_at, torn, console is not None, raw)
        started: queue.Queue = queue.Queue()
        # the process is the thread's child: it ends with it, however this program ends
        threading.Thread(
            target=self._follow,
            daemon=True,
            args=(cause, settings, started, console, ended, follow, time.monotonic()),
        ).start()
        failed = started.get()
        if failed:
            raise failed

    def power_off(self) -> Boot | None:
        """Power goes, now; returns the `Boot` that was running."""
        return self._finish("stopped")

    def reset(self) -> None:
        """The reset button: stops the board and starts it again; clock and RTC memory stay."""
        self._finish("stopped")
        self._powered = True
        self.start(cause=2)

    @property
    def on(self) -> bool:
        return self._process is not None

    @property
    def operations(self) -> int:
        """Flash operations since the last start."""
        return self._counts()[0]

    # --- watching

    def wait_for(self, state: Wanted, timeout: float = 60) -> State:
        """The next state line of that name (or for which the function holds), as a dict; BoardError if none."""
        return self._output.wait_for(state, timeout)

    def wait_line(self, text: str, timeout: float = 60) -> str | State:
        """The next console line that has `text` in it, a state line as a dict. BoardError if none comes."""
        return self._output.wait_line(text, timeout)

    def wait(self, timeout: float = 60) -> str:
        """Wait until the process has ended by itself; returns the reason. BoardError if it does not."""
        reason = self._output.wait(timeout)
        self._process = None
        return reason

    def send(self, data: bytes) -> None:
        """Bytes to the console, Ctrl-C among them as on a chip: in its place when the prompt reads, else at once.

        A signal is only sent when a program runs that does not read its console; see `interrupt`. A reset loses bytes
        that come with it, as a chip's does; BoardError when the board has died.
        """
        process = self._process
        if process is None:
            return
        self._sent += len(data)
        place = self._sent - len(data) + data.rfind(b"\x03") + 1
        try:
            process.stdin.write(data)
            process.stdin.flush()
        except (OSError, ValueError):  # nobody reads any more; closed already
            self._unread(process)
            return
        if b"\x03" in data:
            threading.Thread(target=self._interrupt, args=(process, place), daemon=True).start()

    def _unread(self, process):
        """The process takes no bytes any more: BoardError unless it ends as boards do."""
        with contextlib.suppress(OSError):
            process.stdin.close()  # or the bytes are tried again at its end
        with contextlib.suppress(subprocess.TimeoutExpired):
            if process.wait(SECONDS_TO_END) not in ENDS:
                self._output.died(SECONDS_TO_END)

    def _interrupt(self, process, place):
        """Signal a program that leaves a Ctrl-C unread, the byte that ends at `place` of all that were sent.

        Again, seldom, should it have come too early to be heard.
        """

        def unread():
            waiting = fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, bytes(4))
            return process is self._process and self._sent - int.from_bytes(waiting, sys.byteorder) < place

        for pause in (0.05, 0.5, 1.0, 2.0):
            time.sleep(pause)
            interrupt(process, unread)

    # --- surroundings

    def access_point(self, name: str | bytes | None = None, password: str = "") -> None:
        """Put an access point into reach: only its name (text or bytes) and password let the board join.

        Without a name it goes out of reach. A board for which this was never called joins whatever it asks for.
        """
        name = name.encode() if isinstance(name, str) else name
        content = b"" if name is None else name + f"\n{password}\n".encode()
        temporary = self.folder / ".air"
        temporary.write_bytes(content)
        os.replace(temporary, self.folder / "air")

    # --- inside

    def _power_on(self):
        self._powered = True
        self.clock.set(YEAR_2000)
        (self.folder / "rtc").write_bytes(b"")
        (self.folder / "joined").unlink(missing_ok=True)

    def _settings(self, cause, cut_at, torn, console, raw):
        if cause != 5:  # a soft reset leaves the ticks as they are
            self._ticks = None if self.ticks is None else time.monotonic_ns() // 1000 - self.ticks * 1000
        return launch.settings(self, cause, self._ticks, cut_at, torn, console, raw)

    def _launch(self, cause, settings):
        if cause != 5:  # only a soft reset leaves the board joined to its access point
            (self.folder / "joined").unlink(missing_ok=True)
        self._process = launch.start(self, settings)
        self._sent = 0
        _running.add(self)
        return self._process

    def _follow(self, cause, settings, launched, console, ended, follow, started):
        """The board's thread: passes on what it prints, through the resets that `follow` asks for."""
        run, output = self.run, self._output
        try:
            process = self._launch(cause, settings)
        except Exception as error:
            launched.put(error)
            return
        launched.put(None)
        while True:
            output.read(process.stdout, console)
            status = process.wait()
            reason, cause = ENDS.get(status, ("failed", None))
            process.stdout.close()
            with self._switch:
                if process is not self._process:
                    return  # power went
                run.seconds = time.monotonic() - started
                self._count(run)
                if not follow or not cause or follow == "soft" and cause != 5:
                    break
                process.stdin.close()
                settings = self._settings(cause, None, False, console is not None, reason == "raw reset")
                process = self._launch(cause, settings)
        _running.discard(self)
        run.reason = reason
        if ended:
            self._process = None
        output.end(reason, status)
        if ended:
            ended(reason)

    def _finish(self, reason):
        with self._switch:
            process, self._process = self._process, None
        run = self.run
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
            self._count(run)
        run.reason = run.reason or reason
        heap = self.folder / "heap"
        run.heap = json.loads(heap.read_text()) if heap.exists() else {}
        self._powered = False
        return run

    def _counts(self):
        """(operations, reads) since the last start."""
        return struct.unpack_from("<II", (self.folder / "count").read_bytes())

    def _count(self, run):
        run.operations, run.reads = self._counts()
        lines = (self.folder / "count").read_bytes()[8:].decode().splitlines()
        run.marks = [(name, int(reads)) for name, _, reads in (line.rpartition(" ") for line in lines)]

    def _kill(self):
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()


_running: weakref.WeakSet = weakref.WeakSet()


@atexit.register
def _stop_all():
    for board in list(_running):
        board._kill()
