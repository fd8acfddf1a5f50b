"""`machine.Pin`: a pin that only remembers its level, so that an example that blinks runs."""


class Pin:
    IN = 1
    OUT = 3
    PULL_UP = 2
    PULL_DOWN = 1

    def __init__(self, id, mode=-1, pull=-1, value=0):
        self._level = value

    def value(self, level=None):
        if level is None:
            return self._level
        self._level = int(bool(level))

    __call__ = value

    def on(self):
        self._level = 1

    def off(self):
        self._level = 0
