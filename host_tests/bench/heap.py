"""Heap: what is in use when connected, and the smallest heap in which each kind, and each fault, passes.

The application is the firmware's own main.py. A first boot passes when the property it posts is acknowledged,
and nothing before that was an error or a retry. The smallest heap is found by halving, and is one in which
three boots in a row passed. The port's share is what the emulated chip's modules take of the same heap; a
chip has them in its firmware.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from host_tests.bench.boards import KINDS, BenchFleet
from host_tests.bench.link import SCRIPTS
from host_tests.bench.report import Bound, Column, Report, Table
from tools.emulator.board.boot import BoardError
from tools.firmware import FOLDER

LOW, HIGH = 16, 160  # KB between which the smallest heap is looked for
HEAP, SHARE, PLAIN = 112, 24, 55  # KB: the rule, the port's share of it, a plain device beyond that
BEFORE = 52.4  # KB of that plain device, before there was a thing model
THING = 14  # KB of main.py, which has a Thing, beyond the plain device
MINIMAL = "examples/minimal.py, unique certificate"
SURE = 3
TROUBLE = ("error", "offline", "refused")
PATIENCE = 20  # seconds for one state of one boot
ACKNOWLEDGED = '"acknowledged", "code": 200'
BARE = """
client.connect()
print('{"aliot":"connected"}')
client.publish(TOPIC, b'{"id":"1","version":"1.0","params":{"Uptime":1234,"FreeMemory":56789}}', False, 1)
print('{"app": "acknowledged", "code": 200}')
"""


@dataclass(frozen=True)
class Case:
    """Something whose smallest heap is asked for: `passes(KB)` boots a new board in that heap."""

    name: str
    kind: str  # "boot", "script" or "fault"
    passes: Callable


def report(scale=1.0):
    with BenchFleet.started() as fleet, ThreadPoolExecutor(2) as pool:
        in_use = {name: used(board) for name, board in boards(fleet)}
        cases = list(all_cases(fleet))
        least = list(pool.map(lambda case: smallest(case.passes, LOW, HIGH), cases))
        boots = [case for case in cases if case.kind == "boot"] * max(1, round(SURE * scale))
        passed = list(pool.map(lambda case: case.passes(HEAP), boots))
    share = max(heap["port"] for heap in in_use.values()) / 1024
    boot, fault = (worst(cases, least, kind) for kind in ("boot", "fault"))
    return Report(
        [table_of_use(in_use), table_of_least(cases, least, share)],
        [
            Bound("smallest heap for a first boot, the worst kind of board", boot, HEAP, " KB"),
            Bound(f"of {len(passed)} first boots in a heap of {HEAP} KB, failed", passed.count(False), 0),
            Bound("smallest heap for what may go wrong, the worst case", fault, HEAP, " KB"),
            Bound("the port's share of the heap", share, SHARE, " KB"),
            Bound(f"heap in use beyond the port's share, {MINIMAL}", beyond(in_use[MINIMAL]), PLAIN, " KB"),
            Bound(
                "heap in use beyond that, main.py",
                beyond(in_use[KINDS["unique"]]) - beyond(in_use[MINIMAL]),
                THING,
                " KB",
            ),
        ],
    )


def table_of_use(in_use):
    names = ("in all", "the port", "without the port")
    table = Table(
        "KB of heap in use when connected", [Column("board"), *(Column(name, ".1f") for name in names)]
    )
    for name, heap in in_use.items():
        table.add(name, heap["used"] / 1024, heap["port"] / 1024, beyond(heap))
        if name == MINIMAL:
            table.add("the same, before the thing model", None, None, BEFORE)
    return table


def beyond(heap):
    """KB in use without the port's share."""
    return (heap["used"] - heap["port"]) / 1024


def table_of_least(cases, least, share):
    columns = [Column("what"), Column("in all"), Column("without the port", ".0f")]
    table = Table(f"Smallest heap in KB in which {SURE} boots in a row pass", columns)
    for case, size in zip(cases, least):
        table.add(case.name, size, None if size is None else size - share)
    return table


def worst(cases, least, kind):
    """The largest of the smallest heaps of a kind; None when one has none."""
    sizes = [size for case, size in zip(cases, least) if case.kind == kind]
    return None if None in sizes else max(sizes)


# --- what is tried


def boards(fleet):
    """(name, board) whose heap in use is measured when it is connected: one for each kind and each script."""
    for kind, text in KINDS.items():
        yield text, fleet.board(kind, heap=f"{HEAP}K", measure="connected")
    minimal = {"/main.py": (FOLDER / "examples" / "minimal.py").read_bytes()}
    yield MINIMAL, fleet.board("unique", minimal, heap=f"{HEAP}K", measure="connected")
    for style, text in SCRIPTS.items():
        yield text, fleet.bare(style, BARE, heap=f"{HEAP}K", measure="connected")


def used(board):
    """{"port", "used", "free"} in bytes when the board is connected."""
    boot = board.boot(until="connected")
    if not boot.heap:
        raise RuntimeError("\n".join(boot.lines))
    return boot.heap


def all_cases(fleet):
    """Every Case."""
    for kind, text in KINDS.items():
        yield Case(
            f"first boot, {text}", "boot", lambda kb, kind=kind: posts(fleet.board(kind, heap=f"{kb}K"))
        )
    for style, text in SCRIPTS.items():
        yield Case(text, "script", lambda kb, style=style: posts(fleet.bare(style, BARE, heap=f"{kb}K")))
    for kind, text in KINDS.items():
        yield Case(
            f"refused, {text}",
            "fault",
            lambda kb, kind=kind: refused(fleet.board(kind, wrong=True, heap=f"{kb}K")),
        )
    for kind in ("https", "regnwl"):
        yield Case(
            f"boot after a power cut while storing, {KINDS[kind]}",
            "fault",
            lambda kb, kind=kind: recovers(fleet, kind, kb),
        )
    yield Case("connection lost and made again", "fault", lambda kb: returns(fleet, kb))


def posts(board):
    """Does a boot get as far as an acknowledged property without any trouble on the way?"""
    return stepwise(board, lambda: board.wait_line(ACKNOWLEDGED, PATIENCE)) and not trouble(board)


def refused(board):
    """Is a refusal told with its code and advice, and does the board go on?"""

    def reported():
        state = board.wait_for(lambda state: state["aliot"] in TROUBLE, PATIENCE)
        return state["aliot"] == "refused" and state["advice"] and goes_on(board)

    return stepwise(board, reported)


def recovers(fleet, kind, kb):
    """Does a boot after a power cut in the middle of storing post, in that heap?"""
    board = fleet.board(kind, heap=f"{HEAP}K")
    cut = board.boot(until="connected", cut_at=2, torn=True, timeout=PATIENCE)
    if cut.reason != "power cut":
        raise RuntimeError("\n".join(cut.lines))
    board.heap = f"{kb}K"
    return posts(board)


def returns(fleet, kb):
    """Is a connection that the cloud ends made again, and does the board post again?"""
    board = fleet.board("https", heap=f"{kb}K")

    def again():
        board.wait_line(ACKNOWLEDGED, PATIENCE)
        fleet.cloud.act(board.product_key, board.device_name, "kick", {})
        board.wait_for(lambda state: state["aliot"] == "offline", PATIENCE)
        board.wait_for("connected", PATIENCE)
        return not trouble(board, allowed="offline")

    return stepwise(board, again)


def goes_on(board):
    """Is the board still there, and has it not run into an error, a moment after it was refused?"""
    try:
        board.wait_for(lambda state: state["aliot"] in ("error", "boot"), 0.3)
    except BoardError:
        return board.on and board.run.reason is None
    return False


def stepwise(board, steps):
    """`steps()` on a board that is on for as long; what a board did not do is False."""
    board.start()
    try:
        return bool(steps())
    except BoardError:
        return False
    finally:
        board.power_off()
        board.flash.unlink()


def trouble(board, allowed=None):
    return any(state["aliot"] in TROUBLE and state["aliot"] != allowed for state in board.run.states)


# --- the search


def smallest(passes, low, high, sure=SURE):
    """The smallest n from low to high for which passes(n) holds `sure` times in a row; None if there is none.

    Below it nothing is promised: passes() may hold now and then. It is taken to hold more often for larger n.
    """
    if not passes(high):
        return None
    below, above = low - 1, high
    while above - below > 1:
        middle = (below + above) // 2
        if passes(middle):
            above = middle
        else:
            below = middle
    while above <= high:
        if all(passes(above) for _ in range(sure)):
            return above
        above += 1
    return None
