"""What a device has to send, kept in order until the platform has acknowledged it: in memory, or in a file.

    outbox = Outbox(200, 16384, "/outbox")
    outbox.put("property", {"Temperature": 21.5}, time)     time in ms since 1970; None while the clock is not set
    entries.stamp(outbox, now)                              once it is: the time of what has none
    for number, kind, params, time, id in entries.head(outbox, 5):
        last = number                                       the oldest ones
    entries.sent(outbox, first, id, last)                   before the message goes out
    outbox.acknowledged(id)                                 when its reply has come

What was sent keeps its id and its time. It is to be sent again, as it was, when the connection ended before its
acknowledgement came; from a file also when the power went before the acknowledgement was written there.

`entries` is aliot.thing.entries. A file holds what put() has returned for wherever power goes: aliot.thing.outbox_file,
which says what a write costs.
Messages of property, event and history posts: application.md 3.2, 3.3 and 3.5.
"""

from struct import pack

from aliot import load
from aliot.thing.requests import dumped
from aliot.ticks import uptime
from micropython import const

_CLOCK = const(1000000000000)  # ms since 1970, in 2001: what is less is no time but an uptime
_LARGEST = const(60000)  # bytes of one entry


class Outbox:
    """At most `messages` entries of together `size` bytes; `path` names the file, None: they lie in memory.

    The oldest entries give way to a new one; `dropped` counts them: since power on, or since the file was made.
    `len(outbox)` is how many entries wait, `used` their bytes: an entry's JSON, its kind and 9 bytes.
    """

    def __init__(self, messages=20, size=4096, path=None):
        self.messages = messages
        self.size = size
        self.used = self.dropped = 0
        self.next = 1
        # of each entry: its number, the id that it was sent with or 0, its size, and it or where it lies in the file
        self.numbers = []
        self.ids = []
        self.sizes = []
        self.places = []
        self.times = {}  # number: its time, or the uptime() of its put; what is not here stands in the entry
        self.file = None
        if path:
            self.file = load("thing.outbox_file").File(self, path)

    def __len__(self):
        return len(self.numbers)

    def put(self, kind, params, time=None, id=0):
        """Keep `params` (what JSON can hold) of a `kind` (text) and return the entry's number; they rise by one.

        `id`: it is about to be sent with that id, which spares sent() and the write of its own. A `time` before 2001
        counts as none. ValueError: it is larger than the outbox; StoreError: the file does not take it. Either way
        nothing has changed.
        """
        mark = not time or time < _CLOCK
        if mark:
            time = uptime()
        kind = kind.encode()
        entry = pack("<qB", time, len(kind)) + kind + dumped(params).encode()
        size = len(entry)
        if size > min(self.size, _LARGEST):
            raise ValueError("%d bytes are more than the outbox holds" % size)
        number = self.next
        if self.file:
            entry = self.file.put(number, id, entry)
        self.add(number, id, size, entry)
        if mark:
            self.times[number] = time
        return number

    def acknowledged(self, id):
        """What was sent with this id has arrived; returns how many entries that ended, 0 for an id that nobody has."""
        found = 0
        for at in range(len(self.ids) - 1, -1, -1):
            if id and self.ids[at] == id:
                found += 1
                if self.file:
                    self.file.ended.append(self.numbers[at])
                self.remove(at)
        if found and self.file:
            self.file.later()
        return found

    def flush(self):
        """Write the acknowledgements that wait to be written with others; StoreError."""
        if self.file:
            self.file.flush()

    def add(self, number, id, size, place):
        """Take an entry in, for which the oldest make room."""
        while self.numbers and (len(self.numbers) >= self.messages or self.used + size > self.size):
            self.remove(0)
            self.dropped += 1
        self.numbers.append(number)
        self.ids.append(id)
        self.sizes.append(size)
        self.places.append(place)
        self.used += size
        self.next = max(self.next, number + 1)

    def remove(self, at):
        self.used -= self.sizes.pop(at)
        self.times.pop(self.numbers.pop(at), None)
        self.ids.pop(at)
        self.places.pop(at)
