"""How an application begins and ends: its settings, and what follows an error that nobody handled."""

import io
import json
import sys
import time

import machine
from aliot import log

_FIRST = 5  # seconds
_LONGEST = 300
_LONG_RUN = 600000  # ms; a run that lasted so long starts the count anew


def settings(path):
    """The JSON object in a file, {} when there is none; ValueError names a file that is no JSON object."""
    try:
        with open(path) as file:
            found = json.load(file)
    except OSError:
        return {}
    except ValueError:
        raise ValueError(path + " is not JSON")
    if not isinstance(found, dict):
        raise ValueError(path + " is not a JSON object")
    return found


def after(problem):
    """Say what happened in one line, wait (longer after each failure since power-on), and reset the board."""
    clock = machine.RTC()
    count = clock.memory()
    count = count[0] + 1 if count and time.ticks_ms() < _LONG_RUN else 1
    clock.memory(bytes([min(count, 200)]))
    wait = min(_FIRST << min(count - 1, 8), _LONGEST)
    log.state("error", {"code": getattr(problem, "code", type(problem).__name__), "detail": problem,
                        "place": _place(problem), "wait": wait})
    time.sleep(wait)
    machine.reset()


def _place(problem):
    text = io.StringIO()
    sys.print_exception(problem, text)
    lines = [line.strip() for line in text.getvalue().split("\n") if line.strip().startswith("File")]
    return lines[-1] if lines else ""
