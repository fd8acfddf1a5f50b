"""DTR and RTS on their way to the chip's EN and GPIO0, as a dev board wires them. Pure.

`bridge`: a USB bridge and two transistors. EN is low while RTS is on and DTR
off, GPIO0 while DTR is on and RTS off; both on or both off leaves both high. A
capacitor keeps EN low for a while, so that a host that sets the two lines one
after the other still finds GPIO0 low when EN rises. Over a network there are
tens of milliseconds between the two, so EN waits here for the next change of a
line, or for `settle()`, which is called after a pause.

`usb`: the chip's own USB Serial/JTAG (ESP32-S3 and C3 TRM, chapter 33: RTS 0
DTR 1 sets the download flag, both 0 clears it, RTS 1 DTR 0 resets the chip).
"""

HOLD, RUN, DOWNLOAD = "hold", "run", "download"
SETTLE = 0.5  # seconds after which EN has risen with both lines on


class Bridge:
    """Two transistors and a capacitor. Methods return HOLD, RUN, DOWNLOAD or None."""

    def __init__(self):
        self.dtr = self.rts = False
        self._held = False

    def set(self, dtr: bool | None = None, rts: bool | None = None) -> str | None:
        """A line changes; what that does to the chip."""
        self.dtr = self.dtr if dtr is None else dtr
        self.rts = self.rts if rts is None else rts
        if self.rts and not self.dtr:
            changed, self._held = not self._held, True
            return HOLD if changed else None
        if not self._held or (self.rts and self.dtr):
            return None
        self._held = False
        return DOWNLOAD if self.dtr else RUN

    @property
    def rising(self) -> bool:
        """EN was let go, but the capacitor holds it: `settle()` is due after SETTLE seconds."""
        return self._held and self.rts and self.dtr

    def settle(self) -> str | None:
        """EN has risen, with GPIO0 high."""
        if not self.rising:
            return None
        self._held = False
        return RUN


class Usb:
    """The USB Serial/JTAG peripheral."""

    rising = False

    def __init__(self):
        self.dtr = self.rts = False
        self._download = False

    def set(self, dtr: bool | None = None, rts: bool | None = None) -> str | None:
        before = (self.dtr, self.rts)
        self.dtr = self.dtr if dtr is None else dtr
        self.rts = self.rts if rts is None else rts
        if not self.rts:
            self._download = self.dtr
        elif not self.dtr and before != (False, True):
            return DOWNLOAD if self._download else RUN
        return None

    def settle(self) -> str | None:
        return None


STYLES = {"bridge": Bridge, "usb": Usb}
