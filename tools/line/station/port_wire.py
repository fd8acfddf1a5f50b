"""The station's `Wire` on a real or emulated board: esptool for the flash, the console for the self-test."""

import contextlib
import os
import socket
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import esptool.loader
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from tools import boards
from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup, console, contents, file_list, micropython_images
from tools.flash import port as ports
from tools.flash.flash_board import Seen, flash_board
from tools.flash.loader import Loader
from tools.image import burn, journal, updates
from tools.image.flash_image import BURNED, ISSUED
from tools.line import device_names
from tools.line.identities import Burnable
from tools.line.job import Job
from tools.line.station.wire import Chip, Flashed, Held, Progress, Pulled, Rejected, Tested, Wifi

CONFIG = "/config.json"
RENUMBERS = 0.5  # seconds within which a chip's own USB goes away after a reset
SOFT_RESET = b"\x03\x03\x04"  # Ctrl-C twice ends the application, Ctrl-D at the prompt starts it anew
LOOK = 1.0  # seconds for a look whether somebody listens behind a URL
ANSWERS = 10.0  # seconds within which a console answers; a host with many bays may be late to hear it
POLL = 0.2  # seconds between looks at the clock while a board says nothing

# Runs on the board, in RAM: joins the line's Wi-Fi and brings the device online. The driver keeps nothing
# of it: MicroPython's port sets WIFI_STORAGE_RAM.
CONNECT = """
import gc, json, time
gc.collect()
gc.threshold(4096)
from aliot.device import Device
from aliot.wifi import Wifi
try:
    with open("/config.json") as file:
        config = json.load(file)
except (OSError, ValueError):
    config = {{}}
device = Device(config, Wifi({ssid!r}, {password!r}))
device.start()
end = time.ticks_add(time.ticks_ms(), {ms})
while not device.connected and time.ticks_diff(end, time.ticks_ms()) > 0:
    device.poll(500)
device.stop()
"""


class _NoDump:
    """In place of esptool's HexFormatter.

    esptool 5.6 formats a hex dump of every block, traced or not: two thirds of
    the CPU of a burn, of which a station with eight bays has none to spare.
    """

    def __init__(self, *_, **__) -> None:
        pass

    def __str__(self):
        return ""


esptool.loader.HexFormatter = _NoDump


class PortWire:
    """One board on one port; see `tools.line.station.wire.Wire`."""

    def __init__(
        self,
        device: str,
        job: Job,
        locate: Callable[[], str | None] | None = None,
        folder: Path | str | None = None,
    ) -> None:
        """`locate()` gives the bay's port as it is named now, or None: a chip's own USB may come back as
        another. `folder` keeps journals of interrupted burns, by default the user's own.
        """
        self.device = device
        self._locate = locate
        self.job = job
        self.folder = folder
        self._board = boards.load(job.board)
        self._loader: Loader | None = None
        self._contents: contents.Contents | None = None

    @staticmethod
    def present(device: str) -> bool:
        """Whether the port exists, or the host behind a URL answers."""
        if "://" not in device:
            return os.path.exists(device)
        place = urllib.parse.urlsplit(device)
        try:
            socket.create_connection((place.hostname, place.port), timeout=LOOK).close()
        except (OSError, ValueError, TypeError):
            return False
        return True

    still_there = present

    def identify(self) -> Chip:
        with self._errors():
            loader = self._loader = Loader(self.device, self._board.flash_baud, self._board.connect_mode)
            security = " ".join(loader.security)
            closed = "flash encryption" in security or "secure" in security
            if not closed and loader.chip == self._board.chip:
                loader.start()
        if loader.mac is None:
            raise Rejected("the chip is closed: it is in secure download mode and does not even say its MAC")
        return Chip(
            loader.chip,
            device_names.mac(loader.mac),
            getattr(loader, "size", 0),
            "flash encryption" in security,
            "secure" in security,
        )

    def held(self) -> Held:
        with self._errors():
            loader = self._identified()
            found = self._contents = contents.look(loader, self._board, {**self.job.tree, CONFIG: b""})
            runs = updates.trees(found.file, found.slots(loader))
            return replace(held_of(found), update=str(runs[0]) if runs else "")

    def _identified(self) -> Loader:
        """The chip in its loader: `identify` comes before everything that needs it."""
        assert self._loader is not None
        return self._loader

    def flash(self, job: Job, progress: Progress) -> Flashed:
        if job.firmware is None and not job.tree:
            return {"written": 0, "kept": 0}
        with self._errors():
            loader, found = self._identified(), self._contents
            assert found is not None  # `held` came before
            before = loader.bytes_written
            image = _stock(self._board, job) or micropython_images.Stock("", (), found.layout)
            # what a job brings was asked for, also in the place of files that no tool wrote: those are saved
            wanted = file_list.Wanted(job.tree, job.sources, bool(job.files), reset=True)
            todo, done = flash_board(
                loader,
                Seen(found, backup.load_rescue(loader.mac, self.folder)),
                image,
                wanted,
                fresh=job.replace,
                on_plan=lambda todo: _Steps(progress, "flash").report,
                folder=self.folder,
                backups=journal.home(self.folder).parent / backup.FOLDER,
            )
            self._contents = None
            written = loader.bytes_written - before
            return {
                "written": written,
                "kept": sum(len(part.data) for part in image.parts)
                - min(written, sum(len(part.data) for part in todo.parts)),
                **({"saved": done.saved} if done.saved else {}),
            }

    def burn(
        self, identity: Burnable, issued: Mapping[int, bytes] | None, replace: bool, progress: Progress
    ) -> int:
        with self._errors():
            loader, layout = self._identified(), self._layout()
            loader.progress = lambda done, total: None
            report = burn.burn(
                loader,
                layout,
                identity.fields(),
                loader.mac,
                self.folder,
                issued=None if issued is None else dict(issued),
                replace=replace,
                report=lambda step, part: progress("burn", part),
            )
            self._contents = None
            return report.generation

    def _layout(self):
        if self._contents is None:
            self._contents = contents.look(self._identified(), self._board, {CONFIG: b""})
        return self._contents.layout

    def self_test(self, job: Job, wifi: Wifi | None, progress: Progress) -> Tested:
        with self._errors():
            loader = self._identified()
            loader.reset()
            port = loader.release()
            loader.close()
            self._loader = None
            lines: list[dict[str, Any]] = []
            printed: list[str] = []
            end = time.monotonic() + job.seconds
            hand_over = wifi is not None and job.until == "connected"
            boot_is_enough = hand_over or job.until == "boot"
            if self._locate is not None:
                port = self._found_again(port, end)
            enough = (lambda state: state["aliot"] == "boot") if boot_is_enough else console.final
            try:
                console.follow(self.device, port, job.seconds, lines.append, enough, printed.append)
            except console.Ended as ended:
                return Tested(tuple(lines), tuple(printed), str(ended))
            if hand_over and lines:
                progress("self-test", 0.5)
                lines += self._connect(wifi, end)
            return Tested(tuple(lines), tuple(printed))

    def _found_again(self, port, end):
        """The open port after a reset, under the name that the bay has by then: only its place tells boards
        apart.
        """
        try:
            port.timeout = RENUMBERS
            port.read(1)  # a bridge stays; a chip's own USB goes away with the reset
            return port
        except (OSError, TypeError):
            port.close()
        while time.monotonic() < end:
            self.device = self._locate() or self.device
            with contextlib.suppress(UserError, OSError):
                port = ports.open_port(self.device, timeout=POLL)
                port.write(SOFT_RESET)  # what it said while nobody had the port is lost: it says it again
                return port
            time.sleep(0.05)
        raise Pulled("the port went away at the reset and did not come back")

    def _connect(self, wifi, end):
        """Bring the board online on the line's Wi-Fi from the raw REPL; its state lines."""
        transport = None
        try:
            # mpremote takes a read that is short of a byte for another answer
            transport = SerialTransport(self.device, timeout=ANSWERS)
            # a soft reset: a whole heap, without what main.py had
            transport.enter_raw_repl(soft_reset=True, timeout_overall=max(ANSWERS, end - time.monotonic()))
            left = max(1.0, end - time.monotonic())
            transport.exec_raw_no_follow(CONNECT.format(ssid=wifi[0], password=wifi[1], ms=int(left * 1000)))
            transport.serial.timeout = POLL
            return _read_states(transport.serial, end)
        except (TransportError, TransportExecError, OSError) as error:
            raise Rejected(f"the console does not answer: {' '.join(str(error).split())[:120]}") from None
        finally:
            if transport is not None:
                with contextlib.suppress(Exception):
                    transport.close()

    def left_over(self, job: Job, wifi: Wifi | None) -> str | None:
        if wifi is None:
            return None
        with self._errors():
            loader = self._loader = Loader(self.device, self._board.flash_baud, self._board.connect_mode)
            loader.start()
            found = contents.look(loader, self._board, {**job.tree, CONFIG: b""})
            area = found.layout.nvs
            assert area is not None  # `look` gives a layout that has one
            nvs = loader.read(area.offset, area.size)
            config = found.files.get(CONFIG) or b""
            loader.reset()
        for what, data in (("config.json", config), ("NVS", nvs)):
            if any(text and text.encode() in data for text in wifi):
                return f"the line's Wi-Fi was left on the board, in {what}"
        return None

    def close(self) -> None:
        if self._loader is not None:
            with contextlib.suppress(Exception):
                self._loader.reset()
            self._loader.close()
            self._loader = None

    @contextlib.contextmanager
    def _errors(self):
        """What the tools say, as Pulled when the port went away, else as Rejected."""
        try:
            yield
        except ports.PortError as error:
            raise Pulled(str(error)) from None
        except UserError as error:
            raise Rejected(str(error)) from None
        except OSError as error:
            raise Pulled(ports.reason(error)) from None


def _read_states(port, end):
    """The state lines of what runs in the raw REPL, until it runs online, fails, ends, or time is over."""
    received, states = b"", []
    while time.monotonic() < end and received.count(b"\x04") < 2:
        received += port.read(max(1, port.in_waiting))
        output, _, error = received.partition(b"\x04")
        states = [state for line in output.split(b"\n")[:-1] if (state := console.state_of(line))]
        if any(map(console.final, states)):
            return states
    problem = (
        received.partition(b"\x04")[2].partition(b"\x04")[0].decode(errors="replace").strip().splitlines()
    )
    if problem:
        lines = [console.printable(console.readable(line)) for line in problem]
        raise Rejected(f"the self-test stopped on the board: {console.brief(lines)}")
    return states


class _Steps:
    """Turns the flasher's steps, whose number is not known before, into one share from 0 to 1."""

    def __init__(self, progress: Progress, word: str) -> None:
        self._progress, self._word = progress, word
        self._names: list[str] = []

    def report(self, message, done, total):
        if message not in self._names:
            self._names.append(message)
        self._progress(
            self._word, min(1.0, (len(self._names) - 1 + done / (total or 1)) / max(4, len(self._names)))
        )


def _stock(board, job):
    """The job's image, taken apart from the bytes that were verified; its path is not read again."""
    if not job.firmware:
        return None
    return micropython_images.take_apart(board, job.held["firmware"], os.path.basename(job.firmware))


def held_of(found: contents.Contents) -> Held:
    """The identity on the board. `whole`: every medium has the newest burned record."""
    burned, issued = (burn.newest(found.copies, name) for name in (BURNED, ISSUED))
    media = {"nvs"} | ({"littlefs"} if found.found.vfs == "good" else set())
    there = {c.medium for c in found.copies if burned and c.name == BURNED and c.data == burned.data}
    own = (
        issued
        and burned
        and all(
            issued.fields.get(tag) == burned.fields.get(tag, issued.fields.get(tag))
            for tag in (record.PRODUCT_KEY, record.DEVICE_NAME)
        )
    )
    return Held(
        burned.fields if burned else None,
        burned.generation if burned else 0,
        issued.fields if own and issued else None,
        burned is not None and media <= there,
    )
