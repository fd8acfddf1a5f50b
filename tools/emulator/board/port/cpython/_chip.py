"""What the emulated chip is made of on CPython: settings, host files, sockets, the end of the process."""

import builtins
import ctypes
import errno
import mmap
import os
import select
import signal
import socket
import sys
import types

# exit statuses that tell the host how the board stopped
RESET = 41
SOFT_RESET = 42
RAW_RESET = 43  # a soft reset that stays in the raw REPL
POWER_CUT = 44
DEEP_SLEEP = 45

EPOCH = 946684800  # 2000-01-01, where the chip's clock begins

stop = os._exit  # at once, like power going: nothing is unwound
Stream = object
settings = {}
wlan = None  # the station, once `network` made it
heaps = None  # the module, where two heaps are modelled
latest = None  # the socket that was made last
share = 0  # bytes of the heap that the port takes
board_builtins = types.ModuleType("builtins")  # what runs on the board sees these
chip_builtins = vars(board_builtins)


def open(path, mode="rb"):
    """A file of the host."""
    return builtins.open(path, mode, buffering=0)


def map_file(path, write=False):
    """A host file as memory; with `write` the host sees at once what is put there."""
    with builtins.open(path, "r+b" if write else "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)


def size(path):
    """Size of a host file in bytes, or -1 if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def remove(path):
    """Delete a host file."""
    os.remove(path)


def linked():
    """Is there a network: joined to an access point that is still there."""
    return "wired" in settings or wlan is not None and wlan.isconnected()


def address(host, port):
    """What the host's connect() takes."""
    return (host, port)


def poll(raw, flags):
    """Which of `flags` are so for the host socket now."""
    poller = select.poll()
    poller.register(raw.fileno(), flags)
    found = poller.poll(0)
    return found[0][1] if found else 0


def end_with_parent():
    """No board goes on when the program that started it has ended."""
    ctypes.CDLL(None).prctl(1, 9)


def alarm(ms):
    """End the process by SIGALRM unless called again within `ms`; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, ms / 1000)


def read_byte():
    """The next byte from the console, b"" when nobody can send any more."""
    return os.read(0, 1)


def read_line():
    """The next line from the console."""
    return sys.stdin.buffer.readline()


def write(data):
    """Bytes to the console."""
    sys.stdout.flush()
    while data:
        data = data[os.write(1, data) :]


def interruptible():
    """From now on the console's Ctrl-C is a KeyboardInterrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_file(name, names):
    """Compile and run a file of the board."""
    with chip_builtins["open"](name) as file:
        source = file.read()
    names["__builtins__"] = chip_builtins
    exec(compile(source, name, "exec"), names)


class Reading:
    """MicroPython's reads of a stream, over `_piece(size)`: some bytes, b"" at the end, None if none yet."""

    def read(self, size=-1):
        """Exactly `size` bytes, fewer at the end, None when none is there and nothing may block."""
        data = b""
        while size < 0 or len(data) < size:
            piece = self._piece(4096 if size < 0 else size - len(data))
            if piece is None:
                return data or None
            if not piece:
                break
            data += piece
        return data

    def readinto(self, buffer, size=None):
        data = self.read(len(buffer) if size is None else size)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            piece = self.read(1)
            if not piece:
                break
            line += piece
        return line


class raw_socket(Reading):
    """The host's socket with the Unix port's methods and errors."""

    def __init__(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, host=None):
        self._socket = host or socket.socket(family, kind)
        for name in ("bind", "listen", "connect", "setsockopt", "setblocking", "fileno", "close", "sendto"):
            setattr(self, name, self._numbered(getattr(self._socket, name)))
        self.send = self._numbered(self._socket.send)
        self.recv = self._numbered(self._socket.recv)
        self.recvfrom = self._numbered(self._socket.recvfrom)
        self.accept = self._numbered(self._accept)
        self.settimeout = self._socket.settimeout

    def write(self, data):
        view, done = memoryview(data.encode() if isinstance(data, str) else data).cast("B"), 0
        while done < len(view):
            try:
                done += self.send(view[done:])
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                return done or None
        return done

    def _piece(self, size):
        try:
            return self.recv(size)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            return None

    def _accept(self):
        host, peer = self._socket.accept()
        return raw_socket(host=host), peer

    def _numbered(self, call):
        def numbered(*arguments):
            try:
                return call(*arguments)
            except TimeoutError as error:
                raise OSError(error.errno or errno.ETIMEDOUT, "timed out") from None

        return numbered
