"""Which firmware a tree belongs to, on a board with two slots for it: a part of the record (aliot.ota.record).

A record has it once a package brought firmware; behind byte 17 then come three pairs, of what is on trial, good, and
good before:

    subtype of its slot's partition + 1 u8, 0: none | of its ELF file's SHA-256, the first 8 bytes | number u32 BE

and at last u8, 1 when what was tried last came for the platform's module `firmware`.
"""

import os

from esp32 import Partition
from micropython import const

_PAIR = const(13)
_KNOWN = const(9)  # bytes of a pair that say which firmware
_PAIRS = const(17)  # where they begin
_ELF = const(0xB0)  # where an image has the SHA-256 of its ELF file (ESP-IDF, esp_app_desc_t)
_VERSION = const(0x30)


def pair(part):
    """The first 9 bytes of the pair of the firmware in a partition."""
    data = bytearray(8)
    part.readblocks(0, data, _ELF)
    return bytes((part.info()[1] + 1,)) + bytes(data)


def pairs(record):
    """Those of what is on trial, good, and good before, as bytes."""
    return [bytes(record[at : at + _PAIR]) for at in range(_PAIRS, _PAIRS + 3 * _PAIR, _PAIR)]


def commit(record):
    """What is on trial is good from now on, what was good is the one before; a clean-up waits."""
    record[4:9] = bytes((0, record[4], record[5], 1, 0))
    record[_PAIRS : _PAIRS + 3 * _PAIR] = bytes(_PAIR) + record[_PAIRS : _PAIRS + 2 * _PAIR]


def widen(record):
    """Give a record pairs if it has none: what is there belongs to the firmware that runs."""
    if len(record) == _PAIRS:
        here = pair(Partition(Partition.RUNNING)) + bytes(4)
        record += bytes(_PAIR) + here + (here if record[6] else bytes(_PAIR)) + b"\0"


def number(record, here):
    """The number of the package that brought the firmware `here`; 0 for one that a cable brought."""
    for known in pairs(record) if len(record) > _PAIRS else ():
        if known[:_KNOWN] == here:
            return int.from_bytes(known[_KNOWN:], "big")
    return 0


def remove(record, tree, slot):
    """Take out of a record what has the tree `tree` (its letter's code, 0: none) or lies in the slot `slot`."""
    kept = [
        (letter, known)
        for letter, known in zip(record[5:7], pairs(record)[1:])
        if not (tree and letter == tree) and known[0] not in (0, slot)
    ]
    kept += [(0, bytes(_PAIR))] * (2 - len(kept))
    record[5:7] = bytes((kept[0][0], kept[1][0]))
    record[_PAIRS + _PAIR : _PAIRS + 3 * _PAIR] = kept[0][1] + kept[1][1]


def hold(record):
    """What is on trial runs with the firmware that runs."""
    here = pair(Partition(Partition.RUNNING))
    record[_PAIRS : _PAIRS + _PAIR] = here + number(record, here).to_bytes(4, "big")
    record[_PAIRS + 3 * _PAIR] = 0


def good(record):
    """What is on trial has done what makes it good; the mark of its firmware comes before the record."""
    tried, last, _ = pairs(record)
    if tried[:_KNOWN] != last[:_KNOWN]:
        Partition.mark_app_valid_cancel_rollback()
    commit(record)


def here():
    """The version of the firmware that runs; None on a board that takes none over the air."""
    try:
        Partition(Partition.RUNNING).get_next_update()
    except OSError:
        return None
    return version()


def version():
    """The version of the firmware that runs: that in its header; MicroPython's own images have none, so theirs is."""
    data = bytearray(32)
    Partition(Partition.RUNNING).readblocks(0, data, _VERSION)
    return bytes(data).split(b"\0")[0].decode() or os.uname()[3].split(" ")[0]
