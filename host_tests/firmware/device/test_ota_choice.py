"""What a board runs: every state, every set of trees, every cause of a reset, against rules written out."""

import binascii
import os
import sys

from aliot.ota import choice
from aliot.ota.trees import mkdir

A, B = ord("a"), ord("b")
POWER, HARD, WATCHDOG, SLEEP, SOFT = 1, 2, 3, 4, 5
# (trial, good, other, starts, why), trees, cause -> what runs, (trial, good, other, starts, why)
TABLES = {
    "test_rows": [
        ("never updated", (0, 0, 0, 0, 0), "", HARD, "", (0, 0, 0, 0, 0)),
        ("good", (0, A, 0, 0, 0), "a", HARD, "a", (0, A, 0, 0, 0)),
        ("good is gone", (0, A, B, 0, 0), "b", HARD, "b", (0, A, B, 0, 0)),
        ("all are gone", (0, A, B, 0, 0), "", HARD, "", (0, A, B, 0, 0)),
        ("first start", (B, A, 0, 0, 0), "ab", HARD, "b", (B, A, 0, 1, 0)),
        ("third start", (B, A, 0, 2, 0), "ab", SOFT, "b", (B, A, 0, 3, 0)),
        ("fourth start", (B, A, 0, 3, 0), "ab", HARD, "a", (0, A, 0, 0, 2)),
        ("power is nobody's fault", (B, A, 0, 3, 0), "ab", POWER, "b", (B, A, 0, 3, 0)),
        ("watchdog", (B, A, 0, 1, 0), "ab", WATCHDOG, "a", (0, A, 0, 0, 1)),
        ("watchdog of the old release", (B, A, 0, 0, 0), "ab", WATCHDOG, "b", (B, A, 0, 1, 0)),
        ("trial is gone", (B, A, 0, 0, 0), "a", HARD, "a", (0, A, 0, 0, 3)),
        ("first update fails", (A, 0, 0, 1, 0), "a", WATCHDOG, "", (0, 0, 0, 0, 1)),
        ("clean-up waits", (0, A, B, 1, 0), "ab", HARD, "a", (0, A, B, 1, 0)),
    ]
}


def test_rows(name, state, trees, cause, runs, after):
    assert choice.choose(bytes(state), list(trees), cause) == (runs, bytes(after)), name


def test_every_state():
    count = 0
    for trial in (0, A, B):
        for good in (0, A, B):
            for other in (0, A, B):
                for starts in range(5):
                    for why in (0, 2):
                        for trees in ((), ("a",), ("b",), ("a", "b", "0", "1")):
                            for cause in (0, POWER, HARD, WATCHDOG, SLEEP, SOFT):
                                check(bytes((trial, good, other, starts, why)), trees, cause)
                                count += 1
    assert count == 27 * 5 * 2 * 4 * 6


def check(state, trees, cause):
    tree, after = choice.choose(state, trees, cause)
    trial, good, other, starts, _ = state
    there = [chr(code) for code in (good, other) if code and chr(code) in trees]
    fallback = there[0] if there else ""
    counts = cause != POWER
    if not trial:
        assert (tree, after) == (fallback, state)
    elif chr(trial) not in trees or cause == WATCHDOG and starts or counts and starts >= 3:
        assert tree == fallback and after[:4] == bytes((0, good, other, 0)) and after[4] in (1, 2, 3)
    else:
        assert tree == chr(trial) and after == bytes((trial, good, other, starts + counts, 0))
    assert after[1:3] == state[1:3], "what is good stays good"
    assert not tree or tree in trees
    again, last = choice.choose(after, trees, POWER)
    assert (again, last) == (tree, after), "a power-on changes nothing"


def test_the_newest_good_copy_counts():
    mkdir("/ota/r/x")
    one = bytearray(b"\0\0\0\x07" + bytes((0, A, 0, 0, 0)) + b"12345678")
    choice.write(one)
    assert one[:4] == b"\0\0\0\x08" and choice.read() == one
    older = file("/ota/r/0")
    one[5] = B
    choice.write(one)
    for torn in (b"", older[:10], b"\xff" * 64, older, None):
        for name in ("/ota/r/0", "/ota/r/1"):
            choice.write(one)
            if torn is None:
                os.remove(name)
            else:
                with open(name, "wb") as out:
                    out.write(torn)
            assert choice.read()[5] == B, (name, torn)
    for name in ("/ota/r/0", "/ota/r/1"):
        with open(name, "wb") as out:
            out.write(b"torn")
    assert not choice.read()


def test_a_longer_record_of_a_later_release_is_read():
    mkdir("/ota/r/x")
    one = bytearray(b"\0\0\0\x07" + bytes((0, A, 0, 0, 0)) + b"12345678and more")
    choice.write(one)
    assert choice.read() == one and len(one) == 25


def test_generations_outlive_a_byte():
    mkdir("/ota/r/x")
    one = bytearray(b"\0\0\xff\xff" + bytes(13))
    choice.write(one)
    assert choice.read()[:4] == b"\0\1\0\0"
    assert file("/ota/r/0") == file("/ota/r/1")
    assert binascii.crc32(file("/ota/r/0")[:-4]) == int.from_bytes(file("/ota/r/0")[-4:], "little")


def test_the_chosen_tree_takes_the_place_of_the_golden_one():
    path = list(sys.path)
    mkdir("/ota/a/main.py")
    mkdir("/ota/r/0")
    choice.write(bytearray(4) + bytes((0, A, 0, 0, 0)) + bytes(8))
    try:
        sys.path[:] = ["", ".frozen", "/lib"]
        sys.modules["aliot/ota/choice"] = choice
        assert choice.start() == "/ota/a"
        assert sys.path == ["/ota/a", ".frozen"] and os.getcwd() == "/ota/a"
    finally:
        sys.path[:] = path
        os.chdir("/")


def file(name):
    with open(name, "rb") as found:
        return found.read()
