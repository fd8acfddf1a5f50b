"""The scripted board kept in a file, so that a station in other processes can burn it and be killed at it.

    device = FILE.json: {"mac": ..., "pull_at": [call numbers], "burns": [DeviceName, ...], ...}

`hold`: a path; until a file is there, the board's flash takes its time.
"""

import json
import os
import time

from host_tests.support.scripted_board import Board, ScriptedWire
from tools.line.station.wire import Chip, Pulled


def create(path, mac, chip="esp32", **how):
    with open(path, "w") as file:
        json.dump(
            {"mac": mac, "chip": chip, "firmware": None, "burned": None, "torn": False, "burns": [], **how},
            file,
        )
    return str(path)


def burns(path):
    """DeviceNames of the finished burns, in order."""
    with open(path) as file:
        return json.load(file)["burns"]


class FiledWire(ScriptedWire):
    def __init__(self, device, job, locate=None):
        self.path = device
        try:
            with open(device) as file:
                self.table = json.load(file)
        except OSError:
            raise Pulled("no board") from None
        board = Board(self.table["mac"])
        board.chip = Chip(self.table["chip"], board.mac, 4 << 20)
        board.firmware, board.torn = self.table["firmware"], self.table["torn"]
        if self.table["burned"]:
            fields, generation = self.table["burned"]
            board.burned = {int(tag): bytes.fromhex(value) for tag, value in fields.items()}, generation
        board.starts = self.table.get("starts", True)
        super().__init__(board, self.table["pull_at"].pop(0) if self.table.get("pull_at") else None)
        self._save()

    @staticmethod
    def present(device):
        return os.path.exists(device)

    still_there = present

    def _call(self):
        self._save()
        super()._call()

    def flash(self, job, progress):
        while self.table.get("hold") and not os.path.exists(self.table["hold"]):
            time.sleep(0.01)
        return super().flash(job, progress)

    def _save(self):
        burned = self.board.burned and [
            {tag: value.hex() for tag, value in self.board.burned[0].items()},
            self.board.burned[1],
        ]
        with open(self.path + ".new", "w") as file:
            json.dump(
                {
                    **self.table,
                    "firmware": self.board.firmware,
                    "burned": burned,
                    "torn": self.board.torn,
                    "burns": self.table["burns"] + [name for _, name in self.board.burns],
                },
                file,
            )
        os.replace(self.path + ".new", self.path)


class TalkativeWire(FiledWire):
    """One whose libraries print what they see, as drivers do."""

    def identify(self):
        print("b'R\\x01\\x80'", flush=True)
        os.write(1, b"and from C\n")
        return super().identify()
