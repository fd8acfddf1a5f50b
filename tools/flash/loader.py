"""A board in its loader: esptool's Python API behind read, write, erase and MD5.

Sectors are kept once they are read. The chip gives a sector's MD5 before it is read: a sector that is blank, or
that was announced by `expect`, need not come over the wire. Of a sector whose end is blank only the beginning does.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import esptool.cmds as esptool
import serial
from esp_pylib.logger import EspLog, EspLogBase
from esptool.util import FatalError, flash_size_bytes

from tools import chips
from tools.errors import UserError
from tools.flash import port as ports

SECTOR = 4096
_HEAD = 1024  # bytes: directories and NVS pages mostly hold less
_BLANK = b"\xff" * SECTOR
_BLANK_TAIL = hashlib.md5(_BLANK[_HEAD:]).hexdigest()
START_BAUD = 115200
_NOTHING = (0, 0xFFFFFF)  # the id of a flash chip that does not drive the line


class Loader:
    """One board in its loader; use it as a context manager.

    It has what a burn needs: `read`, `write`, `erase`, `size`. `mac` is
    "24:0a:c4:00:00:01", `chip` "esp32", "esp32s3" or "esp32c3" (or esptool's
    own name of another), `security` the names of what is switched on.
    `progress(done, total)` hears of the write that is going on.
    """

    chip: str
    title: str
    security: list[str]
    size: int

    def __init__(
        self,
        name: str,
        baud: int = 921600,
        connect_mode: str = "default-reset",
        attempts: int = 7,
        flash_size: int | None = None,
    ) -> None:
        """Connects and identifies; nothing is changed on the board yet. UserError when that fails.

        `flash_size`: bytes, for a flash whose id esptool does not know.
        """
        self.name = name
        self.progress: Callable[[int, int], object] = lambda done, total: None
        self.bytes_read = self.bytes_written = 0
        self._baud, self._given_size = baud, flash_size
        self._esp: Any = None  # esptool has no types
        self._sectors: dict[int, bytes] = {}
        self._expected = {hashlib.md5(_BLANK).hexdigest(): _BLANK}
        self._log, EspLog.instance = EspLog.instance, _Quiet(self)
        self._port: ports.Port | None = None
        try:
            self._port = ports.open_port(name, START_BAUD)
            with self._errors():
                self._esp = esptool.detect_chip(
                    self._port, START_BAUD, connect_mode, connect_attempts=attempts
                )
                self._identify()
        except BaseException:
            self.close()
            raise

    def _identify(self):
        esp = self._esp
        self.chip = chips.NAMES.get(esp.CHIP_NAME, esp.CHIP_NAME)
        self.title = esp.CHIP_NAME
        self.security = self._security()
        self.mac = None if esp.secure_download_mode else ":".join(f"{byte:02x}" for byte in esp.read_mac())

    def _security(self):
        esp = self._esp
        on = []
        if esp.secure_download_mode:
            on.append("secure download mode")
            info = esp.get_security_info()
            on += ["secure boot"] if info["parsed_flags"]["SECURE_BOOT_EN"] else []
            on += ["flash encryption"] if bin(info["flash_crypt_cnt"]).count("1") & 1 else []
            return on
        on += ["secure boot"] if esp.get_secure_boot_enabled() else []
        on += ["flash encryption"] if esp.get_flash_encryption_enabled() else []
        return on

    def start(self) -> None:
        """Brings up the stub, the rate and the flash. UserError."""
        with self._errors():
            self._esp = esptool.run_stub(self._esp)
            if self._baud != START_BAUD:
                self._esp.change_baud(self._baud)
            esptool.attach_flash(self._esp)
            found = esptool.detect_flash_size(self._esp)
            self._esp.WRITE_FLASH_ATTEMPTS = (
                1  # a port that went away is told at once, not retried for seconds
            )
            self.size = (
                flash_size_bytes(found) or self._given_size or self._unknown_size(self._esp.flash_id())
            )
        if self._given_size not in (None, self.size):
            raise UserError(
                f"the flash at {self.name} says that it has {self.size >> 20} MB, not {self._given_size >> 20}: "
                "leave --flash-size out"
            )

    def _unknown_size(self, number):
        """UserError says what answered instead of a flash that esptool knows."""
        if number in _NOTHING:
            raise UserError(
                f"the flash of the board at {self.name} does not answer (its id reads 0x{number:06x}): is it powered "
                "well enough, and is nothing else on its pins?"
            )
        raise UserError(
            f"the flash at {self.name} answers with the id 0x{number:06x} (maker 0x{number & 0xFF:02x}), and esptool "
            "does not know how large that is: say ARGS=--flash-size=4, or how many MB its data sheet names"
        )

    # --- flash

    def expect(self, sectors: Iterable[bytes]) -> None:
        """Announce sectors (4096 bytes each) that the flash probably holds: `read` recognises them by their MD5."""
        self._expected.update((hashlib.md5(sector).hexdigest(), bytes(sector)) for sector in sectors)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the flash."""
        first, end = offset - offset % SECTOR, offset + size
        data = b"".join(self._sector(at) for at in range(first, end, SECTOR))
        return data[offset - first : end - first]

    def _sector(self, at):
        if at not in self._sectors:
            known = self._expected.get(self.md5(at, SECTOR))
            if known is None:
                size = _HEAD if self.md5(at + _HEAD, SECTOR - _HEAD) == _BLANK_TAIL else SECTOR
                known = self._fetch(at, size).ljust(SECTOR, b"\xff")
            self._sectors[at] = known
        return self._sectors[at]

    def _fetch(self, at, size):
        with self._errors():
            data = self._esp.read_flash(at, size)
        self.bytes_read += size
        return data

    def md5(self, offset: int, size: int) -> str:
        """The MD5 of a region, in hex, computed on the chip."""
        with self._errors():
            return self._esp.flash_md5sum(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        """Write at the start of a sector, erasing what the data covers; verified by MD5. UserError."""
        self.write_all([(offset, data)])

    def write_all(self, regions: Sequence[tuple[int, bytes]]) -> None:
        """Write [(offset, data)] in this order."""
        for offset, data in regions:
            for at in range(offset, offset + len(data), SECTOR):
                self._sectors.pop(at, None)
        with self._errors():
            esptool.write_flash(self._esp, [(offset, bytes(data)) for offset, data in regions])
        self.bytes_written += sum(len(data) for _, data in regions)

    def erase(self, offset: int, size: int) -> None:
        """Erase whole sectors."""
        for at in range(offset, offset + size, SECTOR):
            self._sectors[at] = _BLANK
        with self._errors():
            self._esp.erase_region(offset, size)

    def erase_all(self) -> None:
        """Erase the whole chip."""
        self._sectors.clear()
        with self._errors():
            self._esp.erase_flash()

    # --- the end

    def reset(self) -> None:
        """Reset the board into its application; the port stays open if it survives that."""
        assert self._port
        try:
            if self._port.baudrate != START_BAUD:
                self._port.baudrate = START_BAUD
            esptool.reset_chip(self._esp, "hard-reset")
        except (serial.SerialException, OSError, FatalError):
            pass  # native USB goes away with the reset
        self._sectors.clear()

    def release(self) -> ports.Port:
        """The open port, which the caller has to close from now on."""
        port, self._port = self._port, None
        assert port
        return port

    def close(self) -> None:
        """Close the port; may be called twice."""
        EspLog.instance, self._log = self._log or EspLog.instance, None
        if self._port is not None:
            try:
                self._port.close()
            except OSError:
                pass
            self._port = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self._esp is not None and self._port is not None:
            self.reset()  # whatever went wrong, the board runs again if it can
        self.close()

    @contextmanager
    def _errors(self):
        """esptool's and pyserial's errors as one line."""
        try:
            yield
        except FatalError as error:
            raise UserError(_line(self.name, error)) from None
        except (serial.SerialException, OSError) as error:
            raise ports.PortError(
                f"the port {self.name} went away: {ports.reason(error)}; "
                "plug the board in again and start over"
            ) from None


def _line(name, error):
    text = str(error).split("\n")[0]
    if "Failed to connect" in text:
        return (
            f"no answer from a board at {name}: hold BOOT, press and release EN, then try again; "
            "or the port is not a board's"
        )
    if "MD5" in text or "written flash region" in text:
        return f"the flash at {name} reads back otherwise than it was written: {text}; the flash may be worn"
    return f"the board at {name} does not do as it is told: {text}"


class _Quiet(EspLogBase):
    """esptool's logger that prints nothing and passes its progress on."""

    def __init__(self, loader):
        self._loader = loader

    def progress_bar(self, cur_iter, total_iters, prefix="", suffix="", bar_length=30):
        self._loader.progress(cur_iter, total_iters)

    def print(self, *args, **kwargs):
        pass

    err = warn = note = hint = debug = warning = error = stage = set_verbosity = print
