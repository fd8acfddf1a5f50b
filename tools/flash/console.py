"""Following a board's console after its reset, until a state line says that it runs or that it does not."""

import json
import time

import serial

from tools.errors import UserError
from tools.flash import port as ports
from tools.image import release

RUNS = ("connected",)
FAILS = ("refused", "error")
_POLL = 0.1  # seconds between looks for a port that went away
_LINE_LIMIT = 4096


def state_of(line):
    """The dict of a state line, or None for any other line."""
    if not line.lstrip().startswith(b'{"aliot"') and not line.lstrip().startswith(b"{"):
        return None
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get("aliot"), str) else None


def readable(text):
    """A line of a console with the places of a traceback as places in the sources (tools.image.release)."""
    if 'File "aliot' in text or "File \\\"aliot" in text or "object has no attribute" in text:
        return release.build().translate(text)
    return text


def final(state):
    """Whether a state ends the wait for a board that runs: it is connected, or it is refused or stands still.

    What a board says of its settings, its handlers or one subscription is no reason for it to stop.
    """
    passing = ("settings", "handler", "suback", "certificate.root")
    return state["aliot"] in RUNS + FAILS and not (state["aliot"] == "error" and state.get("code") in passing)


def words(state):
    """A state as a person reads it."""
    rest = ", ".join(
        f"{key} {value}" for key, value in state.items() if key != "aliot" and isinstance(value, (str, int))
    )
    return state["aliot"] + (f" ({rest})" if rest else "")


def follow(name, port, seconds, tell, until=final):
    """The first state (a dict) for which `until` holds, or None when `seconds` are over.

    `port`: the open port, which is closed at the end; `tell(state)` hears of
    each state. A port that goes away is looked for again, under any name.
    UserError when it does not come back.
    """
    end = time.monotonic() + seconds
    before = {device for device, _ in ports.plugged_in()}
    rest = b""
    try:
        while time.monotonic() < end:
            try:
                port.timeout = min(0.2, max(0.0, end - time.monotonic()))
                data = port.read(max(1, port.in_waiting))
            except (serial.SerialException, OSError, TypeError):
                port.close()
                port = _again(name, before, end)
                rest = b""
                continue
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_LINE_LIMIT:]
            for state in filter(None, (state_of(readable(line.decode("utf-8", "replace")).encode()) for line in lines)):
                tell(state)
                if until(state):
                    return state
        return None
    finally:
        port.close()


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
    raise UserError(f"the port went away at the reset and did not come back in time: {problem}")
