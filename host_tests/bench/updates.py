"""What an update takes of the heap of a device that runs, and its time, over HTTPS and in MQTT blocks.

The device has a Thing. Growth is what is in use after each poll, beyond what was in use when the update was offered.
12 KB are aimed at: of what is above, 5 are the TLS context of the Unix port, of which a chip has 1.
"""

from host_tests.bench.report import Bound, Column, Report, Table
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


def report(scale=1.0):
    with UpdateFleet.started() as fleet:
        found = {protocol: measured(fleet, protocol) for protocol in GROWTH}
    table = Table(
        f"An update of a device with a Thing, in a heap of {HEAP} KB",
        [Column("over"), Column("bytes"), Column("polls"), Column("KB of heap more", ".1f")],
    )
    for protocol, one in found.items():
        table.add(protocol, one["size"], one["polls"], one["grew"] / 1024)
    return Report(
        [table],
        [
            Bound(f"heap that an update takes over {protocol}", one["grew"] / 1024, GROWTH[protocol], " KB")
            for protocol, one in found.items()
        ],
    )
