"""Writing secrets, and what all that write have in common. Loaded for it and dropped."""

import gc
from binascii import crc32

from aliot import load, unload
from aliot.errors import StoreError
from aliot.gateway.errors import GatewayError
from aliot.gateway.rows import ATTACHED, CHUNK, FILED, KEYS, ROWS, TIMES, WANTED, key_of
from micropython import const

_AREA = const(57344)  # bytes that Python's heap takes of the C heap when it grows
# What has to be free for one more chunk: of Python's heap, or of the C heap when Python's has grown. While online the
# rest is for the next reconnect; before that it is for Wi-Fi, TLS and the first requests too.
_ROOM = const(1500)
_ROOM_BEFORE = const(10000)
_LEFT = const(24000)
_LEFT_BEFORE = const(100000)
_WASTE = const(4096)  # dead bytes that are never worth a new file


def keep(rows, items):
    """Store (ProductKey, DeviceName, DeviceSecret) of each item, in one write that is read back."""
    tidy(rows)
    data = b""
    more = 0
    for item in items:
        body = b""
        for text, most in zip(item, (20, 32, 64)):
            text = text.encode()
            if not 0 < len(text) <= most:
                raise GatewayError("name", "ProductKey, DeviceName or DeviceSecret is none", "never")
            body += (b"" if most == 64 else bytes([len(text)])) + text
        row = rows.find(item[:2])
        more += row < 0
        data += record(b"T" if row >= 0 and rows.state(row) & FILED else b"S", body)
    make_room(rows, more)
    at = append(rows, data)
    for item in items:
        place(rows, at, data[1], data[0] + 6, item[:2])
        at += data[0] + 6
        data = data[data[0] + 6 :]


def place(rows, at, kind, size, name):
    """Give the record of a secret, `size` bytes that lie at `at`, a row, for which there is room."""
    row = rows.find(name)
    if row < 0:
        row = rows.count
        rows.count += 1
        rows.change(row, 255)
        rows.put(row, TIMES, 2, 0)
        rows.put(row, KEYS, 4, key_of(name))
    else:
        rows.dead += size
    rows.put(row, 0, 4, at)
    rows.change(row, ~WANTED, ATTACHED | FILED if kind == 84 else 0)  # T


def make_room(rows, more):
    """See to it that so many more rows fit; GatewayError `gateway.full`, or `gateway.memory` before memory is gone."""
    most = rows.count + more
    if most > rows.limit:
        raise GatewayError("full", "%d sub-devices" % most, "never")
    while most > ROWS * len(rows.chunks):
        if not _fits(rows.online):
            raise GatewayError("memory", "%d sub-devices fit" % (ROWS * len(rows.chunks)), "never")
        rows.chunks.append(bytearray(CHUNK))


def _fits(online):
    """Whether there is memory for one more chunk, beside what is needed later."""
    gc.collect()
    memory = load("memory")
    fits = (memory.free() >= (_ROOM if online else _ROOM_BEFORE)
            or memory.c_heap()[0] >= (_LEFT if online else _LEFT_BEFORE) + _AREA)
    unload("memory")
    return fits


def append(rows, data):
    """Where `data` lies in the file, once it was read back."""
    rows.close()
    at = rows.size
    try:
        with open(rows.path, "ab") as file:
            file.write(data)
        with open(rows.path, "rb") as file:
            file.seek(at)
            same = file.read(len(data) + 1) == data
        problem = "reads back otherwise"
    except OSError as error:
        same = False
        problem = "full" if error.args[0] == 28 else "error %s" % error.args[0]  # ENOSPC
    if not same:
        rows.torn = True
        raise StoreError("the file %s: %s" % (rows.path, problem))
    rows.size += len(data)
    return at


def record(kind, body):
    data = bytes([len(body)]) + kind + body
    return data + crc32(data).to_bytes(4, "little")


def tidy(rows):
    """Write the file anew when it is worth it; never one with sub-devices that are in no row."""
    if not rows.left and (rows.torn or rows.dead > _WASTE and 2 * rows.dead > rows.size):
        load("gateway.records.compacting").compact(rows)
