"""Which tree a board runs; /boot.py imports it from the golden tree, without the package, as `aliot/ota/choice`.

The golden tree is what a cable brought, in /. An update lies in /ota/a or /ota/b, whole. The record says what is on
trial and what is good, in two copies, /ota/r/0 and /ota/r/1; the newest good one counts:

    generation u32 BE | trial, good, other: ord("a"), ord("b") or 0 | starts of the trial u8 | why one failed u8
    | of the manifest that was tried last, the first 8 bytes of its SHA-256 | CRC-32 u32 LE of all before

With no trial, starts are 1 while a release that became good has its clean-up before it. On a board with two slots for
its firmware more follows, which is read by aliot.ota.slots.
"""

import os
import sys
from binascii import crc32

import machine

# why a trial failed: 1 the watchdog, 2 a fourth start, 3 its tree is not there; more in aliot.ota.trial
_COPIES = "/ota/r/0", "/ota/r/1"


def choose(state, trees, cause):
    """(what runs: "a", "b" or "" for the golden tree; the state after that). Pure.

    `state`: trial, good, other, starts, why; `trees`: the names of those that are there; `cause` of the reset. A
    power-on (1) is no start, and a watchdog (3) before the first start was not the trial's.
    """
    trial, good, other, starts, why = state
    if trial:
        why = 1 if cause == 3 and starts else 2 if cause != 1 and starts > 2 else 0
        if not why and chr(trial) in trees:
            return chr(trial), bytes((trial, good, other, starts + (cause != 1), 0))
        state = bytes((0, good, other, 0, why or 3))
    for tree in good, other:
        if chr(tree) in trees:
            return chr(tree), state
    return "", state


def read():
    """The newest good copy of the record as a bytearray without its CRC; empty where there is none."""
    best = b""
    for name in _COPIES:
        try:
            with open(name, "rb") as file:
                data = file.read(64)
            if data[-4:] == crc32(data[:-4]).to_bytes(4, "little"):
                best = max(best, data[:-4])
        except OSError:
            pass
    return bytearray(best)


def write(record):
    """Both copies of a record (bytearray), which becomes newer than it was. OSError."""
    record[:4] = (int.from_bytes(record[:4], "big") + 1).to_bytes(4, "big")
    for name in _COPIES:
        with open(name, "wb") as file:
            file.write(record + crc32(record).to_bytes(4, "little"))


def start():
    """Make the chosen tree the one that is imported, and its main.py the one that runs; "" for the golden tree.

    OSError when the start of a trial cannot be counted: then the golden tree runs.
    """
    record = read()
    if not record:
        return ""
    if record[17:]:
        return __import__("aliot/ota/slots").start(record)
    state = record[4:9]
    tree, after = choose(state, os.listdir("/ota"), machine.reset_cause())
    if after != state:
        record[4:9] = after
        write(record)
    if tree:
        tree = "/ota/" + tree
        sys.path.remove("")  # MicroPython begins with both
        sys.path.remove("/lib")
        sys.path.insert(0, tree)
        os.chdir(tree)
    if after[0]:
        machine.WDT(timeout=120000)  # until aliot.ota.trial sets its own
    elif not after[3]:
        del sys.modules["aliot/ota/choice"]  # aliot.start sees by it that there is something to do
    return tree
