"""Room for more sub-devices in a gateway's rows: before memory is gone, it says so."""

import gc

from aliot import load, unload
from aliot.gateway.errors import GatewayError
from aliot.gateway.rows import CHUNK, ROWS
from micropython import const

_AREA = const(57344)  # bytes that Python's heap takes of the C heap when it grows
# What has to be free for one more chunk: of Python's heap, or of the C heap when Python's has grown. While online the
# rest is for the next reconnect; before that it is for Wi-Fi, TLS and the first requests too.
_ROOM = const(5500)
_ROOM_BEFORE = const(7500)
_LEFT = const(24000)
_LEFT_BEFORE = const(100000)


def make_room(rows, more):
    """True when so many more rows fit; GatewayError `gateway.full`, or `gateway.memory` before memory is gone."""
    most = rows.count + more
    if most > rows.limit:
        raise GatewayError("full", "%d sub-devices" % most, "never")
    while most > ROWS * len(rows.chunks):
        if not _fits(rows.online):
            raise GatewayError("memory", "%d sub-devices fit" % (ROWS * len(rows.chunks)), "never")
        rows.chunks.append(bytearray(CHUNK))
    return True


def _fits(online):
    """Whether there is memory for one more chunk, beside what is needed later."""
    gc.collect()
    memory = load("memory")
    fits = (
        memory.free() >= (_ROOM if online else _ROOM_BEFORE)
        or memory.c_heap()[0] >= (_LEFT if online else _LEFT_BEFORE) + _AREA
    )
    unload("memory")
    return fits
