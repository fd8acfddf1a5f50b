"""The chip's `esp32.Partition`; what writes OTA data is in `esp32_boot`. On a chip it takes none of Python's heap."""

import _chip
import esp32

_OTA_0 = 0x10
_SECTOR = 4096


def _all():
    """The table's rows, and "vfs" up to the end of flash where it has none, as MicroPython adds it."""
    rows = list(esp32.rows())
    if not any(row[4] == "vfs" for row in rows):
        begin = max(row[2] + row[3] for row in rows)
        rows.append((1, 0x81, begin, esp32._flash.size - begin, "vfs", False))
    return rows


def _running():
    return esp32.running or next(row for row in _all() if row[0] == 0)


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, name, block_size=_SECTOR):
        if block_size != _SECTOR:
            raise ValueError("the emulated board has blocks of 4096 bytes only")
        if isinstance(name, str):
            row = next((row for row in _all() if row[4] == name), None)
        else:
            row = _running() if name else esp32._load("esp32_boot").boot(_all())
        if not row:
            raise OSError(2)
        self._row = row

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=_SECTOR):
        rows = [r for r in _all() if r[0] == type and subtype in (0xFF, r[1]) and label in (None, r[4])]
        return [Partition(row[4], block_size) for row in rows]

    def info(self):
        return self._row

    def readblocks(self, block, buffer, offset=0):
        esp32._flash.readinto(self._place(block * _SECTOR + offset, len(buffer)), buffer)

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:  # it erases as many sectors as the buffer takes
            for at in range(0, len(buffer), _SECTOR):
                self.ioctl(6, block + at // _SECTOR)
        esp32._flash.program(self._changed(block * _SECTOR + (offset or 0), len(buffer)), buffer)

    def ioctl(self, command, argument):
        if command == 6:
            esp32._flash.erase(self._changed(argument * _SECTOR, _SECTOR))
        return {4: self._row[3] // _SECTOR, 5: _SECTOR}.get(command, 0)

    def _place(self, at, size):
        """Where on the flash so many bytes begin, which lie in the partition."""
        if not 0 <= at <= self._row[3]:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        if at + size > self._row[3]:
            raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
        return self._row[2] + at

    def _changed(self, at, size):
        """The same for a write. ESP-IDF aborts, and the board starts anew, where it hits the application that runs."""
        if self._row == esp32.running:
            print("abort() was called")
            _chip.stop(_chip.RESET)
        return self._place(at, size)

    def set_boot(self):
        """Start this one at the next reset. OSError unless it holds a whole image for this chip."""
        esp32._load("esp32_boot").set_boot(_all(), self._row)

    def get_next_update(self):
        """The slot behind this one, round to the first. OSError(2) without one."""
        rows = _all()
        names = [row[4] for row in sorted(rows) if row[0] == 0 and row[1] & 0xF0 == _OTA_0]
        if not names or not any([row[:2] == (1, 0) for row in rows]):
            raise OSError(2)
        at = names.index(self._row[4]) + 1 if self._row[4] in names else 0
        return Partition(names[at % len(names)])

    @staticmethod
    def mark_app_valid_cancel_rollback():
        esp32._load("esp32_boot").mark_valid(_all())
