"""What follows an error that an application did not handle; imported when it happens."""

import gc
import io
import sys
import time

import machine
from aliot import feed, load, log, tree, unload
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.ticks import uptime
from micropython import const

_FIRST = const(5)  # s
_LONGEST = const(300)
_LONG_RUN = const(600000)  # ms; a run that lasted so long starts the count anew
_KEPT = const(1000)  # bytes of the line that outlive the reset, for aliot.services.log
_STARVED = const(3)  # handlers in a row that ran out of memory


def restart(problem):
    """Say what happened in one line if that can be, wait (longer after each failure since power-on), reset the board.

    A watchdog that runs is fed meanwhile. Ctrl-C ends the wait at the prompt.
    """
    kept = machine.RTC().memory()
    count = kept[0] + 1 if kept and uptime() < _LONG_RUN else 1
    machine.RTC().memory(bytes([min(count, 200)]))
    wait = min(_FIRST << min(count - 1, 8), _LONGEST)
    try:
        fields = _report(problem, wait)
        machine.RTC().memory(bytes([min(count, 200)]) + log.line("error", fields).encode()[:_KEPT])
        if tree:
            load("ota.trial").crashed()
    except Exception:
        print('{"aliot":"error","code":"MemoryError"}')
    for _ in range(wait):
        feed()
        time.sleep(1)
    machine.reset()


def handler_failed(device, problem, topic):
    """Say in one line that a handler raised, and where; the device goes on.

    What is said already, that the connection is gone, is not said again. A handler that runs out of memory again
    and again ends in a reset.
    """
    if isinstance(problem, MemoryError):
        device.starved += 1
        gc.collect()
        if device.starved >= _STARVED:
            restart(problem)
    if not (isinstance(problem, (LinkError, ProtocolError)) and not device.client):
        try:
            detail = log.clean("%s: %s" % (type(problem).__name__, problem))  # watchers see it too
            device.state(
                "error",
                {
                    "code": "handler",
                    "detail": detail,
                    "place": _place(problem),
                    "topic": topic,
                    "advice": AliotError(code="handler").advice,
                },
            )
        except MemoryError:  # the stack may still point to what the handler left
            print('{"aliot":"error","code":"handler"}')
    unload("crash", "advice")


def _report(problem, wait):
    fields = {
        "code": getattr(problem, "code", type(problem).__name__),
        "wait": wait,
        "detail": getattr(problem, "detail", problem),
        "advice": getattr(problem, "advice", ""),
        "place": _place(problem),
    }
    log.report("error", fields)
    return fields


def _place(problem):
    """The last line of a traceback that names a place."""
    text = io.StringIO()
    sys.print_exception(problem, text)
    lines = [line.strip() for line in text.getvalue().split("\n") if line.strip().startswith("File")]
    return lines[-1] if lines else ""
