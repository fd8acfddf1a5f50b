"""The sub-devices of a gateway: 11 bytes of RAM each, and what flash says of one.

The tables are chunks of 32 rows, so that they grow without a copy: where in the file the records of its rows begin
(u32 LE each), CRC-32s of their names (u32 LE), their last logins (u16 LE, aliot.gateway.rates), their states (u8).
aliot.gateway.records and the modules below it write the file and read it whole; they are loaded for that and dropped.
"""

from binascii import crc32

from aliot.errors import StoreError
from micropython import const

ATTACHED = const(1)
ONLINE = const(2)
WANTED = const(4)  # to be online whenever the gateway is
DISABLED = const(8)
REFUSED = const(16)  # not tried again before something has changed
GONE = const(32)  # to be dropped
FILED = const(64)  # attached, as the file says

ROWS = const(32)  # of a chunk
CHUNK = const(352)  # bytes
KEYS = const(128)  # where in a chunk the keys begin,
TIMES = const(256)  # their last logins
STATES = const(320)  # and their states
LONGEST = const(261)  # bytes of a record


class Rows:
    """Rows 0 to count - 1, one for each sub-device whose secret is stored; a drop may move the last row.

    `limit` bounds them. StoreError when littlefs does not give what it should.
    """

    size = 0  # bytes of the file
    dead = 0  # of them no longer needed
    torn = False  # something in it is no record
    left = 0  # sub-devices in it for which there was no room here,
    problem = None  # and why
    online = False  # the device is: of memory, what that takes is taken
    file = None  # open for reading

    def __init__(self, path="/aliot/subdevices", limit=1500):
        self.path = path
        self.limit = limit
        self.count = 0
        self.chunks = []

    def find(self, name):
        """The row of (ProductKey, DeviceName), -1 when it has none."""
        key = key_of(name).to_bytes(4, "little")
        row = -1
        while True:
            row = self.search(key, KEYS, row + 1)
            if row < 0 or self.entry(row)[:2] == name:
                return row

    def search(self, value, column, row=0):
        """The first row from `row` on whose 4 bytes in a column (0 or KEYS) are `value`; -1 when there is none."""
        while row < self.count:
            at = self.chunks[row >> 5].find(value, column + 4 * (row & 31), column + KEYS)
            if at < 0:
                row = (row | 31) + 1
            else:
                row = (row & ~31) + (at - column + 3 >> 2)
                if not at & 3:
                    return row if row < self.count else -1
        return -1

    def entry(self, row):
        """(ProductKey, DeviceName, DeviceSecret) of a row, from flash. The last is not to be printed."""
        return fields(self.body(row))

    def body(self, row):
        """The bytes of a row's record that are its own."""
        try:
            if not self.file:
                self.file = open(self.path, "rb")
            self.file.seek(self.get(row, 0, 4))
            data = self.file.read(LONGEST)
        except OSError as problem:
            raise StoreError("%s: error %s" % (self.path, problem.args[0]))
        size = data and checked(data, 0)
        if not size:
            raise StoreError("%s: a record is spoiled" % self.path)
        return data[2 : size - 4]

    def close(self):
        """Give back what an open file takes of the heap; it is opened again when it is read."""
        if self.file:
            self.file.close()
            self.file = None

    def state(self, row):
        return self.chunks[row >> 5][STATES + (row & 31)]

    def change(self, row, drop, add=0):
        """Take the bits `drop` out of a row's state and put `add` in."""
        self.chunks[row >> 5][STATES + (row & 31)] = self.state(row) & ~drop | add

    def number(self, bit):
        """How many rows have that bit in their state."""
        count = 0
        for row in range(self.count):
            if self.state(row) & bit:
                count += 1
        return count

    def get(self, row, column, size):
        """The number of so many bytes that a row has in a column."""
        at = column + size * (row & 31)
        return int.from_bytes(self.chunks[row >> 5][at : at + size], "little")

    def put(self, row, column, size, value):
        at = column + size * (row & 31)
        self.chunks[row >> 5][at : at + size] = value.to_bytes(size, "little")


def key_of(name):
    return crc32(name[1].encode(), crc32(name[0].encode()))


def checked(data, at):
    """The length of the whole record that begins there, 0 when there is none."""
    end = at + data[at] + 2
    if end + 4 > len(data) or int.from_bytes(data[end : end + 4], "little") != crc32(data[at:end]):
        return 0
    return end + 4 - at


def fields(body):
    """(ProductKey, DeviceName, DeviceSecret) of a record's body; IndexError or UnicodeError where it is none."""
    key = body[0] + 1
    name = key + 1 + body[key]
    return body[1:key].decode(), body[key + 1 : name].decode(), body[name:].decode()
