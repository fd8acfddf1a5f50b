"""How many certificates are issued a second, with one process making keys and with one per core.

`python host_tests/ca/bench.py [COUNT]`, 60 by default; prints a table. `measure` is what `make bench` calls.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.ca import authority, delivery, issue, keys  # noqa: E402


def issued_per_second(ca, out, count, workers, product_key):
    """Certificates a second: key, serial, signature, both files and the ledger, as in `ca issue --csv`."""
    devices = [(product_key, f"bench-{number:05}") for number in range(count)]
    start = time.perf_counter()
    with delivery.open_folder(out, ca) as folder, keys.KeySource(count, workers=workers) as source:
        for issued in issue.issue_many(ca, devices, source, keep=folder.stage):
            folder.deliver(issued.stem, issued.serial)
    return count / (time.perf_counter() - start)


def without_keys(ca, count):
    """The same without making keys or files: what is left for the ledger and the CA's signature."""
    made = keys.generate()
    devices = [("a1Ready", f"bench-{number:05}") for number in range(count)]
    ca.ledger._refuse_shared_keys = lambda *_: None  # one key for all, for this figure only
    start = time.perf_counter()
    for _ in issue.issue_many(ca, devices, iter([made] * count)):
        pass
    return count / (time.perf_counter() - start)


def measure(count=60, workers=None):
    """{what: certificates a second} with a CA of its own."""
    workers = workers or os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        secret = os.urandom(16).hex().encode()
        ca = authority.create(folder / "ca", "Bench_CA", secret).unlock(secret)
        figures = {"1 process": issued_per_second(ca, folder / "one", count, 1, "a1One")}
        figures[f"{workers} processes"] = issued_per_second(ca, folder / "more", count, workers, "a1More")
        figures["signature and ledger alone"] = without_keys(ca, 5 * count)
        return figures


if __name__ == "__main__":
    for what, figure in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60).items():
        print(f"{what:28} {figure:7.1f} certificates/s")
