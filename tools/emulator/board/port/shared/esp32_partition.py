"""The chip's `esp32.Partition`: partitions as block devices, and which application starts next."""

import _chip
import app_image
import bootloader
import esp32
import ota_data
from flash import Blocks

_OTA_0 = 0x10
_INVALID_ARG, _INVALID_SIZE, _NOT_FOUND = 0x102, 0x104, 0x105
_VALIDATE_FAILED = 0x1503
_NAMES = {
    _INVALID_ARG: "ESP_ERR_INVALID_ARG",
    _INVALID_SIZE: "ESP_ERR_INVALID_SIZE",
    _NOT_FOUND: "ESP_ERR_NOT_FOUND",
    _VALIDATE_FAILED: "ESP_ERR_OTA_VALIDATE_FAILED",
    -1: "ESP_FAIL",
}


def _error(number):
    return OSError(-number, _NAMES[number])


def _all():
    """The table's rows, and "vfs" up to the end of flash where it has none, as MicroPython adds it."""
    rows = list(esp32.rows())
    if not any(row[4] == "vfs" for row in rows):
        begin = max(row[2] + row[3] for row in rows)
        rows.append((1, 0x81, begin, esp32._flash.size - begin, "vfs", False))
    return rows


def _first(kind, subtype):
    return next((row for row in _all() if row[:2] == (kind, subtype)), None)


def _slots():
    """The rows of the OTA slots, the first one first."""
    return sorted([row for row in _all() if row[0] == 0 and row[1] & 0xF0 == _OTA_0], key=lambda row: row[1])


def _running():
    return esp32.running or next(row for row in _all() if row[0] == 0)


def _boot():
    """The row that starts next, None without OTA data."""
    otadata, slots = _first(1, 0), _slots()
    if not otadata or not slots:
        return None
    entries = ota_data.read(esp32._flash, otadata[2])
    index = ota_data.active(entries)
    if index < 0:
        return _first(0, 0) or slots[0]
    return slots[(ota_data.parts(entries[index])[0] - 1) % len(slots)]


class Partition(Blocks):
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, name, block_size=4096):
        if block_size != 4096:
            raise ValueError("the emulated board has blocks of 4096 bytes only")
        if isinstance(name, str):
            row = next((row for row in _all() if row[4] == name), None)
        else:
            row = (_boot, _running)[name]()
        if not row:
            raise OSError(2)
        self._row = row
        super().__init__(esp32._flash, row[2], row[3])

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        rows = [r for r in _all() if r[0] == type and subtype in (0xFF, r[1]) and label in (None, r[4])]
        return [Partition(row[4], block_size) for row in rows]

    def info(self):
        return self._row

    def readblocks(self, block, buffer, offset=0):
        self._check(block * 4096 + offset, len(buffer))
        super().readblocks(block, buffer, offset)

    def writeblocks(self, block, buffer, offset=None):
        self._check(block * 4096 + (offset or 0), len(buffer))
        self._spare_running()
        if offset is None:  # it erases as many sectors as the buffer takes
            if len(buffer) % 4096:
                raise _error(_INVALID_SIZE)
            for at in range(len(buffer) // 4096):
                self.ioctl(6, block + at)
        super().writeblocks(block, buffer, offset or 0)

    def ioctl(self, command, argument):
        if command == 6:
            self._check(argument * 4096, 4096)
            self._spare_running()
        return super().ioctl(command, argument)

    def _check(self, at, size):
        if not 0 <= at <= self.size:
            raise _error(_INVALID_ARG)
        if at + size > self.size:
            raise _error(_INVALID_SIZE)

    def _spare_running(self):
        """ESP-IDF aborts, and the board starts anew, where a program writes over the application that runs it."""
        if self._row == esp32.running:
            print("abort() was called")
            _chip.stop(_chip.RESET)

    def set_boot(self):
        """Start this one at the next reset. OSError unless it holds a whole image for this chip."""
        kind, subtype, at, size = self._row[:4]
        if kind:
            raise _error(_INVALID_ARG)
        if app_image.fault(esp32._flash, at, size, bootloader.chip(esp32._flash)):
            raise _error(_VALIDATE_FAILED)
        otadata, slots = _first(1, 0), _slots()
        if not otadata:
            raise _error(_NOT_FOUND)
        if not subtype:  # the factory application starts where OTA data is blank
            for sector in range(otadata[3] // 4096):
                esp32._flash.erase(otadata[2] + sector * 4096)
            return
        entries = ota_data.read(esp32._flash, otadata[2])
        index = ota_data.active(entries)
        slot = subtype - _OTA_0
        sequence = slot + 1
        if index >= 0:
            sequence = ota_data.next_sequence(ota_data.parts(entries[index])[0], slot, len(slots))
        entry = ota_data.entry(sequence, ota_data.NEW)
        ota_data.write(esp32._flash, otadata[2], int(index == 0), entry)

    def get_next_update(self):
        """The slot behind this one, round to the first. OSError(2) without one."""
        slots = _slots()
        if not slots or not _first(1, 0):
            raise OSError(2)
        names = [row[4] for row in slots]
        at = names.index(self._row[4]) + 1 if self._row[4] in names else 0
        return Partition(names[at % len(names)])

    @staticmethod
    def mark_app_valid_cancel_rollback():
        otadata = _first(1, 0)
        if not otadata:
            raise _error(_NOT_FOUND)
        entries = ota_data.read(esp32._flash, otadata[2])
        index = ota_data.active(entries)
        if index < 0:
            raise _error(-1)
        if ota_data.parts(entries[index])[1] != ota_data.VALID:
            data = ota_data.entry(ota_data.parts(entries[index])[0], ota_data.VALID)
            ota_data.write(esp32._flash, otadata[2], index, data)
