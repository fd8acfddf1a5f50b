"""What follows an error that nobody handled; imported when it happens."""

import io
import sys
import time

import machine
from aliot import log

_FIRST = 5  # seconds
_LONGEST = 300
_LONG_RUN = 600000  # ms; a run that lasted so long starts the count anew


def after(problem, watchdog=0):
    """Say what happened in one line, wait (longer after each failure since power-on), and reset the board.

    A watchdog that runs (true) is given the time to wait; it cannot be stopped.
    """
    clock = machine.RTC()
    count = clock.memory()
    count = count[0] + 1 if count and time.ticks_ms() < _LONG_RUN else 1
    clock.memory(bytes([min(count, 200)]))
    wait = min(_FIRST << min(count - 1, 8), _LONGEST)
    log.state("error", {"code": getattr(problem, "code", type(problem).__name__), "wait": wait,
                        "detail": getattr(problem, "detail", problem), "advice": getattr(problem, "advice", ""),
                        "place": _place(problem)})
    if watchdog:
        machine.WDT(timeout=(wait + _FIRST) * 1000)
    time.sleep(wait)
    machine.reset()


def _place(problem):
    text = io.StringIO()
    sys.print_exception(problem, text)
    lines = [line.strip() for line in text.getvalue().split("\n") if line.strip().startswith("File")]
    return lines[-1] if lines else ""
