"""Writing secrets, and what all that write have in common. Loaded for it and dropped."""

from binascii import crc32

from aliot import load
from aliot.errors import StoreError
from aliot.gateway.errors import GatewayError
from aliot.gateway.rows import ATTACHED, FILED, KEYS, TIMES, WANTED, key_of
from micropython import const

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
    if rows.lacks(more):
        load("gateway.records.room").run(rows, more)
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
