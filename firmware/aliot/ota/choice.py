"""Which tree a board runs; /boot.py imports it from the golden tree, without the package, as `aliot/ota/choice`.

The golden tree is what a cable brought, in /. An update lies in /ota/a or /ota/b, whole. The record (aliot.ota.record)
says what is on trial and what is good; what of it concerns two slots for the firmware is read by aliot.ota.slots.
"""

import os
import sys

import machine
from aliot.ota.record import read, write


def choose(state, trees, cause):
    """(what runs: "a", "b" or "" for the golden tree; the state after that). Pure.

    `state`: trial, good, other, starts, why; `trees`: the names of those that are there; `cause` of the reset. A
    power-on (1) is no start, and a watchdog (3) before the first start was not the trial's. Why a trial failed: 1 the
    watchdog, 2 a fourth start, 3 its tree is not there; more in aliot.ota.trial.
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
