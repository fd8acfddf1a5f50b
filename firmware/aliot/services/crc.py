"""The check of a whole file that goes over MQTT, CRC-64/XZ; application.md 12."""

from array import array

from aliot.services.crc16 import shifted
from micropython import const

_POLY64 = const(0xC96C5795D7870F42)
_BITS = const(21)
_MASK = const(0x1FFFFF)


class Crc64:
    """CRC-64/XZ of what update() is given piece by piece; `text()` is its 16 lower-case hex digits.

    It is kept in three numbers, which a chip holds without its heap.
    """

    def __init__(self):
        table = [shifted(index, _POLY64) for index in range(16)]
        self.highs = array("I", [one >> 2 * _BITS for one in table])
        self.middles = array("I", [one >> _BITS & _MASK for one in table])
        self.lows = array("I", [one & _MASK for one in table])
        self.high = 0x3FFFFF
        self.middle = self.low = _MASK

    def update(self, data):
        highs, middles, lows = self.highs, self.middles, self.lows
        high, middle, low = self.high, self.middle, self.low
        for byte in data:
            for digit in (byte, byte >> 4):
                at = (low ^ digit) & 15
                low = (low >> 4 | (middle & 15) << 17) ^ lows[at]
                middle = (middle >> 4 | (high & 15) << 17) ^ middles[at]
                high = high >> 4 ^ highs[at]
        self.high, self.middle, self.low = high, middle, low

    def text(self):
        crc = (self.high << _BITS | self.middle) << _BITS | self.low
        return "%016x" % (crc ^ 0xFFFFFFFFFFFFFFFF)
