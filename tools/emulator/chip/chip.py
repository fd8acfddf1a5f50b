"""The chip itself: off, held in reset, in its loader, in the ROM's loop over a blank flash, or running.

Everything happens in one thread; whoever owns the line calls `receive`,
`set_lines` and `set_baud`, and hands in how to transmit and how to wait.
"""

from tools.emulator.chip import pins, rom
from tools.emulator.chip.loader import Loader
from tools.emulator.chip.nor import PowerCut
from tools.emulator.chip.registers import Registers
from tools.emulator.chip.slip import Decoder, encode
from tools.errors import UserError

OFF, HELD, DOWNLOAD, LOOP, RUNNING = "off", "held in reset", "download", "no application", "running"
CONSOLE_BAUD = 115200
_BAUD_TOLERANCE = 0.04  # of a UART: two thirds of a bit over ten bits
_WATCHDOG_PERIOD = 0.4  # seconds until a ROM without bootloader starts over
_DATA_COMMANDS = (0x03, 0x11)
# what the ROM knows of a reset -> what `machine.reset_cause()` says of it
_CAUSES = {"power": 1, "watchdog": 1, "software": 2, "task watchdog": 3, "deep sleep": 4}
_ENDS = {"reset": "software", "watchdog": "task watchdog", "deep sleep": "deep sleep"}


class Chip:
    """One chip.

    `application(cause, transmit, ended)` makes what runs from flash, cause being
    that of `machine.reset_cause()`: an object with `write(bytes)` and `stop()`;
    it calls `transmit(bytes)` and `ended(reason)`. None: nothing runs, the chip stays silent. `faults`:
    "bad-md5" a number of answers; "stall", "disconnect" a number of data blocks.
    """

    def __init__(
        self,
        model,
        nor,
        efuses,
        *,
        style="bridge",
        application=None,
        faults=None,
        log=lambda text: None,
        boot_blank=False,
    ):
        self.model, self.nor, self.efuses = model, nor, efuses
        self.pins = pins.STYLES[style]()
        self.style = style
        self.faults = dict(faults or {})
        self.state = OFF
        self.cut = None  # where power went, once it has
        self.data_blocks = 0
        self.transmit = lambda data: None  # bytes to the host
        self.detach = lambda: None  # the port goes away
        self.off = lambda: None  # power went by itself
        self.later = lambda delay, call: None  # call it after `delay` seconds; gives back something to cancel
        self._make_application = application
        self._boot_blank = boot_blank
        self._application = None
        self._generation = 0  # grows with each reset, so that what is late is ignored
        self._host_baud = CONSOLE_BAUD
        self._uart_baud = None
        self._log = log

    # --- power and reset

    def power_on(self) -> None:
        """Power comes: it boots from flash."""
        self.cut = None
        self._start("power", download=False)

    def power_off(self) -> None:
        """Power goes, whatever it was doing."""
        self._stop()
        self.state = OFF

    def set_lines(self, dtr: bool | None = None, rts: bool | None = None) -> None:
        """The host set DTR or RTS (True: on)."""
        self._react(self.pins.set(dtr, rts))
        if self.pins.rising:
            generation = self._generation
            self.later(
                pins.SETTLE, lambda: generation == self._generation and self._react(self.pins.settle())
            )

    def _react(self, what):
        if what is None or self.state == OFF:
            return
        if what == pins.HOLD:
            self._stop()
            self.state = HELD
            return
        self._start("power", download=what == pins.DOWNLOAD)
        if self.style == "usb" and what == pins.RUN:
            self.detach()  # the application brings up a USB device of its own

    def _start(self, cause, download):
        self._stop()
        self.efuses.reset()
        if download and not self.efuses.security["download_disabled"]:
            self._enter_loader(cause)
            return
        encrypted = bin(self.efuses.security["crypt_count"]).count("1") & 1 == 1
        obstacle = rom.obstacle(self.model, self.nor, encrypted)
        self.transmit(rom.banner(self.model, cause))
        if obstacle and (encrypted or not self._boot_blank):
            self._loop(obstacle)
        else:
            self._run(cause)

    def _enter_loader(self, cause):
        self.state = DOWNLOAD
        self._uart_baud = None
        registers = Registers(self.model, self.efuses, self.nor, on_watchdog=self._watchdog)
        self._registers = registers
        self._loader = Loader(self.model, self.efuses, self.nor, registers, self.faults)
        self._decoder = Decoder()
        self._log("reset into the ROM loader")
        self.transmit(rom.banner(self.model, cause, download=True))

    def _loop(self, obstacle):
        if self.state != LOOP:
            self._log("no application in flash: the ROM or the bootloader says so over and over")
        self.state = LOOP
        self.transmit(obstacle)
        self._after(_WATCHDOG_PERIOD, lambda: self._start("watchdog", download=False))

    def _run(self, cause):
        self.state = RUNNING
        if self._make_application is None:
            self._log("would run its application now; none is emulated")
            return
        self._log(
            "boots MicroPython of this machine on the NVS and littlefs in its flash; "
            "the application in flash is not executed"
        )
        generation = self._generation
        try:
            self._application = self._make_application(
                _CAUSES[cause],
                lambda data: generation == self._generation and self.transmit(data),
                lambda reason: generation == self._generation and self._ended(reason),
            )
        except UserError as error:
            self._log(f"it does not start: {error}")

    def _ended(self, reason):
        self._application = None
        if reason == "power cut":
            self._lose_power(f"at flash operation {self.nor.operations}")
        elif reason in _ENDS:
            self._log(f"its software ended in a {reason}")
            self._start(_ENDS[reason], download=False)
        else:
            self._log(f"its software ended: {reason}")

    def _stop(self):
        self._generation += 1
        if self._application is not None:
            self._application.stop()
            self._application = None

    def _lose_power(self, where):
        self.cut = where
        self.power_off()
        self._log(f"power cut {where}")
        self.detach()
        self.off()

    def _watchdog(self):
        self._after(0.05, lambda: self._start("watchdog", download=False))

    def _after(self, delay, call):
        generation = self._generation
        self.later(delay, lambda: generation == self._generation and call())

    # --- the line

    def set_baud(self, rate: int) -> None:
        """The host's rate."""
        self._host_baud = rate

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        if self.state == RUNNING and self._application is not None:
            self._application.write(data)
        elif self.state == DOWNLOAD and self._in_step():
            for frame in self._decoder.feed(data):
                self._frame(frame)

    def _in_step(self):
        """Whether host and chip agree on the rate; the ROM takes the host's until it was told one."""
        if self._uart_baud is None:
            return True
        return abs(self._host_baud - self._uart_baud) <= _BAUD_TOLERANCE * self._uart_baud

    def _frame(self, frame):
        if self._uart_baud is None:
            self._uart_baud = self._registers.baud = self._host_baud
        if len(frame) > 1 and frame[0] == 0 and frame[1] in _DATA_COMMANDS and not self._data_command():
            return
        try:
            events = self._loader.frame(frame)
        except PowerCut as cut:
            self._lose_power(str(cut))
            return
        for event, value in events:
            if event == "send":
                self._send(value)
            elif event == "baud":
                self._uart_baud = value
                self._registers.baud = value
            elif event == "run":
                self._after(0, lambda cause=value: self._start(cause, download=False))

    def _data_command(self):
        """Counts a block of flash data; False when a fault keeps the chip from taking it."""
        self.data_blocks += 1
        if self.data_blocks == self.faults.get("disconnect"):
            self.detach()
            return False
        stall = self.faults.get("stall")
        return stall is None or self.data_blocks < stall

    def _send(self, frame):
        if self._in_step():
            self.transmit(encode(frame))
