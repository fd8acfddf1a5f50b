"""The sub-devices of a gateway on littlefs: an append-only file of records, and 11 bytes of RAM for each.

    size u8 | kind u8 | body of `size` bytes | CRC-32 u32 LE of all before

    S, T   the secret of one that is not, or is, attached: ProductKey and DeviceName, each after its length
           (u8), then the DeviceSecret; a later one of the same name goes before it
    A, D, X   attached, detached, dropped: where the records of these sub-devices begin, u32 LE each

What is written is read back before it counts. A record that is torn or spoiled is stepped over: neither one
before it nor one after it is lost. A file that has one, or is half of dead records, is written anew under
another name and takes the old one's place by a rename.
"""

import os
from array import array
from binascii import crc32
from struct import pack, unpack_from

from aliot.credentials import sound
from aliot.errors import StoreError
from micropython import const

ATTACHED = const(1)
ONLINE = const(2)
WANTED = const(4)  # to be online whenever the gateway is
DISABLED = const(8)
REFUSED = const(16)  # not tried again before something has changed
GONE = const(32)  # to be dropped
_FILED = const(64)  # attached, as the file says

_KINDS = b"STADX"
_LONGEST = const(261)
_PLACES = const(60)  # in one record
_ROWS = const(32)  # the tables grow by so many
_WASTE = const(4096)  # dead bytes that are never worth a new file


class Records:
    """Rows 0 to count - 1, one for each sub-device whose secret is stored; a drop may move the last row.

    states    a byte a row: ATTACHED and the others
    logins    16 bits a row, for aliot.gateway.rates
    limit     most sub-devices; a platform takes 1,500 (gateway.md 12)

    StoreError when littlefs does not take or give what it should.
    """

    def __init__(self, path="/aliot/subdevices", limit=1500):
        self.path = path
        self.limit = limit
        self.count = 0
        self.size = 0  # bytes of the file
        self.dead = 0  # of them no longer needed
        self.torn = False
        self.file = None  # open for reading
        self.places = bytearray()  # u32 LE a row: where its record begins
        self.keys = bytearray()  # u32 LE a row: CRC-32 of its name
        self.states = bytearray()
        self.logins = array("H")
        self._load()

    # What is there.

    def find(self, name):
        """The row of (ProductKey, DeviceName), -1 when it has none."""
        key = _key(name)
        row = -1
        while True:
            row = _search(self.keys, key, row + 1, self.count)
            if row < 0 or self.entry(row)[:2] == name:
                return row

    def entry(self, row):
        """(ProductKey, DeviceName, DeviceSecret) of a row, from flash. The last is not to be printed."""
        return _parsed(self._body(row))

    def name(self, row):
        return self.entry(row)[:2]

    # What changes.

    def keep(self, items):
        """Store (ProductKey, DeviceName, DeviceSecret) of each item, in one write that is read back."""
        self._tidy()
        data = bytearray()
        more = 0
        for item in items:
            row = self.find(item[:2])
            more += row < 0
            attached = row >= 0 and self.states[row] & _FILED
            data.extend(_record(b"T" if attached else b"S", _body(*item)))
        if self.count + more > self.limit:
            raise StoreError("%d sub-devices at most" % self.limit, "gateway.full", "never")
        at = self._append(data)
        while data:
            self._take(at, data[1], data[2 : data[0] + 2])
            at += data[0] + 6
            data = data[data[0] + 6 :]

    def settle(self, drop=True):
        """Bring to flash what has changed in `states`: attached, detached and, with `drop`, gone."""
        rows = ([], [], [])
        for row in range(self.count):
            state = self.states[row]
            if state & GONE:
                if drop:
                    rows[2].append(row)
            elif bool(state & ATTACHED) != bool(state & _FILED):
                rows[0 if state & ATTACHED else 1].append(row)
        if not any(rows):
            return
        self._tidy()
        data = bytearray()
        for kind, some in zip((b"A", b"D", b"X"), rows):
            for at in range(0, len(some), _PLACES):
                places = [self.places[4 * row : 4 * row + 4] for row in some[at : at + _PLACES]]
                data.extend(_record(kind, b"".join(places)))
        self._append(data)
        self.dead += len(data)
        for row in rows[0] + rows[1]:
            self.states[row] ^= _FILED
        for row in reversed(rows[2]):
            self._drop(row)

    # The file.

    def _load(self):
        try:
            os.remove(self.path + ".new")
        except OSError:
            pass
        try:
            with open(self.path, "rb") as file:
                for at, kind, body in scan(file):
                    self.size = at + len(body) + 6
                    self._take(at, kind, body)
        except OSError as problem:
            if problem.args[0] != 2:  # ENOENT
                raise StoreError("%s: error %s" % (self.path, problem.args[0]))
        if self.torn:
            self.size = os.stat(self.path)[6]

    def _take(self, at, kind, body):
        if not kind:
            self.torn = True
        elif kind in b"ST":
            name = _parsed(body)[:2]
            if name[1]:
                self._place(at, kind, body, name)
        else:
            self.dead += len(body) + 6
            for at in range(0, len(body) & ~3, 4):
                row = _search(self.places, body[at : at + 4], 0, self.count)
                if row >= 0 and kind == 88:  # X
                    self._drop(row)
                elif row >= 0:
                    self.states[row] = ATTACHED | _FILED if kind == 65 else 0  # A, D

    def _place(self, at, kind, body, name):
        row = self.find(name)
        if row < 0:
            row = self.count
            if row >= self.limit:
                return
            if row == len(self.states):
                for table in (self.places, self.keys):
                    table.extend(bytes(4 * _ROWS))
                self.states.extend(bytes(_ROWS))
                self.logins.extend(array("H", bytes(2 * _ROWS)))
            self.count += 1
            self.states[row] = 0
            self.logins[row] = 0
            self.keys[4 * row : 4 * row + 4] = _key(name)
        else:
            self.dead += len(body) + 6
        self.places[4 * row : 4 * row + 4] = pack("<I", at)
        self.states[row] = self.states[row] & WANTED | (ATTACHED | _FILED if kind == 84 else 0)  # T

    def _drop(self, row):
        self.dead += len(self._body(row)) + 6
        self.count -= 1
        last = self.count
        for table in (self.places, self.keys):
            table[4 * row : 4 * row + 4] = table[4 * last : 4 * last + 4]
        self.states[row] = self.states[last]
        self.logins[row] = self.logins[last]

    def _body(self, row):
        try:
            if not self.file:
                self.file = open(self.path, "rb")
            self.file.seek(unpack_from("<I", self.places, 4 * row)[0])
            data = self.file.read(_LONGEST)
        except OSError as problem:
            raise StoreError("%s: error %s" % (self.path, problem.args[0]))
        size = _good(data, 0)
        if not size:
            raise StoreError("%s: a record is spoiled" % self.path)
        return data[2 : size - 4]

    def close(self):
        """Give back what an open file takes of the heap; it is opened again when it is read."""
        if self.file:
            self.file.close()
            self.file = None

    def _append(self, data):
        """Where `data` lies in the file, once it was read back."""
        self.close()
        at = self.size
        try:
            with open(self.path, "ab") as file:
                file.write(data)
            with open(self.path, "rb") as file:
                file.seek(at)
                same = file.read(len(data) + 1) == data
            problem = "reads back otherwise"
        except OSError as error:
            same = False
            problem = "full" if error.args[0] == 28 else "error %s" % error.args[0]  # ENOSPC
        if not same:
            self.torn = True
            raise StoreError("%s: %s" % (self.path, problem))
        self.size += len(data)
        return at

    def _tidy(self):
        if self.torn or self.dead > _WASTE and 2 * self.dead > self.size:
            self.compact()

    def compact(self):
        """Write the file anew without what is dead or spoiled."""
        new = self.path + ".new"
        places = bytearray(4 * self.count)
        size = 0
        try:
            with open(new, "wb") as file:
                for row in range(self.count):
                    data = _record(b"T" if self.states[row] & _FILED else b"S", self._body(row))
                    places[4 * row : 4 * row + 4] = pack("<I", size)
                    size += len(data)
                    file.write(data)
            with open(new, "rb") as file:
                good = sum([1 if kind else -self.count for at, kind, body in scan(file)])
            if good != self.count:
                raise StoreError("%s: reads back otherwise" % new)
            self.close()
            os.rename(new, self.path)
        except OSError as problem:
            raise StoreError("%s: error %s" % (new, problem.args[0]))
        self.places[: len(places)] = places
        self.size = size
        self.dead = 0
        self.torn = False


def scan(file):
    """(where, kind, body) of each good record of a file; kind 0 stands for bytes that are none."""
    held = b""
    at = 0
    while True:
        more = file.read(512)
        held += more
        i = bad = 0
        while len(held) - i >= (_LONGEST if more else 6):
            size = _good(held, i)
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


def _good(data, at):
    """The length of the good record that begins there, 0 when there is none."""
    if len(data) - at < 6 or data[at + 1] not in _KINDS:
        return 0
    end = at + data[at] + 2
    if end + 4 > len(data) or unpack_from("<I", data, end)[0] != crc32(data[at:end]):
        return 0
    return end + 4 - at


def _record(kind, body):
    data = bytes([len(body)]) + kind + body
    return data + pack("<I", crc32(data))


def _body(product_key, device_name, secret):
    sound("ProductKey", product_key, 1, 20, "")
    sound("DeviceName", device_name, 4, 32, "-_@.:")
    sound("DeviceSecret", secret, 1, 64)
    key = product_key.encode()
    return bytes([len(key)]) + key + bytes([len(device_name)]) + device_name.encode() + secret.encode()


def _parsed(body):
    """(ProductKey, DeviceName, DeviceSecret); empty texts where a body is none."""
    key = body[0] + 1 if body else 0
    name = key + 1 + body[key] if key < len(body) else 0
    try:
        return bytes(body[1:key]).decode(), bytes(body[key + 1 : name]).decode(), bytes(body[name:]).decode()
    except UnicodeError:
        return "", "", ""


def _key(name):
    return pack("<I", crc32(("%s/%s" % name).encode()))


def _search(table, key, row, end):
    """The first row from `row` on, before `end`, whose 4 bytes are `key`; -1 when there is none."""
    at = 4 * row
    while True:
        at = table.find(key, at, 4 * end)
        if at < 0 or not at & 3:
            return at >> 2
        at = (at & ~3) + 4
