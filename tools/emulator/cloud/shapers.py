"""What a fault does to the bytes of an answer: cuts them off, delays them, lets them through by drops."""


class Shaper:
    """Stands between an answer and `out`; `when_empty` is called once nothing is held back."""

    def __init__(self, link, out, fault):
        self.link, self.out, self.fault = link, out, fault
        self.held = bytearray()
        self.when_empty = None

    def busy(self) -> bool:
        return bool(self.held)

    def emptied(self) -> None:
        if self.when_empty and not self.held:
            todo, self.when_empty = self.when_empty, None
            todo()


class Cut(Shaper):
    """Lets exactly `bytes` bytes through, then ends the connection."""

    def __init__(self, link, out, fault):
        super().__init__(link, out, fault)
        self.left = fault["bytes"]

    def write(self, data: bytes) -> None:
        piece = bytes(data[: self.left])
        self.left -= len(piece)
        if piece:
            self.out(piece)
        if not self.left:
            self.link.end(self.fault["end"])


class Delay(Shaper):
    """Holds everything back until `ms` after the first byte."""

    due = None

    def write(self, data: bytes) -> None:
        if self.due is None:
            self.due = self.link.loop.call_later(self.fault["ms"] / 1000, self.release)
        if self.due is False:
            self.out(data)
        else:
            self.held += data

    def release(self) -> None:
        self.due = False
        data, self.held = bytes(self.held), bytearray()
        self.out(data)
        self.emptied()


class Trickle(Shaper):
    """Lets `bytes` bytes through every `ms`."""

    timer = None

    def write(self, data: bytes) -> None:
        self.held += data
        if self.timer is None:
            self.drip()

    def drip(self) -> None:
        size = self.fault["bytes"]
        piece, self.held = bytes(self.held[:size]), self.held[size:]
        self.timer = self.link.loop.call_later(self.fault["ms"] / 1000, self.drip) if self.held else None
        self.out(piece)
        self.emptied()


SHAPERS = {"cut": Cut, "delay": Delay, "trickle": Trickle}
