"""Which tree and which firmware a board with two slots for it runs, by the pairs of its record (aliot.ota.pairs).

/boot.py's choice imports it from the golden tree, without the package, as `aliot/ota/slots`. A tree runs with the
firmware of its pair only. The golden tree is good as `0` with a pair, and runs where no pair fits. What makes firmware
good is the mark in ESP-IDF's OTA data; the record follows it.
"""

import os
import sys
from binascii import crc32

import machine
from aliot.ota.pairs import commit, pair, pairs
from esp32 import Partition
from micropython import const

_PAIR = const(13)
_KNOWN = const(9)  # bytes of a pair that say which firmware
_PAIRS = const(17)  # where they begin
_PENDING = const(1)  # of OTA data
_VALID = const(2)
_TAKEN_BACK = const(8)  # why a trial failed: the bootloader, or a start that never came
_POWER = const(9)  # or that at a power-on, which is nobody's fault
_BACK = const(2)  # starts of a board that went back to its good firmware count by two, up to:
_MOST = const(8)


def choose(record, trees, cause, here, state):
    """What runs: "a", "b", "" for the golden tree; None: the good pair, which is of another slot. Pure.

    `record` (bytearray) is changed to what it is after that; `here`: the pair of the firmware that runs, `state`: its
    state in OTA data, None where that names another; the rest is as for aliot.ota.choice.choose.
    """
    trial, good, other, starts, _ = record[4:9]
    tried, last, before = pairs(record)
    if tried[0]:
        new = tried[:_KNOWN] != last[:_KNOWN]
        if tried[:_KNOWN] != here:
            why = _POWER if cause == 1 else _TAKEN_BACK
        elif new and state == _VALID:  # the record was not written any more
            commit(record)
            return choose(record, trees, cause, here, state)
        else:
            why = 1 if cause == 3 and starts else 2 if cause != 1 and starts > 2 else 0
            if not why and (not trial or chr(trial) in trees):
                record[7] = starts + (cause != 1)
                record[8] = 0
                return chr(trial) if trial else ""
            why = why or 3
        record[4:9] = bytes((0, good, other, 0, why))
        record[_PAIRS : _PAIRS + _PAIR] = bytes(_PAIR)
    for letter, known in (good, last), (other, before):
        if known[:_KNOWN] == here and (not letter or chr(letter) in trees):
            record[7] &= 1
            return chr(letter) if letter else ""
    return None if last[0] and last[0] != here[0] else ""


def start(record):
    """As aliot.ota.choice.start, for a record with pairs. It resets where the good firmware lies in the other slot."""
    choice = sys.modules["aliot/ota/choice"]
    found = bytes(record)
    running = Partition(Partition.RUNNING)
    state = known_as(running)
    tree = choose(record, os.listdir("/ota"), machine.reset_cause(), pair(running), state)
    if tree is None:
        tree = ""
        if record[7] < _MOST:
            record[7] += _BACK
            choice.write(record)
            go_back(record)
    elif record != found:
        choice.write(record)
    if tree:
        tree = "/ota/" + tree
        sys.path.remove("")
        sys.path.remove("/lib")
        sys.path.insert(0, tree)
        os.chdir(tree)
    if record[_PAIRS]:
        machine.WDT(timeout=120000)  # until aliot.ota.trial sets its own
    else:
        if state == _PENDING:  # it went back to this one, which was good
            Partition.mark_app_valid_cancel_rollback()
        if not record[7] & 1:
            del sys.modules["aliot/ota/choice"]
    del sys.modules["aliot/ota/slots"]
    return tree


def go_back(record):
    """Start the good firmware in the other slot; returns when it is not there any more."""
    good = pairs(record)[1]
    for part in Partition.find(Partition.TYPE_APP, good[0] - 1):
        if pair(part) == good[:_KNOWN]:
            try:
                part.set_boot()
            except OSError:
                return
            machine.reset()


def known_as(part):
    """The state of a partition in OTA data; None where the entry that counts names another one."""
    best = state = -1
    data = bytearray(32)
    for at in (0, 1):
        for otadata in Partition.find(Partition.TYPE_DATA, 0):
            otadata.readblocks(at, data)
        sequence = int.from_bytes(data[:4], "little")
        good = data[28:] == crc32(data[:4], 0xFFFFFFFF).to_bytes(4, "little")
        if good and data[24] not in (3, 4) and sequence > best:  # not failed, not taken back
            best, state = sequence, data[24]
    count = len([one for one in Partition.find(Partition.TYPE_APP) if one.info()[1] >> 4 == 1])
    return state if best > 0 and (best - 1) % count == part.info()[1] - 16 else None
