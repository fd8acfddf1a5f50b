"""What `esp32.Partition` does with OTA data: which application starts next, and the mark of one that works."""

import app_image
import bootloader
import esp32
import ota_data

_OTA_0 = 0x10


def _slots(rows):
    """The OTA slots, the first one first."""
    return sorted([row for row in rows if row[0] == 0 and row[1] & 0xF0 == _OTA_0])


def _first(rows, kind, subtype):
    return next((row for row in rows if row[:2] == (kind, subtype)), None)


def boot(rows):
    """The row that starts next, None without OTA data."""
    otadata, slots = _first(rows, 1, 0), _slots(rows)
    if not otadata or not slots:
        return None
    entries = ota_data.read(esp32._flash, otadata[2])
    index = ota_data.active(entries)
    if index < 0:
        return _first(rows, 0, 0) or slots[0]
    return slots[(ota_data.parts(entries[index])[0] - 1) % len(slots)]


def set_boot(rows, row):
    """Let a row start next. OSError unless it holds a whole image for this chip."""
    flash = esp32._flash
    kind, subtype, at, size = row[:4]
    if kind:
        raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
    if app_image.fault(flash, at, size, bootloader.chip(flash)):
        raise OSError(-0x1503, "ESP_ERR_OTA_VALIDATE_FAILED")
    otadata, slots = _first(rows, 1, 0), _slots(rows)
    if not otadata:
        raise OSError(-0x105, "ESP_ERR_NOT_FOUND")
    if not subtype:  # the factory application starts where OTA data is blank
        for sector in range(otadata[3] // ota_data.SECTOR):
            flash.erase(otadata[2] + sector * ota_data.SECTOR)
        return
    entries = ota_data.read(flash, otadata[2])
    index = ota_data.active(entries)
    sequence = subtype - _OTA_0 + 1
    if index >= 0:
        known = ota_data.parts(entries[index])[0]
        sequence = ota_data.next_sequence(known, subtype - _OTA_0, len(slots))
    ota_data.write(flash, otadata[2], int(index == 0), ota_data.entry(sequence, ota_data.NEW))


def mark_valid(rows):
    """The entry of OTA data that counts is of an application that works; whichever runs, as ESP-IDF does it."""
    otadata = _first(rows, 1, 0)
    if not otadata:
        raise OSError(-0x105, "ESP_ERR_NOT_FOUND")
    entries = ota_data.read(esp32._flash, otadata[2])
    index = ota_data.active(entries)
    if index < 0:
        raise OSError(1, "ESP_FAIL")
    sequence, state, _ = ota_data.parts(entries[index])
    if state != ota_data.VALID:
        ota_data.write(esp32._flash, otadata[2], index, ota_data.entry(sequence, ota_data.VALID))
