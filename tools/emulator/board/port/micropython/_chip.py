"""What the emulated chip is made of on MicroPython's Unix port."""

import ffi
import io
import select
import usocket
import vfs
from micropython import const

# exit statuses that tell the host how the board stopped
RESET = const(41)
SOFT_RESET = const(42)
RAW_RESET = const(43)  # a soft reset that stays in the raw REPL
POWER_CUT = const(44)
DEEP_SLEEP = const(45)

EPOCH = const(946684800)  # 2000-01-01, where the chip's clock begins

_host = vfs.VfsPosix()
_libc = ffi.open(None)
stop = _libc.func("v", "_exit", "i")  # at once, like power going: nothing is unwound
raw_socket = usocket.socket
Stream = io.IOBase
settings = {}
wlan = None  # the station, once `network` made it
heaps = None  # the module, where two heaps are modelled
latest = None  # the socket that was made last
share = 0  # bytes of the heap that the port takes


def open(path, mode="rb"):
    """A file of the host, whatever is mounted at '/'."""
    return _host.open(path, mode)


def size(path):
    """Size of a host file in bytes, or -1 if there is none."""
    try:
        return _host.stat(path)[6]
    except OSError:
        return -1


def remove(path):
    """Delete a host file."""
    _host.remove(path)


def linked():
    """Is there a network: joined to an access point that is still there."""
    return "wired" in settings or wlan is not None and wlan.isconnected()


def address(host, port):
    """What the host's connect() takes."""
    return usocket.getaddrinfo(host, port)[0][-1]


def poll(raw, flags):
    """Which of `flags` are so for the host socket now."""
    poller = select.poll()
    poller.register(raw, flags)
    found = poller.poll(0)
    return found[0][1] if found else 0


def map_file(path, write=False):
    """A host file as memory outside the heap; with `write` the host sees at once what is put there."""
    import uctypes

    protection, flags = (3, 1) if write else (1, 2)
    with _host.open(path, "r+b" if write else "rb") as file:
        length = file.seek(0, 2)
        return uctypes.bytearray_at(
            _libc.func("P", "mmap", "PLiiiL")(0, length, protection, flags, file.fileno(), 0), length
        )


def end_with_parent():
    """No board goes on when the program that started it has ended."""
    _libc.func("i", "prctl", "iL")(1, 9)


def alarm(ms):
    """End the process by SIGALRM unless called again within `ms`; 0 calls it off."""
    timer = bytes(16) + (ms // 1000).to_bytes(8, "little") + (ms % 1000 * 1000).to_bytes(8, "little")
    _libc.func("i", "setitimer", "iPP")(0, timer, None)


def read_byte():
    """The next byte from the console, b"" when nobody can send any more."""
    import sys

    return sys.stdin.buffer.read(1)


def read_line():
    """The next line from the console."""
    import sys

    return sys.stdin.buffer.readline()


def write(data):
    """Bytes to the console."""
    import sys

    sys.stdout.buffer.write(data)


def interruptible():
    """From now on the console's Ctrl-C is a KeyboardInterrupt."""
    import micropython

    micropython.kbd_intr(3)


def run_file(name, names):
    """Compile and run a file of the board."""
    execfile(name, names)
