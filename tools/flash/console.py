"""Follows a board's console after its reset: until the board is online, is refused, or its application has ended."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import serial
from esptool.reset import HardReset

from tools.errors import UserError
from tools.flash import port as ports
from tools.image import release

RUNS = ("connected",)
FAILS = ("refused", "error")
_POLL = 0.1  # seconds between looks for a port that went away
_LINE_LIMIT = 4096
_PROMPT = b">>> "
_TRACEBACK = "Traceback (most recent call last):"
_ANEW = "MPY: soft reboot"  # MicroPython's words for it
_QUIET = 0.5  # seconds after a traceback or a prompt in which an application that goes on says its next state
_REPLUG = 10.0  # seconds within which a chip's own USB is back after a reset
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # as ESP-IDF colours its log


class Ended(UserError):
    """The application on the board has ended; `traceback`: its lines, () when it came to the prompt without one."""

    def __init__(self, traceback: Sequence[str]) -> None:
        self.traceback = tuple(traceback)
        super().__init__(f"its application has ended: {brief(traceback)}")


def brief(traceback: Sequence[str]) -> str:
    """A traceback in one line: the error, then where."""
    if not traceback:
        return "the board is at its prompt"
    *places, error = traceback[1:] if len(traceback) > 1 else traceback
    return error.strip() + (f" ({'; '.join(place.strip() for place in places)})" if places else "")


def printable(text: str) -> str:
    """Text of a board as a terminal can take it: without colours, what cannot be printed as its escape."""
    text = _COLOUR.sub("", text).expandtabs()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def state_of(line: bytes) -> dict[str, Any] | None:
    """The dict of a state line, or None for any other line."""
    if not line.lstrip().startswith(b'{"aliot"') and not line.lstrip().startswith(b"{"):
        return None
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get("aliot"), str) else None


def readable(text: str) -> str:
    """A line of a console with the places of a traceback as places in the sources (tools.image.release)."""
    if 'File "aliot' in text or 'File \\"aliot' in text or "object has no attribute" in text:
        return release.build().translate(text)
    return text


def final(state: dict[str, Any]) -> bool:
    """Whether a state ends the wait for a board that runs: it is connected, or it is refused or stands still.

    What a board says of its settings, its handlers or one subscription is no reason for it to stop.
    """
    passing = ("settings", "handler", "suback", "certificate.root")
    return state["aliot"] in RUNS + FAILS and not (state["aliot"] == "error" and state.get("code") in passing)


def describe(state: dict[str, Any]) -> str:
    """A state as a person reads it."""
    rest = ", ".join(
        f"{key} {value}" for key, value in state.items() if key != "aliot" and isinstance(value, (str, int))
    )
    return printable(state["aliot"] + (f" ({rest})" if rest else ""))


class Output:
    """Sorts what a board prints: `on_state(state)` hears of each state, `on_line(text)` of each other line."""

    def __init__(self, on_state: Callable[[dict[str, Any]], None], on_line: Callable[[str], None]) -> None:
        self._on_state, self._on_line = on_state, on_line
        self._rest = b""
        self._traceback: list[str] = []  # lines of the last one
        self._inside = False  # a traceback has begun, and its error is still to come
        self._quiet_from: float | None = None  # when it was ended, or came to the prompt

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The states in what came, one by one."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LINE_LIMIT:]
        for line in lines:
            text = readable(line.decode("utf-8", "replace").rstrip("\r"))
            state = state_of(text.encode())
            if state:
                self._goes_on()
                self._on_state(state)
                yield state
            else:
                self._other(text)
        if self._rest == _PROMPT:
            self._quiet_from = self._quiet_from or time.monotonic()

    def drop(self) -> None:
        """The port went away, and half a line with it."""
        self._rest = b""

    def check(self) -> None:
        """Ended once a traceback or a prompt was the last for a while."""
        if self._quiet_from is not None and time.monotonic() - self._quiet_from >= _QUIET:
            raise Ended(self._traceback)

    def _other(self, text):
        begins = text.endswith(_TRACEBACK)
        if begins or text.startswith(_ANEW):
            self._goes_on()
        if begins or self._inside:
            self._traceback.append(printable(text))
            self._inside = begins or text.startswith(" ")
            if not self._inside:
                self._quiet_from = time.monotonic()
        if text.strip():
            self._on_line(printable(text))

    def _goes_on(self):
        self._traceback, self._inside, self._quiet_from = [], False, None


def follow(
    name: str,
    port: ports.Port,
    seconds: float,
    on_state: Callable[[dict[str, Any]], None],
    until: Callable[[dict[str, Any]], bool] = final,
    on_line: Callable[[str], None] = lambda text: None,
) -> dict[str, Any] | None:
    """The first state (a dict) for which `until` holds, or None when `seconds` are over.

    `port`: the open port, which is closed at the end; `on_state(state)` hears of
    each state, `on_line(text)` of each other line. A port that goes away is looked
    for again, under any name. UserError when it does not come back; `Ended`
    when a traceback or a prompt is the last that comes.
    """
    end = time.monotonic() + seconds
    before = {device for device, _ in ports.plugged_in()}
    output = Output(on_state, on_line)
    try:
        while time.monotonic() < end:
            try:
                port.timeout = min(0.2, max(0.0, end - time.monotonic()))
                data = port.read(max(1, port.in_waiting))
            except (serial.SerialException, OSError, TypeError):
                port.close()
                port = _again(name, before, end)
                output.drop()
                continue
            for state in output.feed(data):
                if until(state):
                    return state
            output.check()
        return None
    finally:
        port.close()


def restart(name: str, port: ports.Port) -> ports.Port:
    """Reset the board by its lines; the open port, which a chip's own USB may have under another name."""
    before = {device for device, _ in ports.plugged_in()}
    try:
        port.dtr = False  # else EN stays high
        HardReset(port)()
        return port
    except (serial.SerialException, OSError):
        port.close()
        return _again(name, before, time.monotonic() + _REPLUG)


def _again(name, before, end):
    """The port, open again, be it under its old name or a new one."""
    problem = "it did not come back"
    while time.monotonic() < end:
        now = [device for device, _ in ports.plugged_in()]
        for candidate in [
            name,
            *(device for device in now if device not in before),
            *(now if len(now) == 1 else ()),
        ]:
            try:
                return ports.open_port(candidate, timeout=0.2)
            except UserError as error:
                problem = str(error)
        time.sleep(_POLL)
    raise ports.PortError(f"the port went away at the reset and did not come back in time: {problem}")
