"""The power goes at an operation of flash: before it, or with `torn` in the middle of it. Neither function returns."""

import _chip
from flash import SECTOR


def program(flash, at, data):
    if flash.torn:
        flash._cut = 0
        flash.program(at, bytes(data[: len(data) // 2]))
    _chip.stop(_chip.POWER_CUT)


def erase(flash, at):
    if flash.torn:
        # cells on their way to 1: the front is there, the rest has some bits of it
        old = flash.read(at + SECTOR // 2, SECTOR // 2)
        flash.write(at, b"\xff" * (SECTOR // 2))
        flash.write(at + SECTOR // 2, bytes(b | i * 37 & 0xFF for i, b in enumerate(old)))
    _chip.stop(_chip.POWER_CUT)
