"""X.509: mutual TLS beside plain TLS on the same interpreter and cloud: bytes, heap, time; and a key made on the board.

Both boards run the firmware's own main.py up to an acknowledged property. TLS itself works outside Python's heap;
on a chip a client certificate takes another 0.9 KB there. A key is made on the Unix port; a chip takes far longer.
"""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from host_tests.bench.boards import WIFI
from host_tests.bench.heap import posts, smallest, used
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support import device_tests, x509
from host_tests.support.paths import DEVICE

SECRET_KEY = "a1TlsSecret"  # the product whose devices connect by plain TLS
BOOTS, KEYS, BITS, HEAP = 9, 5, 2048, 112
LINKS = {"plain TLS, secret burned": "device", "mutual TLS, certificate burned": "x509"}
KEYGEN = DEVICE / "x509_keygen.py"


def report(scale=1.0):
    with BenchX509.started() as fleet:
        figures = {name: boots(fleet, kind, max(3, round(BOOTS * scale))) for name, kind in LINKS.items()}
        in_use = {name: used(fleet.board(kind, measure="connected")) for name, kind in LINKS.items()}
        with ThreadPoolExecutor(2) as pool:
            least = dict(zip(LINKS, pool.map(fleet.smallest, LINKS.values())))
    return summary(figures, in_use, least, keys(max(1, round(KEYS * scale))))


class BenchX509(x509.X509Fleet):
    """Boards of both links on one cloud; each is a device of its own."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ca = x509.PrivateCa(self.cloud, self.folder / "ca")

    @staticmethod
    def config():
        config = x509.X509Fleet.config()
        config["product"].append({"product_key": SECRET_KEY})
        return config

    def board(self, kind, **options):
        name, product = "bench-" + secrets.token_hex(4), x509.PRODUCT if kind == "x509" else SECRET_KEY
        if kind == "x509":
            burned = self.certified(self.ca.issue(name))
        else:
            own = {"device_name": name, "device_secret": self.device(product, name)}
            burned = self.loaded({"product_key": product, **own})
        return self.add(self.image(burned, config=WIFI), product, name, **options)

    def smallest(self, kind):
        """The smallest heap, KB, in which three first boots in a row post."""
        return smallest(lambda kb: posts(self.board(kind, heap=f"{kb}K")), 64, 192)


def boots(fleet, kind, count):
    """[(ms from "connecting" to "connected", bytes sent, bytes received), ...] of `count` first boots,
    up to CONNACK."""
    found = []
    for _ in range(count):
        board = fleet.board(kind)
        board.start()
        board.wait_for("connecting")
        began = time.perf_counter()
        board.wait_for("connected")
        took = (time.perf_counter() - began) * 1000
        board.wait_line('"acknowledged", "code": 200')
        board.power_off()
        traffic = fleet.cloud.device(board.product_key, board.device_name)["traffic"]
        found.append((took, traffic["bytes_in"], traffic["bytes_out"]))
    return found


def keys(count):
    """Seconds that a board took for each of `count` keys and requests."""
    taken = []
    with device_tests.conversation(KEYGEN, "micropython", heap="112K") as ask:
        for _ in range(count):
            began = time.perf_counter()
            failed = ask("generate", BITS, timeout=600)
            if failed:
                raise RuntimeError(failed)
            taken.append(time.perf_counter() - began)
    return taken


def summary(figures, in_use, least, made):
    """The report of what was measured."""
    columns = ("to connected, ms", ".0f"), ("sent", ".0f"), ("received", ".0f"), ("heap in use, KB", ".1f")
    table = Table(
        f"Medians of {len(next(iter(figures.values())))} first boots: "
        f"a new board until its first property is acknowledged",
        [Column("link"), *(Column(*column) for column in columns), Column("smallest heap, KB")],
    )
    for name, rows in figures.items():
        heap = (in_use[name]["used"] - in_use[name]["port"]) / 1024
        table.add(name, *(median(row[at] for row in rows) for at in range(3)), heap, least[name])
    drawn = Table(
        f"An RSA key of {BITS} bits made on the board, MicroPython for Unix",
        [
            Column("keys"),
            Column("fastest, s", ".1f"),
            Column("median, s", ".1f"),
            Column("slowest, s", ".1f"),
        ],
    )
    drawn.add(len(made), min(made), median(made), max(made))
    worst = least["mutual TLS, certificate burned"]
    return Report(
        [table, drawn], [Bound("smallest heap for a first boot with a certificate", worst, HEAP, " KB")]
    )
