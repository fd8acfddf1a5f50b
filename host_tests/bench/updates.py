"""What an update takes of the heap of a device that runs, and how fast it comes in; a release for a fleet.

The device has a Thing. Growth is what is in use after each poll, beyond what was in use when the update was offered;
the pool of names, which doubles at some name or other, has doubled before. An emulated board writes flash in no time
and its processor is the host's: what its download takes is what the board waits for. Blocks over MQTT are eight a
second at most, by the platform's rule.

A fleet's time is that of boards and cloud on this machine. Boards an hour is what the processor seconds of the cloud's
process allow, its answers to those who watch the batch among them.
"""

from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support.rollout import Rollout
from host_tests.support.updates import UpdateFleet, printed, until

HEAP = 150  # KB
GROWTH = 12  # KB
NAMES = "exec('\\n'.join(['name_%d = 0' % number for number in range(120)]))"
THING = """
    from aliot.thing import Thing
    thing = Thing(device)
    @thing.property("Interval")
    def interval(seconds):
        return seconds
"""
# counts the polls of an update, and what is in use after each
LOOP = """
        thing.poll(0)
        gc.collect()
        used = gc.mem_alloc()
        if updates.update:
            polls[0] += 1
            polls[1] = max(polls[1], used - before)
        elif device.connected:
            before = used
"""
BOARDS = 20
AN_HOUR = 10000
RESET = 'on_reset=lambda: say(app="reset", polls=polls[0], grew=polls[1])'
# how long a download takes by itself: from the first byte that was taken to the last one
TIMED = """
        thing.poll(0)
        writer = updates.update and updates.update.writer
        if writer and writer.at and not began:
            began = time.ticks_us()
        if writer and writer.at and writer.at == updates.update.task["size"] and not polls[0]:
            polls[0] = time.ticks_diff(time.ticks_us(), began)
"""
TOOK = 'on_reset=lambda: say(app="reset", took=polls[0])'


def measured(fleet, protocol, heap=HEAP):
    """{"grew": bytes, "polls", "size"} of one update."""
    inside = f"import gc; {NAMES}; polls = [0, 0]; before = 0"
    board = fleet.updated(heap=f"{heap}K", inside=inside, prepare=THING, loop=LOOP, hooks=RESET)
    return updated(fleet, board, protocol)


def updated(fleet, board, protocol):
    """What a board prints before the reset of an update, and the size of its package."""
    fleet.on(board)
    data = fleet.release(2)
    fleet.campaign(board, data, protocol=protocol)
    [line] = until(board, lambda: printed(board, "reset"), 120)
    board.power_off()
    return {**line, "size": len(data)}


def speed(fleet, protocol):
    """KB a second of a download, all that an update does with it included."""
    inside = "import time; polls = [0]; began = 0"
    board = fleet.updated(heap=f"{HEAP}K", inside=inside, prepare=THING, loop=TIMED, hooks=TOOK)
    found = updated(fleet, board, protocol)
    return found["size"] / 1024 / (found["took"] / 1e6)


def rolled_out(fleet, protocol):
    """The Rollout of a release to boards without faults."""
    found = Rollout(fleet, BOARDS)
    found.run((protocol, protocol))
    return found


def report(scale=1.0):
    with UpdateFleet.started() as fleet:
        found = {protocol: measured(fleet, protocol) for protocol in ("HTTPS", "MQTT")}
        speeds = {protocol: speed(fleet, protocol) for protocol in found}
        fleets = {protocol: rolled_out(fleet, protocol) for protocol in found}
    table = Table(
        f"An update of a device with a Thing, in a heap of {HEAP} KB",
        [
            Column("over"),
            Column("bytes"),
            Column("polls"),
            Column("KB of heap more", ".1f"),
            Column("KB/s", ".0f"),
        ],
    )
    for protocol, one in found.items():
        table.add(protocol, one["size"], one["polls"], one["grew"] / 1024, speeds[protocol])
    bounds = [
        Bound(f"heap that an update takes over {protocol}", one["grew"] / 1024, GROWTH, " KB")
        for protocol, one in found.items()
    ]
    bounds += [
        Bound(f"boards an hour by one cloud process over {protocol}", an_hour(one), AN_HOUR, least=True)
        for protocol, one in fleets.items()
    ]
    return Report([table, table_of_fleets(fleets)], bounds)


def table_of_fleets(fleets):
    table = Table(
        f"A release for {BOARDS} boards, a quarter of them first",
        [
            Column("over"),
            Column("bytes a board"),
            Column("seconds in all", ".1f"),
            Column("ms of the cloud a board", ".0f"),
            Column("boards an hour, of one cloud process", ".0f"),
        ],
    )
    for protocol, one in fleets.items():
        table.add(protocol, len(one.release), one.seconds, one.cpu / BOARDS * 1000, an_hour(one))
    return table


def an_hour(rollout):
    return 3600 * BOARDS / rollout.cpu
