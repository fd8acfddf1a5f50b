"""One bay's process: waits for a board, brings it through, waits until it is gone.

A board that hangs a driver or crashes esptool takes down its own bay only. The
process ends when its station does.
"""

import importlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import sqlalchemy as sa

from tools.errors import UserError
from tools.line import device_names
from tools.line.job import Job
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import utc_now
from tools.line.ledger.seal import Key
from tools.line.station import bays
from tools.line.station.station_file import Bay
from tools.line.station.visit import OnEvent, visit
from tools.line.station.wire import Pulled, Rejected, Wifi

WIRE = "tools.line.station.port_wire:PortWire"


@dataclass(frozen=True)
class Settings:
    """What the station sends a worker through its pipe. Times in seconds."""

    job: Job
    url: sa.URL
    key: Key | None
    who: Who
    chip: str | None = None
    flash_size: int = 0
    wifi: Wifi | None = field(default=None, repr=False)
    once: bool = False  # one board, then end
    poll: float = 0.25  # between looks for a board
    settle: float = 2.0  # how long a port is away before its board is gone: a reset takes USB ports away too
    patience: float = 60.0
    wire: str = WIRE  # module:class, called with (device, job, locate)


class Worker:
    """The life of one bay. `on_event(event, **facts)` reaches the station."""

    def __init__(self, bay: Bay, settings: Settings, on_event: OnEvent, stopping: threading.Event) -> None:
        self.bay = bay
        self.settings = settings
        self.on_event = on_event
        self.stopping = stopping
        module, _, name = settings.wire.partition(":")
        self._wire = getattr(importlib.import_module(module), name)
        self._away = None  # why the board went away last, told once

    def run(self) -> None:
        """Serve boards until told to stop (or one board, with `once`)."""
        settings = self.settings
        patience = Patience(limit=settings.patience, report=lambda line: self.on_event("ledger", why=line))
        with Ledger.open(settings.url, settings.key, patience) as ledger:
            while not self.stopping.is_set():
                if self._away is None:
                    self.on_event("waiting")
                device = self._wait_for_board()
                if device is None:
                    return
                settings.job.check_time(utc_now())
                finished = self._serve(ledger, device)
                if settings.once and finished:
                    return

    def _wait_for_board(self):
        """The device or URL on which a board is there to be opened; None when told to stop."""
        while not self.stopping.is_set():
            device = bays.locate(self.bay, bays.plugged() if self.bay.usb else ())
            if device is not None and self._wire.present(device):
                return device
            self.stopping.wait(self.settings.poll)
        return None

    def _serve(self, ledger, device):
        """One visit; whether it came to an end (a pulled board's did not)."""
        settings = self.settings
        wire = None
        try:
            locate = (lambda: bays.locate(self.bay, bays.plugged())) if self.bay.usb else None
            wire = self._wire(device, settings.job, locate)
            result = visit(
                wire,
                ledger,
                settings.job,
                settings.who,
                self._progress,
                wifi=settings.wifi,
                chip_name=settings.chip,
                flash_needed=settings.flash_size,
            )
            self.on_event(
                "result",
                outcome=result.outcome,
                mac=result.mac,
                device_name=result.device_name,
                why=result.why,
            )
            self._away = None
        except Pulled as error:
            if str(error) != self._away:
                self._away = str(error)
                self.on_event("pulled", why=self._away)
            self.stopping.wait(settings.poll)
            return False
        except (Rejected, UserError) as error:
            self.on_event("result", outcome="failed", mac=None, device_name=None, why=str(error))
        finally:
            if wire is not None:
                wire.close()
        if not settings.once:
            self._wait_until_gone(device)
        return True

    def _progress(self, event, **facts):
        if event != "identify":
            self._away = None
        elif self._away is not None:
            return  # looking again at a board that is still away is no news
        self.on_event(event, **facts)

    def _wait_until_gone(self, device):
        missing = None
        while not self.stopping.is_set():
            there = (
                self._wire.still_there(device)
                if self.bay.usb is None
                else (bays.locate(self.bay, bays.plugged()) is not None)
            )
            missing = None if there else missing or time.monotonic()
            if missing is not None and time.monotonic() - missing >= self.settings.settle:
                return
            self.stopping.wait(self.settings.poll)


def main(bay: Bay, settings: Settings, pipe: Connection) -> None:
    """The process's entry. Messages to the station: (event, facts); from it: "stop"."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the station decides when a board in work is left
    os.dup2(2, 1)  # what a library prints must not get between the station's own lines
    stopping = threading.Event()
    lock = threading.Lock()

    def on_event(event, **facts):
        if facts.get("why"):
            facts["why"] = device_names.printable(facts["why"])
        with lock:
            try:
                pipe.send((event, facts))
            except (BrokenPipeError, OSError):
                os._exit(1)

    def listen():
        try:
            pipe.recv()
        except (EOFError, OSError):
            os._exit(1)  # the station is gone: leave the port to the next one; the ledger knows where we were
        stopping.set()

    threading.Thread(target=listen, daemon=True).start()
    if parent_process() is None:
        raise RuntimeError("a worker runs in a process of its own")
    try:
        Worker(bay, settings, on_event, stopping).run()
        on_event("ended")
    except UserError as error:
        on_event("broken", why=str(error))
    except Exception as error:  # a defect, ours or a library's, must not look like a silent bay
        on_event("broken", why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
