"""How often a device may do what costs, counted over any 24 hours, across resets (id2.md 1.4, 1.6)."""

import struct
import time

from aliot.errors import AliotError
from micropython import const

_DAY = const(86400)


class Quota:
    """`limit` times in any 24 hours, so in any calendar day of any time zone.

    `nvs` reads and writes a blob (aliot.store.Nvs) under `key`: the last times, u32 LE each. `clock` gives
    seconds. Where it stands behind what is kept (it was never set, or it was wrong), what is kept counts
    from now on, so that the limit holds but no wait is longer than a day. Without NVS it counts until the
    next reset.
    """

    def __init__(self, nvs, key, limit, clock=time.time):
        self._nvs = nvs
        self._key = key
        self._limit = limit
        self._clock = clock
        self._times = None

    def check(self):
        """The time in seconds; AliotError `id2.quota`, to be tried later, when none is left."""
        now = int(self._clock())
        if self._times is None:
            self._times = self._kept()
        self._times = [min(now, at) for at in self._times]
        wait = self._times[-self._limit] + _DAY - now if len(self._times) >= self._limit else 0
        if wait > 0:
            raise AliotError("%d in 24 hours, the next in %d s" % (self._limit, wait), "id2.quota", "later")
        return now

    def spend(self):
        """Count one, before it is made; raises as `check` does."""
        now = self.check()
        self._times = self._times[1 - self._limit :] + [now]
        try:
            self._nvs.write(self._key, struct.pack("<%dI" % len(self._times), *self._times))
        except OSError:
            pass

    def _kept(self):
        try:
            data = self._nvs.read(self._key) or b""
        except OSError:
            data = b""
        return struct.unpack_from("<%dI" % (len(data) // 4), data)
