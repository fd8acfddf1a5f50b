"""The chip's `esp32.Partition`, as far as a board without a running application has one."""

import esp32
from flash import Blocks


def _all():
    """The table's rows, and "vfs" up to the end of flash where it has none, as MicroPython adds it."""
    rows = list(esp32.rows())
    if not any(row[4] == "vfs" for row in rows):
        begin = max(row[2] + row[3] for row in rows)
        rows.append((1, 0x81, begin, esp32._flash.size - begin, "vfs", False))
    return rows


class Partition(Blocks):
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, name):
        found = [row for row in _all() if row[4] == name]
        if not found:
            raise OSError(2)  # also for BOOT and RUNNING, as stock firmware without OTA answers
        self._row = found[0]
        super().__init__(esp32._flash, self._row[2], self._row[3])

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=4096):
        rows = [r for r in _all() if r[0] == type and subtype in (0xFF, r[1]) and label in (None, r[4])]
        return [Partition(row[4]) for row in rows]

    def info(self):
        return self._row

    @staticmethod
    def mark_app_valid_cancel_rollback():
        raise OSError(-0x105, "ESP_ERR_NOT_FOUND")
