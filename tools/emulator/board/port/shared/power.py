"""Power on: NVS, erased when the chip would erase it, then the file system at '/'."""

import vfs

import _chip
import esp32
import flash


def on():
    """Flash, NVS, file system, as the settings describe them."""
    settings = _chip.settings
    chip = flash.Flash(
        settings["flash"], settings.get("cut", 0), settings.get("torn", False), settings.get("count")
    )
    esp32.start(chip)
    if "efuses" in settings:
        _connect(settings["chip"], settings["efuses"])
    row = esp32.Partition("vfs").info()
    mount(flash.Blocks(chip, row[2], row[3]))


def _connect(chip, path):
    """Read the chip's eFuses, once: what follows finds no file of them."""
    import machine

    with _chip.open(path) as file:
        fuses = file.read()
    _chip.remove(path)
    esp32._load("registers").connect(machine, chip, fuses)


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
