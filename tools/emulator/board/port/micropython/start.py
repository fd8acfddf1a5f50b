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
    _firmware(_chip.settings["rom"])
    for name in ("errno", "time", "socket", "machine", "os"):
        sys.modules["u" + name] = __import__(name)
    sys.modules["tls"] = __import__("tls12")
    __import__("power").on()
    for name in ("network", "ntptime"):
        __import__(name)
    board = __import__("board")
    for name in ("start", "board", "flash", "power", "esp32_partition"):  # not among a chip's modules
        sys.modules.pop(name, None)
    gc.threshold(-1)
    gc.collect()
    board.share = gc.mem_alloc() - bare
    return board.run


def _firmware(image):
    """Mount the port's own modules, in a ROM outside the heap, as a chip has them in its firmware."""
    vfs.umount("/")
    sys.path.clear()
    sys.path.extend(("", ".frozen", "/.frozen", "/lib"))
    _mount(image, "/.frozen")
    if "case" in _chip.settings:
        _mount(_chip.settings["cases"], "/.case")
        sys.path.extend(("/.case/device", "/.case/firmware"))


def _mount(image, place):
    if image.endswith(".romfs"):
        vfs.mount(vfs.VfsRom(_chip.map_file(image)), place)
    else:
        vfs.mount(vfs.VfsPosix(image), place)


_run = main(sys.argv[1])
_names = globals()
for _name in list(_names):
    if _name not in ("__name__", "_run", "_names", "_name"):
        del _names[_name]
_run(_names)
