"""Finding and opening a board's serial port; whatever is wrong with it is one line with the cure."""

import errno
import threading
import time
from typing import Any, TypeAlias

import serial
import serial.rfc2217
from serial.tools import list_ports

from tools.errors import UserError


class PortError(UserError):
    """A port that cannot be opened, or that went away: nothing is said against the board behind it."""


# USB bridges and chips of ESP32 boards: (vendor, product or None)
_BRIDGES = {(0x10C4, None), (0x1A86, None), (0x0403, None), (0x067B, None), (0x303A, None)}
_BUSY = "the port is busy: another program has it (a monitor, mpremote, another make flash); close that"
_CURES = {
    errno.EACCES: "permission denied: 'sudo usermod -a -G dialout $USER' (Arch: uucp), then log in again",
    errno.EPERM: "permission denied: 'sudo usermod -a -G dialout $USER' (Arch: uucp), then log in again",
    errno.ENOENT: "there is no such port: is the board plugged in, with a cable that carries data?",
    errno.ENXIO: "there is no such port: is the board plugged in, with a cable that carries data?",
    errno.EBUSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.ECONNREFUSED: "nobody listens there: is 'make board' or the RFC 2217 server running?",
}

Port: TypeAlias = serial.Serial | serial.rfc2217.Serial


def plugged_in() -> list[tuple[str, str]]:
    """The ports that look like a board: [(name, description)]."""
    found = [port for port in list_ports.comports() if port.vid is not None]
    known = [port for port in found if (port.vid, None) in _BRIDGES or (port.vid, port.pid) in _BRIDGES]
    return [(port.device, port.description or "") for port in sorted(known, key=lambda port: port.device)]


def choose(named: str | None = None) -> str:
    """The port to use: the one named, or with "auto" too the only one plugged in. UserError lists what there is."""
    if named and named != "auto":
        return named
    found = plugged_in()
    if len(found) == 1:
        return found[0][0]
    if not found:
        raise UserError("no board is plugged in; say PORT=/dev/ttyUSB0 or another name, or a pyserial URL")
    listed = ", ".join(f"{name} ({text})" for name, text in found)
    raise UserError(f"{len(found)} boards are plugged in: {listed}; say PORT=")


def open_port(name: str, baud: int = 115200, timeout: float = 3.0) -> Port:
    """An open pyserial port; UserError when it cannot be had."""
    try:
        if name.startswith("rfc2217://"):
            port: Any = NetworkPort()
            port.port, port.baudrate, port.timeout = name, baud, timeout
        else:
            port = serial.serial_for_url(
                name, do_not_open=True, baudrate=baud, timeout=timeout, exclusive=True
            )
        port.open()
        return port
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortError(f"cannot open {name}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What went wrong with a port, in words."""
    number = getattr(error, "errno", None)
    text = str(error)
    if number is None:
        number = next((code for code in _CURES if f"[Errno {code}]" in text), None)
    if "exclusively lock" in text:
        number = errno.EBUSY
    if "does not seem to support RFC2217" in text:
        return "it does not answer as an RFC 2217 port: somebody else has it, or it is something else"
    return _CURES.get(number or 0) or text.split("\n")[0] or type(error).__name__


class NetworkPort(serial.rfc2217.Serial):
    """pyserial's RFC 2217 client for many bytes and many short exchanges.

    pyserial negotiates the whole port anew for each new timeout, which nobody at
    the far end needs to know, and queues each byte by itself.
    """

    @property
    def timeout(self) -> float | None:
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    @property
    def _read_buffer(self):
        return self._bytes

    @_read_buffer.setter
    def _read_buffer(self, queue):
        self._bytes = None if queue is None else _Bytes()

    def read(self, size: int = 1) -> bytes:
        """As pyserial's: up to `size` bytes, fewer when the timeout is over."""
        if not self.is_open:
            raise serial.serialutil.PortNotOpenError()
        data = self._bytes.take(size, self._timeout)
        if not data and size and self._bytes.ended:
            raise serial.SerialException("the connection was closed")
        return data


class _Bytes:
    """What pyserial's reader puts in byte by byte, taken out in one go."""

    def __init__(self):
        self._data = bytearray()
        self._wanted = 1
        self._change = threading.Condition()
        self.ended = False

    def put(self, byte):
        with self._change:
            if byte is None:
                self.ended = True
            else:
                self._data += byte
            if self.ended or len(self._data) >= self._wanted:
                self._change.notify_all()

    def qsize(self):
        return len(self._data)

    def get(self, block=True, timeout=None):
        return self.take(1, timeout if block else 0) or None

    def take(self, size, timeout):
        """Up to `size` bytes within `timeout` seconds (None: for ever)."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._change:
            self._wanted = size
            while len(self._data) < size and not self.ended:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._change.wait(left)
            data = bytes(self._data[:size])
            del self._data[:size]
        return data
