"""What a board prints from its start to its end, line by line, and waiting for it."""

import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import IO, Any, NoReturn, Protocol

State = dict[str, Any]  # a state line, parsed
Wanted = str | Callable[[State], bool]  # the name of a state, or a function that holds for it


class BoardError(Exception):
    """The board did not do what was waited for; the text ends with what it printed last."""


class Run(Protocol):
    """What is kept of a start: the part of a `boot.Boot` that the console fills."""

    lines: list[str]
    states: list[State]


class Output:
    """The console lines and state lines of `run`, a `Boot`, which keeps them; `log` is called with each line.

    A thread of the board's calls `read` and `end`; the others take what came, each line once.
    """

    def __init__(self, run: Run, log: Callable[[str], object] | None = None) -> None:
        self.run, self.log = run, log
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._ended = threading.Event()
        self._how = ""  # it ended: the reason, with the status of one that no board ends with

    # --- the board's side

    def read(self, stream: IO[bytes], console: Callable[[bytes], object] | None = None) -> None:
        """Take all that comes from `stream`, until its end; `console` is called with the bytes."""
        rest = b""
        while data := os.read(stream.fileno(), 65536):
            if console:
                console(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._line(line)
        if rest:
            self._line(rest)

    def end(self, reason: str, status: int) -> None:
        """The process has ended, with that exit status, or by the signal -status."""
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        self._how = f"{reason}, {how}" if reason == "failed" else reason
        self._ended.set()
        self._events.put(("end", reason))

    def died(self, timeout: float) -> NoReturn:
        """BoardError for a board that has died: how, and what it printed last, once all of that is there."""
        self._ended.wait(timeout)
        raise BoardError(f"the board has died ({self._how}):\n{self._tail()}")

    def _line(self, line):
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.run.lines.append(text)
        if self.log:
            self.log(text)
        state = _state(text)
        if state:
            self.run.states.append(state)
        self._events.put(("state", state) if state else ("line", text))

    # --- waiting

    def until(self, state: Wanted | None, timeout: float) -> str:
        """Why a run ends: "stopped" at a state of that name (or for which the function holds), else its own reason.

        `state` may be None. TimeoutError when neither comes in `timeout` seconds.
        """
        for kind, value in self._coming(timeout):
            if kind == "end":
                return value
            if kind == "state" and state and _is(state, value):
                return "stopped"
        raise TimeoutError

    def wait_for(self, state: Wanted, timeout: float) -> State:
        for kind, value in self._coming(timeout):
            if kind == "state" and _is(state, value):
                return value
            if kind == "end":
                raise BoardError(f"the board ended ({self._how}) before it was '{state}':\n{self._tail()}")
        raise BoardError(f"the board was not '{state}' within {timeout} seconds:\n{self._tail()}")

    def wait_line(self, text: str, timeout: float) -> str | State:
        for kind, value in self._coming(timeout):
            if kind in ("line", "state") and text in (value if kind == "line" else json.dumps(value)):
                return value
            if kind == "end":
                raise BoardError(f"the board ended ({self._how}) before it printed '{text}':\n{self._tail()}")
        raise BoardError(f"the board did not print '{text}' within {timeout} seconds:\n{self._tail()}")

    def wait(self, timeout: float) -> str:
        for kind, value in self._coming(timeout):
            if kind == "end":
                return value
        raise BoardError(f"the board still ran after {timeout} seconds:\n{self._tail()}")

    def _coming(self, timeout):
        """(kind, value) of each line, state line and end as it comes, for `timeout` seconds."""
        ends = time.monotonic() + timeout
        while (left := ends - time.monotonic()) > 0:
            try:
                yield self._events.get(timeout=left)
            except queue.Empty:
                return

    def _tail(self):
        return "\n".join(self.run.lines[-20:])


def _is(wanted, state):
    """Whether a state line has that name, or the function `wanted` holds for it."""
    return wanted(state) if callable(wanted) else state["aliot"] == wanted


def _state(text):
    """The state line that `text` is, parsed, or None."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("aliot"), str) else None
