"""MicroPython's `select`: polls objects by their ioctl(), so that bytes buffered in TLS count."""

import select as host
import time

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_SLICE = 20  # ms between two looks at streams that no file number tells of


class poll:
    """`poll(ms)` gives [(object, flags)] of what is ready, in the order of registration."""

    def __init__(self):
        self._wanted = {}

    def register(self, thing, flags=POLLIN | POLLOUT):
        self._wanted[id(thing)] = [thing, flags]

    def unregister(self, thing):
        self._wanted.pop(id(thing), None)

    def modify(self, thing, flags):
        if id(thing) not in self._wanted:
            raise OSError(2)
        self._wanted[id(thing)][1] = flags

    def poll(self, ms=-1):
        ends = None if ms is None or ms < 0 else time.monotonic() + ms / 1000
        while True:
            ready = [
                (thing, found) for thing, flags in self._wanted.values() if (found := _look(thing, flags))
            ]
            left = None if ends is None else ends - time.monotonic()
            if ready or left is not None and left <= 0:
                return ready
            self._wait(_SLICE if left is None else min(_SLICE, left * 1000))

    def ipoll(self, ms=-1, flags=0):
        return iter(self.poll(ms))

    def _wait(self, ms):
        poller = host.poll()
        for thing, flags in self._wanted.values():
            if thing.fileno() >= 0:
                poller.register(thing.fileno(), flags)
        if poller.poll(ms):
            # ready for the host, not for the board: it is out of the radio's reach, or half a TLS record
            host.poll().poll(1)  # not time.sleep(), which libfaketime breaks


def _look(thing, flags):
    found = thing.ioctl(3, flags)
    return found if found > 0 else 0
