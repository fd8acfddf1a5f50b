"""What an update takes of the heap of a device that runs, over HTTPS and in MQTT blocks; a release for a fleet.

The device has a Thing. Growth is what is in use after each poll, beyond what was in use when the update was offered.
12 KB are aimed at: of what is above, 5 are the TLS context of the Unix port, of which a chip has 1.

A fleet's time is that of boards and cloud on this machine. Boards an hour is what the processor seconds of the cloud's
process allow, its answers to those who watch the batch among them.
"""

from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support.rollout import Rollout
from host_tests.support.updates import UpdateFleet, printed, until

HEAP = 150  # KB
GROWTH = {"HTTPS": 23, "MQTT": 18}  # KB
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


def measured(fleet, protocol, heap=HEAP):
    """{"grew": bytes, "polls", "size"} of one update."""
    board = fleet.updated(
        heap=f"{heap}K", inside="import gc; polls = [0, 0]; before = 0", prepare=THING, loop=LOOP, hooks=RESET
    )
    fleet.on(board)
    data = fleet.release(2)
    fleet.campaign(board, data, protocol=protocol)
    [line] = until(board, lambda: printed(board, "reset"), 120)
    board.power_off()
    return {**line, "size": len(data)}


def rolled_out(fleet, protocol):
    """The Rollout of a release to boards without faults."""
    found = Rollout(fleet, BOARDS)
    found.run((protocol, protocol))
    return found


def report(scale=1.0):
    with UpdateFleet.started() as fleet:
        found = {protocol: measured(fleet, protocol) for protocol in GROWTH}
        fleets = {protocol: rolled_out(fleet, protocol) for protocol in GROWTH}
    table = Table(
        f"An update of a device with a Thing, in a heap of {HEAP} KB",
        [Column("over"), Column("bytes"), Column("polls"), Column("KB of heap more", ".1f")],
    )
    for protocol, one in found.items():
        table.add(protocol, one["size"], one["polls"], one["grew"] / 1024)
    bounds = [
        Bound(f"heap that an update takes over {protocol}", one["grew"] / 1024, GROWTH[protocol], " KB")
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
