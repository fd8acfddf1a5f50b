"""What runs on the board, in the chip's order: /boot.py, the main.py of the folder that is current then, the console.

The host is told of each state line before it goes out, since who reads it may
switch the board off: how many blocks were read so far, and the heap where that
is asked for.
"""

import builtins
import gc
import os
import sys

import _chip
import esp32

_BEGIN = '{"aliot":"'


def run(names):
    """Run what the settings ask for: a device test's cases, or the board's own files and its console.

    `names` is the dict of the module `__main__`.
    """
    if "case" in _chip.settings:
        import case

        case.run(_chip.settings["case"])
        return
    _chip.interruptible()
    _update(builtins.print)
    failed = _file("/boot.py", names)
    if not _chip.settings.get("raw"):
        failed = _file(os.getcwd().rstrip("/") + "/main.py", names) or failed
    while _chip.settings.get("console"):
        try:
            esp32._load("console").run(names, _chip.settings.get("raw", False))
            break
        except KeyboardInterrupt:  # one that comes between main.py and the first prompt
            pass
    sys.exit(1 if failed else 0)


def _file(name, names):
    """Run a file of the board if it is there; True when an error ended it."""
    try:
        _chip.run_file(name, names)
    except SystemExit:
        pass
    except KeyboardInterrupt as error:
        sys.print_exception(error)
    except OSError as error:
        if error.args[0] == 2 and not _there(name):
            return False
        sys.print_exception(error)
        return True
    except Exception as error:
        sys.print_exception(error)
        return True
    return False


def _update(write):
    """Let `print` look for state lines; `write` is what prints."""

    def print(*args, **options):
        line = args[0] if args else None
        if isinstance(line, str) and line.startswith(_BEGIN):
            _mark(line[len(_BEGIN) : line.find('"', len(_BEGIN))])
        write(*args, **options)

    builtins.print = print


def _mark(name):
    with _chip.open(_chip.settings["count"], "r+b") as file:
        file.seek(0, 2)
        file.write(b"%s %d\n" % (name.encode(), esp32._flash.reads))
    if name == _chip.settings.get("measure"):
        gc.collect()
        text = b'{"port":%d,"used":%d,"free":%d' % (_chip.share, gc.mem_alloc(), gc.mem_free())
        if _chip.heaps:
            now = _chip.heaps.state(True)
            figures = now.used, now.free(), now.block(), now.min
            text += b',"gc":%d,"c_free":%d,"c_largest":%d,"c_min":%d' % figures
        with _chip.open(_chip.settings["heap"], "wb") as file:
            file.write(text + b"}")


def _there(name):
    try:
        open(name).close()
        return True
    except OSError:
        return False
