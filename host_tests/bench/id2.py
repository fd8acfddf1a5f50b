"""ID²: iTLS beside TLS on the same interpreter and cloud: time to connect, bytes, heap, and code.

The two boards of a round connect one after the other and take turns; all that differs is the link. An
authentication is counted in flash as ever; only the bound of ten a day is lifted. TLS itself works outside
Python's heap (25 to 28 KB on a chip), iTLS within it.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from host_tests.bench.boards import FOLDER, WIFI, device_module
from host_tests.bench.heap import posts, smallest, used
from host_tests.bench.link import order
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support import id2
from host_tests.system.id2 import test_memory as code
from tools.image import release

SECRET_KEY = "a1Id2Secret"  # the product whose devices connect by TLS
ROUNDS, PUBLISHES, LEAST = 40, 20, 124
AGAIN = "device.session.attempts = []"  # a line of aliot_orders.py
HEAP = "124K"  # the rule for what has no TLS beside it
LINKS = {
    "TLS, secret burned": "device",
    "iTLS, AES-128 burned": "AES_128",
    "iTLS, AES-256 burned": "AES_256",
    "iTLS, provisioned": "empty",
}


def report(scale=1.0):
    with BenchId2.started() as fleet:
        times = measure(fleet, max(5, round(ROUNDS * scale)))
        traffic = {name: wire(fleet, kind) for name, kind in LINKS.items()}
        in_use = {
            name: used(fleet.board(kind, heap=HEAP, measure="connected")) for name, kind in LINKS.items()
        }
        with ThreadPoolExecutor(2) as pool:
            least = dict(zip(LINKS, pool.map(fleet.smallest, LINKS.values())))
    return summary(times, traffic, in_use, least)


class BenchId2(id2.Id2Fleet):
    """Boards of both links on one cloud; each is a device of its own."""

    @staticmethod
    def config():
        config = id2.id2_config()
        config["product"].append({"product_key": SECRET_KEY, "auth": "secret"})
        return config

    def board(self, kind, files=None, **options):
        name = "bench-" + secrets.token_hex(4)
        if kind == "device":
            fields = {"product_key": SECRET_KEY, "device_secret": self.device(SECRET_KEY, name)}
        elif kind == "empty":
            fields = {"way": "id2", "product_key": id2.EMPTY, "product_secret": id2.TOKEN}
        else:
            fields = {"way": "id2", "product_key": id2.BURNED, **self.identity(key_type=kind)}
        image = self.image(self.loaded({"device_name": name, **fields}), files=files, config=WIFI)
        return self.add(image, fields["product_key"], name, **options)

    def smallest(self, kind):
        """The smallest heap, KB, in which three first boots in a row post."""
        return smallest(lambda kb: posts(self.board(kind, heap=f"{kb}K")), 64, 192)


def measure(fleet, rounds):
    """{link: [(milliseconds to connect, QoS 1 round trips a second), ...]}, taken in turn."""
    program = (FOLDER / "aliot_orders.py").read_text()
    assert AGAIN in program
    free = program.replace(AGAIN, f"{AGAIN}\n    device.credential.quota.times = []")
    program, free = map(release.build().shortened, (program, free))
    boards = {
        name: fleet.board(
            kind,
            {"/main.py": (program if kind == "device" else free).encode(), **device_module("stopwatch")},
            heap=HEAP,
        )
        for name, kind in LINKS.items()
        if kind != "empty"
    }
    figures = {name: [] for name in boards}
    try:
        for board in boards.values():
            board.start()
            order(board, 2)  # not counted: the first of everything
        for turn in range(rounds):
            for name in sorted(boards, reverse=turn % 2):
                connected, published = order(boards[name], PUBLISHES)
                figures[name].append((connected / 1000, PUBLISHES / published * 1e6))
    finally:
        for board in boards.values():
            board.power_off()
    return figures


def wire(fleet, kind):
    """(bytes sent, bytes received) of a first boot until the first acknowledged property."""
    board = fleet.board(kind, heap=HEAP)
    board.start()
    board.wait_line('"acknowledged", "code": 200')
    board.power_off()
    seen = fleet.cloud.device(board.product_key, board.device_name)["traffic"]
    return seen["bytes_in"], seen["bytes_out"]


def summary(times, traffic, in_use, least):
    """The report of what was measured."""
    columns = (
        ("connect, ms", ".2f"),
        ("QoS 1 a second", ".0f"),
        ("sent", ""),
        ("received", ""),
        ("heap in use, KB", ".1f"),
    )
    table = Table(
        f"Medians of {len(next(iter(times.values())))} connects in turn; bytes on the wire and heap of a first boot",
        [
            Column("link"),
            *(Column(*column) for column in columns),
            Column("smallest heap, KB"),
            Column("growth, KB"),
        ],
    )
    first = least[next(iter(LINKS))]
    for name in LINKS:
        connect, rate = (
            ([median(one[at] for one in times[name]) for at in (0, 1)]) if name in times else (None, None)
        )
        heap = (in_use[name]["used"] - in_use[name]["port"]) / 1024
        growth = least[name] - first if least[name] and first else None
        table.add(name, connect, rate, *traffic[name], heap, least[name], growth)
    sizes = code.parts()
    whole, refused, empty = sum(sizes.values()), sizes[code.REFUSED], sizes[code.EMPTY]
    loaded = whole - refused - empty
    known = [size for name, size in least.items() if LINKS[name] != "device"]
    return Report(
        [table],
        [
            Bound(
                "smallest heap for a first boot over iTLS, the worst",
                None if None in known else max(known),
                LEAST,
                " KB",
            ),
            Bound(".mpy of ID² and iTLS, all files", whole, code.BOUND, " bytes"),
        ],
        [
            f"{loaded} bytes of .mpy with a burned identity, {loaded + empty} without one, "
            f"{whole} with what refusals mean"
        ],
    )
