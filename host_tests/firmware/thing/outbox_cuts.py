"""An outbox's file against a simple reference, with power cuts: host_tests/firmware/test_outbox.py asks.

The reference is a list of what was put. After a restart the file has to hold what was accepted and neither dropped nor
acknowledged, in order, with the same ids and times; beside it at most what was acknowledged since the last write.
"""

import json
import os
import random

from aliot.errors import StoreError
from aliot.thing import entries, outbox
from nor_flash import Flash

PATH = "/outbox"
NOW = 1800000000000
BOUNDS = (12, 900)  # messages, bytes


class Outbox(outbox.Outbox):
    """With what aliot.thing.entries does to one as methods."""

    head, sent, stamp = entries.head, entries.sent, entries.stamp


class Reference:
    """`entries` [number, kind, params, time or None, id] wait, `ended` were acknowledged and may be in the file yet."""

    def __init__(self, messages, size):
        self.bounds = messages, size
        self.entries = []
        self.ended = []
        self.dropped = 0
        self.next = 1

    def copy(self):
        made = Reference(*self.bounds)
        made.entries = [list(entry) for entry in self.entries]
        made.ended = list(self.ended)
        made.dropped = self.dropped
        made.next = self.next
        return made

    def put(self, kind, params, time, id):
        self.entries.append([self.next, kind, params, time, id])
        self.next += 1
        messages, size = self.bounds
        while len(self.entries) > messages or sum([weight(entry) for entry in self.entries]) > size:
            self.entries.pop(0)
            self.dropped += 1
        self.ended = []

    def sent(self, first, id, last):
        for entry in self.entries:
            if first <= entry[0] <= last:
                entry[4] = id
        self.ended = []

    def acknowledged(self, id):
        self.ended = self.ended + [entry for entry in self.entries if entry[4] == id]
        self.entries = [entry for entry in self.entries if entry[4] != id]
        if len(self.ended) >= 8:
            self.ended = []

    def flush(self):
        self.ended = []

    def stamp(self, now):
        for entry in self.entries:
            if entry[3] is None and not entry[4]:
                entry[3] = "stamped"
                self.ended = []

    def why_not(self, outbox):
        """What an outbox that was just read lacks or has too much, or None."""
        found = [list(entry) for entry in outbox.head(1000)]
        numbers = [entry[0] for entry in found]
        if numbers != sorted(numbers):
            return "order"
        wanted = dict([(entry[0], entry) for entry in self.entries])
        more = dict([(entry[0], entry) for entry in self.ended])
        for entry in found:
            known = wanted.pop(entry[0], None) or more.get(entry[0])
            if not known:
                return "%r is there" % (entry,)
            if known[3] == "stamped":
                known = (
                    known[:3] + entry[3:4] + known[4:] if entry[3] and entry[3] <= NOW + 1000000 else known
                )
            if entry != known:
                return "%r, not %r" % (entry, known)
        if wanted:
            return "%r are lost" % list(wanted)
        if outbox.dropped != self.dropped or outbox.next < self.next:
            return "dropped %d, not %d; next %d, not %d" % (
                outbox.dropped,
                self.dropped,
                outbox.next,
                self.next,
            )

    def adopt(self, outbox):
        """Go on from what an outbox has."""
        self.entries = [list(entry) for entry in outbox.head(1000)]
        self.ended = []
        self.next = outbox.next


def weight(entry):
    return 9 + len(entry[1].encode()) + len(json.dumps(entry[2], separators=(",", ":")).encode())


def check(candidates, outbox):
    problems = [candidate.why_not(outbox) for candidate in candidates]
    assert None in problems, "; ".join(problems)
    return candidates[problems.index(None)]


def step(draw):
    """(method, arguments) of a random call; ids are 1 to 30, so that some stand in more entries and some in none."""
    what = draw(20)
    if what < 9:
        params = {"N": draw(1000), "T": "x" * (draw(4) and draw(120))}
        time = None if draw(3) == 0 else NOW + draw(100000)
        return "put", ("property" if draw(4) else "alarm", params, time, draw(3) and draw(30))
    if what < 12:
        return "sent", (-draw(12), 1 + draw(30), draw(4))
    if what < 18:
        return "acknowledged", (draw(31),)
    return ("flush", ()) if what == 18 else ("stamp", (NOW + 200000,))


def act(outbox, reference, method, arguments):
    """Do the same to both; a `first` of sent() counts from the next number back."""
    if method == "sent":
        first = max(1, outbox.next + arguments[0])
        arguments = (first, arguments[1], first + arguments[2])
    getattr(outbox, method)(*arguments)
    if method != "acknowledged" or arguments[0]:
        getattr(reference, method)(*arguments)
    settle(reference, outbox)


def settle(reference, outbox):
    """Take the times that a stamp gave from the outbox; what had one keeps it."""
    times = dict([(entry[0], entry[3]) for entry in outbox.head(1000)])
    for entry in reference.entries:
        if entry[3] == "stamped":
            entry[3] = times[entry[0]]
            assert NOW - 10000000000 < entry[3] <= NOW + 200000, entry


def sequence(value):
    """`count` random calls from `seed` on, power going now and then; returns nothing, or fails with what was lost."""
    random.seed(value["seed"])
    draw = random.randrange
    flash = Flash(draw(12, 24))
    outbox = Outbox(*BOUNDS, path=PATH)
    reference = Reference(*BOUNDS)
    for at in range(value["count"]):
        if draw(6) == 0 and not flash.cut_at:
            flash.cut(1 + draw(30), draw(2))
        before = reference.copy()
        method, arguments = step(draw)
        act(outbox, reference, method, arguments)
        if flash.dark or draw(25) == 0:
            candidates = [reference, before] if flash.dark else [reference]
            flash.restart()
            outbox = Outbox(*BOUNDS, path=PATH)
            reference = check(candidates, outbox)
            reference.adopt(outbox)
        else:
            assert reference.why_not(outbox) is None, (at, method, reference.why_not(outbox))


def every_operation(value):
    """`count` random calls from `seed` on; the file is read as each of their flash operations, cut off, leaves it."""
    random.seed(value["seed"])
    draw = random.randrange
    flash = Flash(12)
    outbox = Outbox(*BOUNDS, path=PATH)
    reference = Reference(*BOUNDS)
    cuts = 0
    for at in range(value["count"]):
        before = reference.copy()
        for _ in flash.cuts(lambda: act(outbox, reference, *step(draw))):
            after_cut(before, reference)
            cuts += 1
        assert not at or outbox.file.torn is False
    assert cuts > value["count"]


def after_cut(before, after):
    """What a start finds, and that the file takes more from there on."""
    outbox = Outbox(*BOUNDS, path=PATH)
    found = check([after, before], outbox).copy()
    found.adopt(outbox)
    outbox.put("alarm", {"probe": 1}, NOW)
    found.put("alarm", {"probe": 1}, NOW, 0)
    assert found.why_not(Outbox(*BOUNDS, path=PATH)) is None, "what was put after the cut is lost"


def spoiled(value):
    """Bytes of the file change, `count` times: what is found was put, in order, and the file takes more."""
    random.seed(value["seed"])
    draw = random.randrange
    Flash(12)
    for _ in range(value["count"]):
        outbox = Outbox(*BOUNDS, path=PATH)
        reference = Reference(*BOUNDS)
        known = {}
        for at in range(draw(1, 20)):
            method, arguments = step(draw) if at else ("put", ("property", {}, NOW, 0))
            act(outbox, reference, method, arguments)
            known.update([(entry[0], entry[1:3]) for entry in reference.entries])
        with open(PATH, "r+b") as file:
            for _ in range(draw(1, 6)):
                file.seek(draw(max(1, outbox.file.size)))
                file.write(bytes([draw(256)]) * (1 + draw(3)))
        after_spoiling(known)
        os.remove(PATH)


def after_spoiling(known):
    outbox = Outbox(*BOUNDS, path=PATH)
    found = outbox.head(1000)
    numbers = [entry[0] for entry in found]
    assert numbers == sorted(set(numbers)), numbers
    assert all([list(entry[1:3]) == known[entry[0]] for entry in found]), found
    number = outbox.put("alarm", {}, NOW)
    kept = [entry[0] for entry in Outbox(*BOUNDS, path=PATH).head(1000)]
    assert kept == (numbers + [number])[-len(kept) :], kept


def full(value):
    """A file system that is full refuses a put; what was accepted stays, and there is room again after it was sent."""
    flash = Flash(6)
    outbox = Outbox(1000, 60000, PATH)
    reference = Reference(1000, 60000)
    with open("/filler", "wb") as file:
        file.write(b"x" * 8000)
    refused = 0
    for number in range(1, 60):
        try:
            outbox.put("property", {"T": "x" * 150}, NOW, number)
            reference.put("property", {"T": "x" * 150}, NOW, number)
        except StoreError:
            refused += 1
            assert reference.why_not(outbox) is None, reference.why_not(outbox)
    assert refused and len(outbox) > 5, (refused, len(outbox))
    flash.restart()
    outbox = Outbox(1000, 60000, PATH)
    assert reference.why_not(outbox) is None, reference.why_not(outbox)
    os.remove("/filler")
    for number in range(1, 20):
        outbox.acknowledged(number)
        reference.acknowledged(number)
    assert outbox.put("property", {}, NOW) == reference.next
    reference.put("property", {}, NOW, 0)
    assert reference.why_not(Outbox(1000, 60000, PATH)) is None


def cost(value):
    """Flash operations and erases of a put, over `count` of them, each acknowledged; no more than `most` of them."""
    flash = Flash(64)
    outbox = Outbox(path=PATH)
    flash.operations = flash.erases = 0
    for number in range(1, value["count"] + 1):
        outbox.put("property", {"Temperature": 21.5, "Humidity": 40, "N": number}, NOW + number, number)
        outbox.acknowledged(number)
    operations = flash.operations / value["count"]
    erases = flash.erases / value["count"]
    assert operations <= value["most"][0] and erases <= value["most"][1], (operations, erases)
