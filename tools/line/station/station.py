"""The station: a worker process for each bay, one screen for all of them, and an end that leaves nothing
half done.

Ctrl-C once: no new boards, those in work are finished. Twice: now; the boards
in work are found again by their MAC.
"""

import datetime
import json
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from tools.line import device_names
from tools.line.ledger.schema import Clock, stamp, utc_now
from tools.line.station import bays, worker
from tools.line.station.station_file import Bay

RESTARTS = 3  # of a bay whose process died
RATE_WINDOW = 3600  # seconds over which boards an hour are counted
JOURNALED = ("reserved", "written", "result", "broken")


@dataclass
class Row:
    """One bay as the screen shows it."""

    bay: str
    step: str = "starting"
    part: float | None = None
    mac: str = ""
    device_name: str = ""
    outcome: str = ""
    why: str = ""
    last: str = ""  # the red board that was taken out, until the next one is done
    passed: int = 0
    failed: int = 0

    def hear(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "waiting":
            if self.outcome == "failed":
                board = " ".join(filter(None, (device_names.colons(self.mac), self.device_name)))
                self.last = f"taken out: {board} FAILED: {self.why}"
            self.step, self.part = "waiting", None
            self.mac = self.device_name = self.outcome = self.why = ""
            return
        if event == "identify":
            self.mac = self.device_name = self.outcome = self.why = self.last = ""
        self.mac = facts.get("mac") or self.mac
        self.device_name = facts.get("device_name") or self.device_name
        self.why = facts.get("why") or ("" if event != "result" else self.why)
        self.part = facts.get("part")
        if event == "result":
            self.outcome = self.step = facts["outcome"]
            self.passed += facts["outcome"] == "done"
            self.failed += facts["outcome"] == "failed"
        elif event in ("pulled", "broken"):
            self.outcome = self.step = event
        elif event not in ("done", "already", "failed", "ended"):
            self.step = event


@dataclass
class Tally:
    """What the whole station did."""

    passed: int = 0
    already: int = 0
    failed: int = 0
    # MAC or bay -> (bay, MAC, DeviceName, why) of boards still red
    reds: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    finished: deque[float] = field(default_factory=deque)

    def count(self, outcome: str, now: float) -> None:
        if outcome == "done":
            self.passed += 1
            self.finished.append(now)
        elif outcome == "already":
            self.already += 1
        else:
            self.failed += 1

    def judge(self, row: Row) -> None:
        """Keep why a board or a bay is red, until the same one is green."""
        if row.outcome in ("failed", "broken"):
            self.reds[row.mac or row.bay] = row.bay, row.mac, row.device_name, row.why
        else:
            self.reds.pop(row.mac, None)

    def an_hour(self, now: float) -> float:
        """Boards an hour: over the last hour, or over the station's life when that is shorter."""
        while self.finished and now - self.finished[0] > RATE_WINDOW:
            self.finished.popleft()
        span = min(RATE_WINDOW, max(1.0, now - self.began))
        return len(self.finished) * 3600 / span


class Screen(Protocol):
    """What shows an operator the bays; `tools.line.station.screen` has three of them."""

    def hear(self, at: str, row: Row, event: str, facts: Mapping[str, Any], tally: Tally) -> None:
        """Show an event of a bay; `row` is the bay's state after it."""

    def tick(self, rows: Mapping[str, Row], tally: Tally) -> None:
        """Show how the bays stand; called in each round of the station's loop."""

    def close(self, rows: Mapping[str, Row], tally: Tally) -> None:
        """Show the final totals; called once, when the station ends."""


class Station:
    """Runs the bays until they end (`settings.once`) or until stopped. See `Screen`."""

    def __init__(
        self,
        places: Sequence[Bay] | None,
        settings: worker.Settings,
        screen: Screen,
        *,
        journal: str | None = None,
        after: Callable[[str, str], None] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.places = places  # Bays, or None: every USB port that is plugged in
        self.settings = settings
        self.screen = screen
        self.journal = journal
        self.after = after  # called with (device name, mac) of each board that is done
        self.tally = Tally()
        self.rows: dict[str, Row] = {}
        self._clock = clock
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tools.line.station.worker"])
        self._workers: dict[Bay, tuple[BaseProcess, connection.Connection]] = {}
        self._deaths: dict[Bay, int] = {}
        self._stops = 0

    def run(self) -> int:
        """Returns 0 when every board of this run is good, 1 when one failed or a bay broke, 130 after
        Ctrl-C.
        """
        before = signal.signal(signal.SIGINT, self._interrupted)
        try:
            self._loop()
        finally:
            signal.signal(signal.SIGINT, before)
            self._end()
        broken = any(row.outcome in ("failed", "broken") for row in self.rows.values())
        return 130 if self._stops else int(bool(self.tally.failed or broken))

    def _loop(self):
        for bay in self.places or ():
            self._start(bay)
        while self._workers or (self.places is None and not self._stops):
            if self.places is None and not self._stops:
                for bay in bays.found(bays.plugged()):
                    if bay.name not in self.rows:
                        self._start(bay)
            self._listen()
            if self._stops > 1:
                return

    def _listen(self):
        """Hear what the bays say for one moment."""
        pipes = {pipe: bay for bay, (_, pipe) in self._workers.items()}
        ready = (
            connection.wait(list(pipes), timeout=self.settings.poll)
            if pipes
            else time.sleep(self.settings.poll) or []
        )
        for pipe in ready:
            bay = pipes[pipe]
            try:
                event, facts = pipe.recv()
            except (EOFError, OSError):
                self._died(bay)
                continue
            self._hear(bay, event, facts)
        self.screen.tick(self.rows, self.tally)

    def _hear(self, bay, event, facts):
        row = self.rows[bay.name]
        row.hear(event, facts)
        if event == "result":
            self.tally.count(facts["outcome"], time.monotonic())
        if event in ("result", "broken"):
            self.tally.judge(row)
        if event in JOURNALED:
            self._write_down(row, event)
        self.screen.hear(stamp(self._clock()), row, event, facts, self.tally)
        if event == "result" and facts["outcome"] == "done" and self.after:
            self.after(facts["device_name"], facts["mac"])
        if event in ("ended", "broken"):
            self._close(bay)

    def _start(self, bay):
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=worker.main, args=(bay, self.settings, theirs), daemon=True)
        process.start()
        theirs.close()
        self.rows.setdefault(bay.name, Row(bay.name))
        self._workers[bay] = process, ours

    def _close(self, bay):
        process, pipe = self._workers.pop(bay)
        pipe.close()
        process.join(timeout=5)

    def _died(self, bay):
        """A bay's process is gone without a word: start it again, a few times."""
        self._close(bay)
        self._deaths[bay] = self._deaths.get(bay, 0) + 1
        again = self._deaths[bay] <= RESTARTS and not self._stops
        row = self.rows[bay.name]
        row.outcome = row.step = "" if again else "broken"
        row.why = "the bay's process died" + ("; started again" if again else "")
        self._write_down(row, "died")
        if not again:
            self.tally.judge(row)
        self.screen.hear(stamp(self._clock()), row, "died", {"why": row.why}, self.tally)
        if again:
            self._start(bay)

    def _interrupted(self, *_):
        self._stops += 1
        for _, pipe in self._workers.values():
            try:
                pipe.send("stop")
            except OSError:
                pass

    def _end(self):
        for process, pipe in self._workers.values():
            process.kill()
            process.join(timeout=5)
            pipe.close()
        self._workers.clear()
        self.screen.close(self.rows, self.tally)

    def _write_down(self, row, event):
        """The station's own record of what went onto which board, for a ledger that comes back from a
        backup, and of why a board or a bay was red.
        """
        if self.journal and (row.device_name or row.why):
            line = {
                "at": stamp(self._clock()),
                "event": event,
                "bay": row.bay,
                "mac": row.mac or None,
                "device_name": row.device_name or None,
                "product_key": self.settings.job.product_key,
                "outcome": row.outcome or None,
                **({"why": row.why} if row.why else {}),
            }
            with open(self.journal, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())


def now_text() -> str:
    return datetime.datetime.now().strftime("%H:%M:%S")
