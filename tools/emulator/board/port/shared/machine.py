"""The chip's `machine`, as far as firmware for the network needs it."""

import _chip
import time

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5


def unique_id():
    """The base MAC, 6 bytes."""
    return bytes([int(digits, 16) for digits in _chip.settings["mac"].split(":")])


def reset_cause():
    return _chip.settings.get("cause", PWRON_RESET)


def reset():
    """Never returns: the host starts the board again with cause 2."""
    _chip.stop(_chip.RESET)


def soft_reset():
    """Never returns: the host starts the board again with cause 5, still joined to its access point."""
    _chip.stop(_chip.SOFT_RESET)


def deepsleep(ms=0):
    """Never returns: the host starts the board again with cause 4 when the time is over."""
    _chip.stop(_chip.DEEP_SLEEP)


def lightsleep(ms=1):
    time.sleep_ms(ms)


idle = lightsleep


class RTC:
    """The clock that TLS reads too, and memory; both outlive a reset, not the power."""

    def datetime(self, fields=None):
        """(year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        if fields is None:
            now = time.gmtime()
            return now[:3] + (now[6],) + now[3:6] + (0,)
        seconds = time.mktime((fields[0], fields[1], fields[2], fields[4], fields[5], fields[6], 0, 0))
        path = _chip.settings["clock"]
        with _chip.open(path) as file:
            shift = int(file.read())
        shift += seconds - time.time()
        with _chip.open(path, "wb") as file:
            file.write(b"%+d\n" % shift)

    init = datetime

    def memory(self, data=None):
        """Bytes kept, or keep these (at most 2048)."""
        path = _chip.settings["rtc"]
        if data is None:
            with _chip.open(path) as file:
                return file.read()
        if len(data) > 2048:
            raise ValueError("buffer too long")
        with _chip.open(path, "wb") as file:
            file.write(data)


class WDT:
    """Resets the board (cause 3) when not fed for `timeout` ms of the host's time; cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._timeout = timeout
        self.feed()

    def feed(self):
        _chip.alarm(self._timeout)


def __getattr__(name):
    if name == "Pin":
        from machine_pin import Pin

        return Pin
    raise AttributeError(name)
