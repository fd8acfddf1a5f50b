"""Bringing to the file what has changed in the states of a gateway's sub-devices."""

from aliot.errors import AliotError
from aliot.gateway.records.writing import append, record, tidy
from aliot.gateway.rows import ATTACHED, FILED, GONE, KEYS, STATES, TIMES
from micropython import const

_PLACES = const(60)  # in one record


def settle(gateway):
    """Do it, or say why it cannot be."""
    try:
        write(gateway.rows)
    except AliotError as problem:
        gateway.complain(problem)


def write(rows):
    """Attached, detached, and gone: in this order."""
    tidy(rows)
    for kind, bits, wanted in ((b"A", ATTACHED | FILED | GONE, ATTACHED), (b"D", ATTACHED | FILED | GONE, FILED),
                               (b"X", GONE, GONE)):
        while True:
            some = []
            places = b""
            for row in range(rows.count):
                if rows.state(row) & bits == wanted:
                    some.append(row)
                    places += rows.get(row, 0, 4).to_bytes(4, "little")
                    if len(some) == _PLACES:
                        break
            if not some:
                break
            data = record(kind, places)
            append(rows, data)
            rows.dead += len(data)
            for row in reversed(some):
                if kind == b"X":
                    drop(rows, row)
                else:
                    rows.change(row, FILED, FILED if kind == b"A" else 0)


def drop(rows, row):
    """Take a row out; the last one takes its place."""
    rows.dead += len(rows.body(row)) + 6
    rows.count -= 1
    last = rows.count
    for column, size in ((0, 4), (KEYS, 4), (TIMES, 2), (STATES, 1)):
        rows.put(row, column, size, rows.get(last, column, size))
