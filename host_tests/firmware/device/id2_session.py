"""A recorded session on a small heap: what it takes of memory, found by the host (host_tests/id2)."""

import gc

from aliot import record
from aliot.id2 import SoftwareElement
from aliot.transport.itls import Stream
from scripted import unhex


class Deadline:
    def left(self):
        return 1000


class Wire:
    """Plays what the server sent; what is written is only counted."""

    timeout = 1000
    deadline = None

    def __init__(self, data):
        self._data = data
        self.count = 0

    def write(self, data):
        self.count += len(data)

    def readinto(self, view):
        count = min(len(view), len(self._data))
        view[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def ready(self, ms):
        return bool(self._data)

    def close(self):
        pass


class Credential:
    provisioning = None

    def check(self):
        pass

    spend = check


def handshake(session):
    """Play a session given as hex; prints the heap that the open link holds."""
    credential = Credential()
    credential.quota = credential
    credential.product_key = session["product_key"]
    credential.element = SoftwareElement(
        {
            record.ID2: session["id2"].encode(),
            record.ID2_KEY: unhex(session["key"]),
            record.ID2_KEY_TYPE: b"AES_%d" % (4 * len(session["key"])),
        }
    )
    draws = [unhex(value) for value in session["draws"]]
    gc.collect()
    before = gc.mem_alloc()
    stream = Stream(Wire(unhex(session["received"])), credential, lambda size: draws.pop(0))
    stream.deadline = Deadline()
    stream.handshake()
    stream.write(unhex(session["connect"]))
    assert stream.read(4) == b"\x20\x02\x00\x00"
    gc.collect()
    print("held", gc.mem_alloc() - before)
