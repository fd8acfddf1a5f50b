"""From power on to the REPL, as the chip goes: NVS, file system, /boot.py, /main.py, the console."""

import gc
import sys

import vfs

import _chip
import esp32
import flash

share = 0           # bytes of heap that the port takes
_globals = {"__name__": "__main__"}


def power_on():
    """Flash, NVS (erased when the chip would), the file system at '/'."""
    settings = _chip.settings
    chip = flash.Flash(settings["flash"], settings.get("cut", 0), settings.get("torn", False), settings.get("count"))
    esp32.start(chip)
    mount(esp32.Partition("vfs"))


def mount(device):
    """As MicroPython's _boot: format only what is blank, never what is damaged."""
    try:
        vfs.mount(device, "/")
        return
    except OSError:
        pass
    first = bytearray(4096)
    device.readblocks(0, first)
    while first.count(b"\xff") != len(first):
        import time

        print("The filesystem appears to be corrupted.")
        time.sleep(3)
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(device, "/")
    with open("/boot.py", "w") as file:
        file.write("# This file is executed on every boot.\n")


def run():
    """Run what the settings ask for: a device test's cases, or the board's own files and its console."""
    if "case" in _chip.settings:
        import case

        case.run(_chip.settings["case"])
        return
    _chip.interruptible()
    failed = _file("/boot.py")
    if not _chip.settings.get("raw"):
        failed = _file("/main.py") or failed
    _account()
    if _chip.settings.get("console"):
        import console

        console.run(_globals, _chip.settings.get("raw", False))
    sys.exit(1 if failed else 0)


def _file(name):
    """Run a file of the board if it is there; True when an error ended it."""
    try:
        _chip.run_file(name, _globals)
    except SystemExit:
        pass
    except KeyboardInterrupt as error:
        _show(error)
    except OSError as error:
        if error.args[0] == 2 and name not in _names():
            return False
        _show(error)
        return True
    except Exception as error:
        _show(error)
        return True
    return False


def _names():
    import os

    return ["/" + name for name in os.listdir("/")]


def _show(error):
    sys.print_exception(error)


def _account():
    """Write what the heap holds into the host's file that the setting "heap" names."""
    if "heap" in _chip.settings:
        gc.collect()
        with _chip.open(_chip.settings["heap"], "wb") as file:
            file.write(b'{"port":%d,"used":%d,"free":%d}' % (share, gc.mem_alloc(), gc.mem_free()))
