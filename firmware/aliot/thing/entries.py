"""The entries of an outbox, read and marked; loaded while something waits in it."""

import json
from struct import unpack

from aliot.ticks import uptime
from micropython import const

_CLOCK = const(1000000000000)  # as in aliot.thing.outbox


def head(outbox, count=1, after=0):
    """The `count` oldest entries that wait, of those with a number above `after`: a list of tuples.

    (number, kind, params, time, id): `time` None when it is not known, `id` 0 when it was never sent. StoreError.
    """
    numbers = outbox.numbers
    first = 0
    while first < len(numbers) and numbers[first] <= after:
        first += 1
    last = min(first + count, len(numbers))
    entries = outbox.file.read(first, last) if outbox.file else outbox.places[first:last]
    found = []
    for at in range(first, last):
        entry = entries[at - first]
        time = outbox.times.get(numbers[at]) or unpack("<q", entry[:8])[0]
        end = 9 + entry[8]
        params = json.loads(str(entry[end:], "utf-8"))
        kind = str(entry[9:end], "utf-8")
        found.append((numbers[at], kind, params, time if time >= _CLOCK else None, outbox.ids[at]))
    return found


def sent(outbox, first, id, last=0):
    """The entries `first` to `last` (default: that one) are about to be sent in a message with this id.

    StoreError: the file does not take it, and a message that is sent all the same has another id after a reset.
    """
    last = last or first
    if outbox.file:
        outbox.file.sent(first, last, id)
    mark(outbox, first, last, id)


def mark(outbox, first, last, id):
    """Note the id of the entries `first` to `last`."""
    for at, number in enumerate(outbox.numbers):
        if first <= number <= last:
            outbox.ids[at] = id


def stamp(outbox, now):
    """The clock is set, and it is `now` (ms since 1970): what has no time and was never sent gets its own.

    It is the time of its put; of an entry that an earlier start put into the file the latest that it can have been.
    Returns how many got one; StoreError when the file does not take it.
    """
    if now < _CLOCK:
        return 0
    now -= uptime()
    found = 0
    for number, id in zip(outbox.numbers, outbox.ids):
        known = outbox.times.get(number, _CLOCK)
        if known < _CLOCK and not id:
            outbox.times[number] = known + now
            found += 1
    if found and outbox.file:
        outbox.file.compact()
    return found
