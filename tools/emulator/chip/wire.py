"""How long bytes take on a serial wire: ten bits a byte, one after the other, each direction alone. Pure."""


class Wire:
    """One direction. `limit` is the fastest rate in bits a second, None for no limit at all."""

    BITS = 10  # start, eight data bits, stop

    def __init__(self, limit=None):
        self.limit = limit
        self.free_at = 0.0  # when the last byte taken has left the wire
        self.carried = 0  # bytes

    def carry(self, count, now, baud):
        """Take `count` bytes at time `now` (seconds); the time at which the last of them has arrived."""
        self.carried += count
        if self.limit is None:
            return now
        self.free_at = max(self.free_at, now) + count * self.BITS / min(baud, self.limit)
        return self.free_at
