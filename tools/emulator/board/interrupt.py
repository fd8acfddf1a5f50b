"""Ctrl-C for a program that does not read its console: a signal to its process, at a moment when it does no harm.

MicroPython's Unix port raises KeyboardInterrupt inside the signal handler. In the
middle of a garbage collection that leaves the heap locked for good, where a chip
raises it between two instructions. So the process is signalled while it waits in
a system call, as nearly every program on a board does most of the time.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

BUSY = 1.0  # seconds after which a program that never waits is signalled all the same
_LOOK = 0.0005


def interrupt(process: subprocess.Popen[bytes], wanted: Callable[[], bool]) -> None:
    """SIGINT to a child `process`, as soon as it waits, at the latest after BUSY seconds; while `wanted()` holds."""
    ends = time.monotonic() + BUSY
    proc = Path("/proc", str(process.pid))
    try:
        while wanted():
            busy = time.monotonic() > ends
            if (busy or _asleep(proc)) and _stopped(process, proc, None if busy else _call(proc), wanted):
                return
            time.sleep(_LOOK)
    except (OSError, ValueError):
        pass  # it has ended


def _stopped(process, proc, call, wanted):
    """Stop the process; signal it if it still waits in `call` (None: wherever it is), and let it go on.

    True when it was signalled.
    """
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    try:
        there = wanted() and call in (None, _call(proc))
        if there:
            process.send_signal(signal.SIGINT)
    finally:
        process.send_signal(signal.SIGCONT)
    return there


def _asleep(proc):
    return (proc / "stat").read_text().rpartition(")")[2].split()[0] == "S"


def _call(proc):
    """The number of the system call that the process is in; None where the kernel does not tell."""
    try:
        return (proc / "syscall").read_text().split()[0]
    except PermissionError:
        return None
