"""What the emulated chip is made of on MicroPython's Unix port: settings, host files, the end of the process."""

import ffi
import json
import vfs
from micropython import const

# exit statuses that tell the host how the board stopped
RESET = const(41)
SOFT_RESET = const(42)
RAW_RESET = const(43)       # a soft reset that stays in the raw REPL
POWER_CUT = const(44)
DEEP_SLEEP = const(45)

EPOCH = const(946684800)    # 2000-01-01, where the chip's clock begins

_host = vfs.VfsPosix()
_libc = ffi.open(None)
stop = _libc.func("v", "_exit", "i")        # at once, like power going: nothing is unwound
_setitimer = _libc.func("i", "setitimer", "iPP")
settings = {}


def open(path, mode="rb"):
    """A file of the host, whatever is mounted at '/'."""
    return _host.open(path, mode)


def size(path):
    """Size of a host file in bytes, or None if there is none."""
    try:
        return _host.stat(path)[6]
    except OSError:
        return None


def load(path):
    """Read the board's settings from the JSON file `path`."""
    with open(path) as file:
        settings.update(json.load(file))


def alarm(ms):
    """End the process by SIGALRM unless called again within `ms`; 0 calls it off."""
    import struct
    _setitimer(0, struct.pack("llll", 0, 0, ms // 1000, ms % 1000 * 1000), None)
