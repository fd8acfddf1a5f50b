"""The phases of a boot, on a board that registers, on one that has its secret, and for the bare script.

Times are taken as the board's lines come in. The phases: `mount` from power-on until /boot.py runs (the
interpreter's own start is in it), `load` until everything is imported, `identity` until the records were
read, `Wi-Fi`, `clock`, `register` until the secret was stored and read back, `connect` until CONNACK.

Flash reads are the blocks that littlefs reads from power-on; a chip reads the same ones, whatever it costs there.
"""

import time
from statistics import median

from host_tests.bench.boards import KINDS, BenchFleet
from host_tests.bench.report import Bound, Column, Report, Table
from tools.firmware import FOLDER

BOOTS = 9
READS = {"boot": 1500, "connected": 1700}  # flash reads to a state on `MINIMAL`, at most
MINIMAL = "examples/minimal.py, later boot"
LATER = f"main.py, {KINDS['unique']}, later boot"
BEFORE = 1049, 1253  # the same, before there was a thing model, which this application does not import
BEYOND = 500  # flash reads of main.py, which has a Thing, beyond those
PHASES = ("mount", "load", "identity", "Wi-Fi", "clock", "register", "connect")
MOUNTED = b'print("mounted")\n'
MAIN = b"""
from aliot.device import Device
from aliot.wifi import Wifi
print("loaded")
device = Device({}, Wifi("bench", "password"))
device.start()
while True:
    device.poll(50)
"""
CONNECT = """
client.connect()
print('{"aliot":"connected"}')
while True:
    client.wait_msg()
"""
# what a line begins with -> the phase that it ends
ENDS = {
    "mounted": "mount",
    "loaded": "load",
    '{"aliot":"boot"': "identity",
    '{"aliot":"wifi"': "Wi-Fi",
    "wifi": "Wi-Fi",
    '{"aliot":"clock"': "clock",
    "clock": "clock",
    '{"aliot":"stored"': "register",
    '{"aliot":"connected"': "connect",
}


def report(scale=1.0):
    boots = max(3, round(BOOTS * scale))
    with BenchFleet.started() as fleet:
        taken = measure(fleet, boots)
        reads = count(fleet)
    table = Table(
        f"Milliseconds, medians of {boots} boots in turn",
        [Column("boot"), *(Column(phase, ".0f") for phase in PHASES), Column("in all", ".0f")],
    )
    for name, found in taken.items():
        middle = {phase: median(one[phase] for one in found) for phase in found[0]}
        table.add(name, *(middle.get(phase) for phase in PHASES), median(sum(one.values()) for one in found))
    return Report([table, table_of_reads(reads)], bounds(reads))


def table_of_reads(reads):
    table = Table(
        "Flash reads from power-on", [Column("boot"), *(Column(f"to `{state}`") for state in READS)]
    )
    for name, boot in reads.items():
        table.add(name, *(boot.reads_at(state) for state in READS))
        if name == MINIMAL:
            table.add("the same, before the thing model", *BEFORE)
    return table


def bounds(reads):
    return [
        Bound(f"flash reads to `{state}`, {MINIMAL}", reads[MINIMAL].reads_at(state), limit)
        for state, limit in READS.items()
    ] + [
        Bound(
            f"flash reads to `{state}` beyond that, main.py",
            reads[LATER].reads_at(state) - reads[MINIMAL].reads_at(state),
            BEYOND,
        )
        for state in READS
    ]


def count(fleet):
    """{boot: its Boot}: of main.py (the kinds that boot soonest and latest), of the least application, of no aliot."""
    boots = {}
    for kind in ("unique", "https"):
        board = fleet.board(kind)
        for which in ("first boot", "later boot"):
            boots[f"main.py, {KINDS[kind]}, {which}"] = board.boot(until="connected")
    board = fleet.board("unique", {"/main.py": (FOLDER / "examples" / "minimal.py").read_bytes()})
    board.boot(until="connected")
    boots[MINIMAL] = board.boot(until="connected")
    boots["bare umqtt.simple, verified"] = fleet.bare("verified", CONNECT).boot(until="connected")
    return boots


def measure(fleet, boots):
    """{boot: [{phase: milliseconds}, ...]}, taken in turn."""
    taken = {}
    files = {"/boot.py": MOUNTED + (FOLDER / "boot.py").read_bytes(), "/main.py": MAIN}
    for _ in range(boots):
        for kind in KINDS:
            stamps = Stamps()
            board = fleet.board(kind, files, log=stamps)
            for which in ("first boot", "later boot"):
                taken.setdefault(f"{KINDS[kind]}, {which}", []).append(phases(board, stamps))
        stamps = Stamps()
        bare = fleet.bare("verified", CONNECT, {"/boot.py": MOUNTED}, log=stamps)
        taken.setdefault("bare umqtt.simple, verified", []).append(phases(bare, stamps))
    return taken


class Stamps:
    """Called with each line that a board prints; `lines` holds (seconds, line)."""

    def __init__(self):
        self.lines = []

    def __call__(self, line):
        self.lines.append((time.perf_counter(), line))


def phases(board, stamps):
    """{phase: milliseconds} of one boot."""
    stamps.lines.clear()
    began = time.perf_counter()
    boot = board.boot(until="connected")
    if not boot.state("connected"):
        raise RuntimeError("\n".join(boot.lines))
    return split(began, stamps.lines)


def split(began, lines):
    """{phase: milliseconds} from power-on and the board's lines; a phase ends with the last of its lines."""
    ends = {}
    for at, line in lines:
        phase = next((phase for start, phase in ENDS.items() if line.startswith(start)), None)
        if phase:
            ends[phase] = at
    taken, before = {}, began
    for phase in PHASES:
        if phase in ends:
            taken[phase], before = (ends[phase] - before) * 1000, ends[phase]
    return taken
