"""ESP-IDF's OTA data: two sectors, each with an entry that says which slot starts and what is known of it.

    sequence u32 | 20 bytes, unused | state u32 | CRC u32 of the sequence

The entry with the higher sequence counts, its slot is (sequence - 1) modulo the number of slots (ESP-IDF, "Over The Air
Updates", OTA data partition and app rollback).
"""

import struct
from binascii import crc32

NEW, PENDING, VALID, INVALID, ABORTED, UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF
BLANK = 0xFFFFFFFF  # as a sequence
SECTOR = 4096
_FORM = "<I20sII"


def entry(sequence, state):
    """The 32 bytes of an entry."""
    return struct.pack(_FORM, sequence, b"\xff" * 20, state, _crc(sequence))


def parts(data):
    """(sequence, state, whether its CRC is good) of an entry."""
    sequence, _, state, found = struct.unpack(_FORM, data)
    return sequence, state, found == _crc(sequence)


def with_state(data, state):
    """An entry in another state; all else stays as it is."""
    return data[:24] + struct.pack("<I", state) + data[28:]


def usable(data):
    """Whether an entry was written and neither failed nor was rolled back; its CRC is not looked at."""
    sequence, state, _ = parts(data)
    return sequence != BLANK and state not in (INVALID, ABORTED)


def active(entries):
    """The index of the entry that counts, or -1."""
    good = [usable(data) and parts(data)[2] for data in entries]
    if all(good):
        return int(parts(entries[1])[0] > parts(entries[0])[0])
    return good.index(True) if any(good) else -1


def next_sequence(sequence, slot, count):
    """The least sequence that is not below `sequence` and means `slot`, as ESP-IDF counts."""
    found = (slot + 1) % count
    while sequence > found:
        found += count
    return found


def read(flash, at):
    """Both entries of the partition that begins at `at`."""
    return [flash.read(at, 32), flash.read(at + SECTOR, 32)]


def write(flash, at, index, data):
    """Write an entry anew: its sector is erased, then programmed."""
    flash.erase(at + index * SECTOR)
    flash.program(at + index * SECTOR, data)


def _crc(sequence):
    return crc32(struct.pack("<I", sequence), 0xFFFFFFFF)
