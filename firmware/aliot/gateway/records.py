"""The file of a gateway's sub-devices on littlefs: an append-only list of records. Loaded to write it.

    size u8 | kind u8 | body of `size` bytes | CRC-32 u32 LE of all before

    S, T   the secret of one that is not, or is, attached: ProductKey and DeviceName, each after its length
           (u8), then the DeviceSecret; a later one of the same name goes before it
    A, D, X   attached, detached, dropped: where the records of these sub-devices begin, u32 LE each

What is written is read back before it counts. A record that is torn or spoiled is stepped over: neither one
before it nor one after it is lost. A file that has one, or is half of dead records, is written anew under
another name and takes the old one's place by a rename (aliot.gateway.compacting).

`rows` is an aliot.gateway.rows.Rows; StoreError when littlefs does not take or give what it should.
"""

from binascii import crc32

from aliot import load
from aliot.errors import AliotError, StoreError
from aliot.gateway.errors import GatewayError
from aliot.gateway.room import make_room
from aliot.gateway.rows import ATTACHED, FILED, GONE, KEYS, STATES, TIMES, WANTED, key_of
from micropython import const

_PLACES = const(60)  # in one record
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


def settle(gateway):
    """Do it, or say why it cannot be."""
    try:
        write(gateway.rows)
    except AliotError as problem:
        gateway.complain(problem)


def write(rows):
    """Attached, detached, and gone: in this order."""
    tidy(rows)
    for kind, bits, wanted in (
        (b"A", ATTACHED | FILED | GONE, ATTACHED),
        (b"D", ATTACHED | FILED | GONE, FILED),
        (b"X", GONE, GONE),
    ):
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
                    remove(rows, row)
                else:
                    rows.change(row, FILED, FILED if kind == b"A" else 0)


def remove(rows, row):
    """Take a row out; the last one takes its place."""
    rows.dead += len(rows.body(row)) + 6
    rows.count -= 1
    last = rows.count
    for column, size in ((0, 4), (KEYS, 4), (TIMES, 2), (STATES, 1)):
        rows.put(row, column, size, rows.get(last, column, size))


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
        load("gateway.compacting").compact(rows)
