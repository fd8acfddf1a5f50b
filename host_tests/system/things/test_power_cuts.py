"""Power goes at flash operations of a Thing whose outbox is a file, while it posts offline, sends, and posts online.

After the next boot everything has arrived that post() had returned for, in order; again only under the id and the time
that it had, and of what had arrived at most seven entries; application.md 3.5.
"""

import random

from host_tests.support.fleet import MICROPYTHON, printed
from host_tests.support.things import ThingFleet
from host_tests.system.things.test_outages import entries

FLEET = ThingFleet
AGAIN = 7  # entries whose acknowledgements wait for the next write
OFFLINE, ONLINE = 6, 12  # posts of a boot
THING = f"""
import os
from aliot.thing import Outbox, Thing
served = thing = Thing(device, None, Outbox(60, 16384, "/outbox"))
number = int.from_bytes(os.urandom(2), "little") * 100
def post(count, poll):
    global number
    for _ in range(count):
        number += 1
        thing.post(Count=number)
        report(app="put", value=number)
        poll()
def deliver():
    while not thing.poll(20) or len(thing.outbox):
        pass
def day():
    post({OFFLINE}, int)  # before it has joined
    deliver()
    post({ONLINE}, thing.poll)
    deliver()
    thing.poll(1000)  # the newest of a history follows it
    report(aliot="delivered")
    while True:
        thing.poll(20)
"""


@MICROPYTHON
def test_nothing_that_was_posted_is_lost(fleet, campaign, tally):
    whole = delivered(fleet.board(THING, run="day()"))
    assert whole.operations > 7 * (OFFLINE + ONLINE)
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    count = min(campaign(3), whole.operations)
    for place in range(count):  # one of each part of the day
        operation = 1 + (place * whole.operations + draw.randrange(whole.operations)) // count
        board = fleet.board(THING, run="day()")
        cut = board.boot(until="delivered", cut_at=operation, torn=draw.random() < 0.5)
        assert cut.reason == "power cut", (seed, operation, cut.lines)
        before = values(board)
        delivered(board)
        arrived(fleet, board, before, values(board), f"seed {seed}, operation {operation}")
        board.flash.unlink()
        tally("power cuts")


def delivered(board):
    boot = board.boot(until="delivered")
    assert boot.state("delivered") and not boot.state("error"), boot.lines
    return boot


def values(board):
    """Of what post() has returned for in the boot that just was."""
    return [line["value"] for line in printed(board, "put")]


def arrived(fleet, board, before, after, where):
    posts = [entries(message) for message in fleet.messages(board, "/post")]
    sent = [one for post in posts for one in post]
    firsts = list(dict.fromkeys(value for value, _, _ in sent))
    more = [value for value in firsts if value not in before + after]
    assert len(more) <= 1, where  # the one that was on its way into the file
    assert [value for value in firsts if value not in more] == before + after, where
    times = {value: time for value, time, _ in sent}
    assert all(times[value] == time for value, time, _ in sent), where
    ids = {value: [number for one, _, number in sent if one == value] for value in firsts}
    newest = {value for value in firsts if len(set(ids[value])) > 1}
    again = [value for value in firsts if len(ids[value]) > len(set(ids[value]))]
    # the newest of a history follows it as the current value; how many histories there are is a matter of the link
    assert newest <= {post[-1][0] for post in posts if len(post) > 1}, (where, ids)
    assert len(again) <= AGAIN, (where, ids)
