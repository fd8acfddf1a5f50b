"""ESP-IDF's bootloader on a flash with OTA data: which application starts, and the rollback of one that failed.

As with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, which MicroPython's OTA images are built with. A flash without an
application in any of its partitions, as the tools make it for an emulated board, starts none and the board runs.
"""

import _chip
import app_image
import ota_data
import time

FACTORY = -1
_OTA_0 = 0x10


def choose(entries, count, factory):
    """(slot to try first or FACTORY, entries as they are left, whether OTA data was in its first state). Pure.

    `count` of slots; `factory`: whether there is a factory application.
    """
    entries = [
        ota_data.with_state(data, ota_data.ABORTED) if ota_data.parts(data)[1] == ota_data.PENDING else data
        for data in entries
    ]
    if not count or not any([ota_data.usable(data) for data in entries]):
        first = [seq == ota_data.BLANK or not good for seq, _, good in map(ota_data.parts, entries)]
        return (FACTORY, entries, False) if factory else (0, entries, all(first))
    index = ota_data.active(entries)
    if index < 0:
        return FACTORY, entries, False
    sequence, state, _ = ota_data.parts(entries[index])
    if state == ota_data.NEW:
        entries[index] = ota_data.with_state(entries[index], ota_data.PENDING)
    return (sequence - 1) % count, entries, False


def order(first, count):
    """The slots in the order in which they are tried: down to the factory application, then up."""
    return list(range(first, FACTORY - 1, -1)) + list(range(first + 1, count))


def start(flash, rows):
    """The row of the application that runs from now on, as `boot`; a soft reset does not go through it."""
    kept = _chip.settings.get("slot")  # the file that names what runs
    if kept and _chip.settings.get("cause") == 5 and _chip.size(kept) > 0:
        with _chip.open(kept) as file:
            name = file.read().decode()
        return next((row for row in rows if row[4] == name), None)
    row = boot(flash, rows)
    if kept:
        with _chip.open(kept, "wb") as file:
            file.write(row[4].encode() if row else b"")
    return row


def boot(flash, rows):
    """The row of the application that starts; None where none is to be chosen. It may never return."""
    otadata = [row for row in rows if row[:2] == (1, 0)]
    slots = {row[1] - _OTA_0 if row[1] else FACTORY: row for row in rows if row[0] == 0}
    if not otadata or all(flash.read(row[2], 1) == b"\xff" for row in slots.values()):
        return None
    at = otadata[0][2]
    count = len(slots) - (FACTORY in slots)
    before = ota_data.read(flash, at)
    first, entries, initial = choose(before, count, FACTORY in slots)
    _write_changed(flash, at, before, entries)
    for slot in order(first, count):
        row = slots.get(slot)
        if row and not app_image.fault(flash, row[2], row[3], chip(flash)):
            if initial and slot != FACTORY:
                ota_data.write(flash, at, 0, ota_data.entry(slot + 1, ota_data.VALID))
            return row
    print("boot: No bootable app partitions in the partition table")
    time.sleep(0.5)  # as a chip, before it tries again: a board that follows resets would take a whole core
    _chip.stop(_chip.RESET)


def _write_changed(flash, at, before, entries):
    """Each write by itself, as they come: first what is rolled back, then what is tried."""
    for state in (ota_data.ABORTED, ota_data.PENDING):
        for index in (0, 1):
            if entries[index] != before[index] and ota_data.parts(entries[index])[1] == state:
                ota_data.write(flash, at, index, entries[index])


def chip(flash):
    """The chip's id, as the header of its bootloader says; that of an ESP32 where there is none."""
    for at in (0, 0x1000):
        if flash.read(at, 1) == b"\xe9":
            return int.from_bytes(flash.read(at + 12, 2), "little")
    return 0
