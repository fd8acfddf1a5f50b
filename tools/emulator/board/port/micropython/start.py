"""Power on, on MicroPython's Unix port: `micropython -m start SETTINGS.json`.

Takes over the module path and the file system, so that what runs afterwards
sees the chip's: built-in modules of the port, littlefs at '/', nothing of the host.
"""

import gc
import json
import sys

import vfs

import _chip


def main(path):
    """What runs the board; the caller calls it when nothing else of this module is left."""
    gc.collect()
    bare = gc.mem_alloc()
    gc.threshold(2048)  # what stays of the port lies together at the heap's beginning
    _chip.end_with_parent()
    with _chip.open(path) as file:
        _chip.settings.update(json.load(file))
    case = "case" in _chip.settings
    _firmware(_chip.settings["rom"], case)
    for name in ("errno", "time", "socket", "machine", "os"):
        sys.modules["u" + name] = __import__(name)
    sys.modules["tls"] = __import__("tls12")
    __import__("power").on()
    for name in ("network", "ntptime"):
        __import__(name)
    run = __import__("board").run
    if "memory" in _chip.settings:
        _chip.heaps = sys.modules["gc"] = __import__("heaps")
        _chip.heaps.state()  # its names are the port's
    if not case:
        __import__("imports")
    if "sealed" in _chip.settings:
        __import__("jail").close(_chip.settings)
    for name in ("rom", "flash"):  # their paths are not wanted any more
        del _chip.settings[name]
    for name in ("start", "board", "flash", "power", "heaps", "imports", "jail"):  # not a chip's modules
        sys.modules.pop(name, None)
    # a device test's sources go before what its flash has in a folder of the same name
    sys.path[:] = (("/.case/device", "/.case/firmware") if case else ()) + ("", ".frozen", "/.frozen", "/lib")
    gc.threshold(-1)
    gc.collect()
    _chip.share = gc.mem_alloc() - bare
    return run


def _firmware(path, case):
    """Mount the port's own modules, in a ROM outside the heap, as a chip has them in its firmware."""
    vfs.umount("/")
    sys.path[:] = ("/.frozen",)
    _mount(path, "/.frozen")
    if case:
        _mount(_chip.settings["cases"], "/.case")


def _mount(path, place):
    if path.endswith(".romfs"):
        vfs.mount(vfs.VfsRom(_chip.map_file(path)), place)
    else:
        vfs.mount(vfs.VfsPosix(path), place)


_run = main(sys.argv[1])
_names = globals()
for _name in list(_names):
    if _name not in ("__name__", "_run", "_names", "_name"):
        del _names[_name]
_run(_names)
