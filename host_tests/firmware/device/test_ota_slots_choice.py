"""What a board with two slots runs: every record, firmware, state and cause, against what must hold of each."""

from aliot.ota import slots

A, B = ord("a"), ord("b")
POWER, HARD, WATCHDOG, SOFT = 1, 2, 3, 5
ONE = b"\x11firmware"  # the pair of what lies in a slot
TWO = b"\x12another "
NONE = bytes(9)
PENDING, VALID = 1, 2


def made(trial, good, other, starts=0):
    """A record of three (tree, pair)."""
    record = bytearray(b"\0\0\0\x07") + bytes((trial[0], good[0], other[0], starts, 0)) + b"manifest"
    for _, pair in (trial, good, other):
        record += pair + bytes(4)
    return record + b"\0"


TABLES = {
    "test_rows": [
        ("good", ((0, NONE), (A, ONE), (0, NONE), 0), HARD, ONE, VALID, "a"),
        ("golden with a firmware", ((0, NONE), (0, TWO), (0, ONE), 0), HARD, TWO, VALID, ""),
        ("the good one of the other slot", ((0, NONE), (A, ONE), (0, NONE), 0), HARD, TWO, None, None),
        (
            "the one before, where the bootloader fell back",
            ((0, NONE), (A, ONE), (B, TWO), 0),
            HARD,
            TWO,
            None,
            "b",
        ),
        ("first start of both", ((B, TWO), (A, ONE), (0, NONE), 0), HARD, TWO, PENDING, "b"),
        ("firmware alone", ((A, TWO), (A, ONE), (0, NONE), 0), HARD, TWO, PENDING, "a"),
        ("firmware alone, golden tree", ((0, TWO), (0, ONE), (0, NONE), 0), HARD, TWO, PENDING, ""),
        ("taken back", ((B, TWO), (A, ONE), (0, NONE), 1), HARD, ONE, VALID, "a"),
        ("marked, and not written any more", ((B, TWO), (A, ONE), (0, NONE), 1), HARD, TWO, VALID, "b"),
        ("its tree is gone", ((66, TWO), (A, ONE), (0, NONE), 0), HARD, TWO, PENDING, None),
        ("files alone", ((B, ONE), (A, ONE), (0, NONE), 2), SOFT, ONE, VALID, "b"),
        ("files alone, fourth start", ((B, ONE), (A, ONE), (0, NONE), 3), SOFT, ONE, VALID, "a"),
        ("firmware of a cable", ((0, NONE), (A, ONE), (B, TWO), 0), HARD, b"\x11cable's ", VALID, ""),
    ]
}


def test_rows(name, record, cause, here, state, runs):
    assert slots.choose(made(*record), ["a", "b"], cause, here, state) == runs, name


def test_every_record():
    entries = [(tree, pair) for tree in (0, A, B) for pair in (NONE, ONE, TWO) if pair != NONE or not tree]
    count = 0
    for trial in entries:
        for good in entries:
            for other in entries:
                for here, state in ((ONE, VALID), (TWO, PENDING), (TWO, VALID), (TWO, None)):
                    for cause in (POWER, HARD, WATCHDOG):
                        for starts in (0, 1, 3):
                            check(trial, good, other, starts, cause, here, state)
                            count += 1
    assert count == 7 * 7 * 7 * 4 * 3 * 3


def check(trial, good, other, starts, cause, here, state):
    record = made(trial, good, other, starts)
    tree = slots.choose(record, ["a"], cause, here, state)
    known = [(record[4 + at], bytes(record[17 + 13 * at : 26 + 13 * at])) for at in range(3)]
    assert known[1:] in ([good, other], [trial, good]), (
        "what is good stays good, or what was marked becomes it"
    )
    if known[1] != good:
        assert state == VALID and trial[1] == here
    if trial[1] == here and trial[1] != good[1] and state == VALID:
        assert known[1] == trial, "the mark makes it good"
    assert known[0][1] in (NONE, here), "nothing of another firmware stays on trial"
    if tree is None:
        assert known[1][1] not in (NONE, here) and known[1][1][0] != here[0]
    elif tree or any([entry[1] == here and not entry[0] for entry in known]):
        assert [entry for entry in known if entry == (ord(tree) if tree else 0, here)], (
            "the tree of this firmware"
        )
    again = slots.choose(record, ["a"], POWER, here, state)
    assert again == tree, "a power-on of the same firmware changes nothing"
