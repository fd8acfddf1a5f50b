"""Connect and QoS 1 round trips: aliot beside umqtt.simple; same interpreter, heap, TLS, root and cloud.

Four boards are on at once and wait; one after another gets the order to connect, publish and disconnect, and
tells how long that took. Ratios are taken within a round, between orders that follow one another at once, so
that a machine that is busy for a while is so for both. The two that wait 40 ms and more for each packet have
fewer rounds.
"""

from statistics import median

from host_tests.bench.boards import FOLDER, BenchFleet, device_module
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.bench.umqtt_scripts import ORDERS
from tools.image import release

ROUNDS, PUBLISHES = 120, 20
SELDOM = 12  # the slow scripts take part in every twelfth round
HEAP = "112K"  # on the 64-bit Unix port; an ESP32's first heap area holds as much
ALIOT = "aliot"
# style of the script -> what it is called
SCRIPTS = {
    "verified": "(a) umqtt.simple, verified",
    "one_write": "(b) the same, one write a packet, TCP_NODELAY",
    "unverified": "(c) as people write it, not verified",
}
AGAINST = "one_write"


def report(scale=1.0):
    with BenchFleet.started() as fleet:
        figures = measure(fleet, max(SELDOM, round(ROUNDS * scale)))
        suites = fleet.suites()
    return summary(figures, suites)


def measure(fleet, rounds, publishes=PUBLISHES):
    """{contender: [(its figure, aliot's of that round), ...]}; a figure is (ms to connect, QoS 1 a second)."""
    boards = {
        ALIOT: fleet.board(
            "unique",
            {"/main.py": of_release("aliot_orders").encode(), **device_module("stopwatch")},
            heap=HEAP,
            ticks=None,
        )
    }
    for style in SCRIPTS:
        boards[style] = fleet.bare(style, ORDERS, device_module("stopwatch"), heap=HEAP, ticks=None)
    figures = {name: [] for name in boards}
    try:
        for name, board in boards.items():
            board.start()
            order(board, 2)  # not counted: the first of everything
        for turn in range(rounds):
            taken = {}
            for name in around(turn):
                connected, published = order(boards[name], publishes)
                taken[name] = connected / 1000, publishes / published * 1e6
            for name, figure in taken.items():
                figures[name].append((figure, taken[ALIOT]))
    finally:
        for board in boards.values():
            board.power_off()
    return figures


def of_release(name):
    """A program of bench/board that looks into the package, in the names that the release has."""
    return release.build().shortened((FOLDER / f"{name}.py").read_text())


def around(turn):
    """The contenders of a round, in its order: aliot and what it is measured against change places."""
    pair = [ALIOT, AGAINST] if turn % 2 else [AGAINST, ALIOT]
    return pair if turn % SELDOM else [*pair, *(style for style in SCRIPTS if style != AGAINST)]


def order(board, words):
    """Gives a board its order; what it took, in microseconds: to connect, and of all publishes."""
    board.send(f"{words}\n".encode())
    return tuple(map(int, board.wait_line("took ").split()[1:]))


def summary(figures, suites):
    """The report of what `measure` gave."""
    table = Table(
        "Medians, and medians of the ratios within a round",
        [
            Column("contender"),
            Column("connect, ms", ".2f"),
            Column("aliot / it", ".2f"),
            Column("QoS 1 a second", ".0f"),
            Column("aliot / it ", ".2f"),
        ],
    )
    ratios = {}
    for name, rows in figures.items():
        ratios[name] = [median(own[at] / its[at] for its, own in rows) for at in (0, 1)]
        connect, rate = (median(its[at] for its, _ in rows) for at in (0, 1))
        table.add(SCRIPTS.get(name, name), connect, ratios[name][0], rate, ratios[name][1])
    connect, rate = ratios[AGAINST]
    return Report(
        [table],
        [
            Bound("connect, from the first socket call to CONNACK, against (b)", connect, 1.1, " times"),
            Bound("QoS 1 round trips a second, against (b)", rate, 0.82, " times", least=True),
        ],
        [f"{len(figures[ALIOT])} rounds of a connect and {PUBLISHES} publishes; all by {', '.join(suites)}"],
    )
