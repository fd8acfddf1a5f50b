"""Reading the file of a gateway's sub-devices, whatever it holds."""

import os

from aliot import load, unload
from aliot.errors import StoreError
from aliot.gateway.errors import GatewayError
from aliot.gateway.records import place, remove
from aliot.gateway.room import make_room
from aliot.gateway.rows import ATTACHED, FILED, LONGEST, WANTED, checked, fields
from micropython import const

_LARGE = const(100000)  # bytes of Python's heap; above, a request may be larger
_PAYLOAD = const(900)
_LARGE_PAYLOAD = const(4096)


def start(gateway, login):
    """What a gateway begins with: its rows, of which the attached ones are to be online with `login`."""
    rows = gateway.rows
    read(rows)
    for row in range(rows.count):
        if login and rows.state(row) & ATTACHED:
            rows.change(row, 0, WANTED)
    if not gateway.payload:
        gateway.payload = _PAYLOAD if load("memory").free() < _LARGE else _LARGE_PAYLOAD
        unload("memory")


def read(rows):
    """Fill the rows from their file."""
    try:
        os.remove(rows.path + ".new")
    except OSError:
        pass
    try:
        with open(rows.path, "rb") as file:
            for at, kind, body in scan(file):
                rows.size = at + len(body) + 6
                _take(rows, at, kind, body)
    except OSError as problem:
        if problem.args[0] != 2:  # ENOENT
            raise StoreError("%s: error %s" % (rows.path, problem.args[0]))
    if rows.torn:
        rows.size = os.stat(rows.path)[6]


def scan(file):
    """(where, kind, body) of each whole record of a file; kind 0 stands for bytes that are none."""
    held = b""
    at = 0
    while True:
        more = file.read(512)
        held += more
        i = bad = 0
        while len(held) - i >= (LONGEST if more else 6):
            size = checked(held, i) if held[i + 1] in b"STADX" else 0
            if size:
                yield at + i, held[i + 1], held[i + 2 : i + size - 4]
                i += size
            else:
                bad += 1
                i += 1
        held = held[i:]
        at += i
        if bad or held and not more:
            yield at, 0, b""
        if not more:
            return


def _take(rows, at, kind, body):
    """Let the rows have what a record says that lies at `at`."""
    if not kind:
        rows.torn = True
    elif kind in b"ST":
        try:
            name = fields(body)[:2]
            if rows.find(name) < 0:
                make_room(rows, 1)
            place(rows, at, kind, len(body) + 6, name)
        except (IndexError, UnicodeError):
            pass
        except GatewayError as problem:
            rows.left += 1
            rows.problem = problem
    else:
        rows.dead += len(body) + 6
        for at in range(0, len(body) & ~3, 4):
            row = rows.search(body[at : at + 4], 0)
            if row >= 0 and kind == 88:  # X
                remove(rows, row)
            elif row >= 0:
                rows.change(row, 255, ATTACHED | FILED if kind == 65 else 0)  # A, D
