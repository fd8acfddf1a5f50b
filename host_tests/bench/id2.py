"""ID²: iTLS beside TLS on the same interpreter and cloud: time to connect, bytes, heap, and code.

The two boards of a round connect one after the other and take turns; all that differs is the link. An
authentication is counted in flash as ever; only the bound of ten a day is lifted. TLS itself works outside
Python's heap (25 to 28 KB on a chip), iTLS within it.
"""

import itertools
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from host_tests.bench.boards import FOLDER, GENERATION, WIFI, device_module
from host_tests.bench.heap import posts, smallest, used
from host_tests.bench.link import order
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support import id2
from host_tests.system.id2 import test_memory as code
from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import Cloud
from tools.image import flash_image, identity, release

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
    config = id2.config()
    config["product"].append({"product_key": SECRET_KEY, "auth": "secret"})
    with (
        tempfile.TemporaryDirectory(prefix="aliot-bench-") as folder,
        Cloud(config, Path(folder) / "cloud") as cloud,
    ):
        stage = Stage(cloud, Path(folder))
        times = measure(stage, max(5, round(ROUNDS * scale)))
        traffic = {name: wire(stage, way) for name, way in LINKS.items()}
        in_use = {name: used(stage.board(way, heap=HEAP, measure="connected")) for name, way in LINKS.items()}
        with ThreadPoolExecutor(2) as pool:
            least = dict(zip(LINKS, pool.map(stage.smallest, LINKS.values())))
    return tell(times, traffic, in_use, least)


class Stage:
    """Boards of both links on one cloud; each is a device of its own."""

    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.number = cloud, folder, itertools.count(1)
        self.units = id2.Units(cloud, folder, None)

    def board(self, way, files=None, **options):
        number = next(self.number)
        name = f"bench-{number:04}"
        if way == "device":
            self.cloud.admin("POST", f"/products/{SECRET_KEY}/devices", {"device_names": [name]})
            found = self.cloud.device(SECRET_KEY, name, secret=True)
            fields = {"product_key": SECRET_KEY, "device_secret": found["device_secret"]}
        elif way == "empty":
            fields = {"way": "id2", "product_key": id2.EMPTY, "product_secret": id2.TOKEN}
        else:
            fields = {"way": "id2", "product_key": id2.BURNED, **self.units.identity(key_type=way)}
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"device_name": name, **fields}))
        image = flash_image.build(
            identity=identity.load(path),
            roots=[self.cloud.ca_der],
            config=WIFI,
            generation=GENERATION,
            files=files,
        )
        mac = f"24:0a:c4:be:{number >> 8:02x}:{number & 255:02x}"
        made = Board(image, mac=mac, cloud=self.cloud.run_dir, folder=self.folder / name, **options)
        made.product_key, made.device_name = fields["product_key"], name
        return made

    def smallest(self, way):
        """The smallest heap, KB, in which three first boots in a row post."""
        return smallest(lambda kb: posts(self.board(way, heap=f"{kb}K")), 64, 192)


def measure(stage, rounds):
    """{link: [(milliseconds to connect, QoS 1 round trips a second), ...]}, taken in turn."""
    program = (FOLDER / "aliot_orders.py").read_text()
    assert AGAIN in program
    free = program.replace(AGAIN, f"{AGAIN}\n    device.credential.quota.times = []")
    program, free = map(release.build().shortened, (program, free))
    boards = {
        name: stage.board(
            way,
            {"/main.py": (program if way == "device" else free).encode(), **device_module("stopwatch")},
            heap=HEAP,
        )
        for name, way in LINKS.items()
        if way != "empty"
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


def wire(stage, way):
    """(bytes sent, bytes received) of a first boot until the first acknowledged property."""
    board = stage.board(way, heap=HEAP)
    board.start()
    board.wait_line('"acknowledged", "code": 200')
    board.power_off()
    seen = stage.cloud.device(board.product_key, board.device_name)["traffic"]
    return seen["bytes_in"], seen["bytes_out"]


def tell(times, traffic, in_use, least):
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
