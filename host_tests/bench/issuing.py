"""How many certificates are issued a second, with one process making keys and with one per core.

`python host_tests/bench/issuing.py [COUNT]`, 60 by default; prints a table. `measure` is what `make bench` calls.
CPU seconds are printed beside, since they do not depend on what else the machine does.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host_tests.bench.report import Column, Report, Table
from tools.ca import authority, delivery, issue, keys


def issue_all(ca, out, count, workers, product_key):
    """Key, serial, signature, both files and the ledger, `count` times, as in `ca issue --csv`."""
    devices = [(product_key, f"bench-{number:05}") for number in range(count)]
    with delivery.open_folder(out, ca) as folder, keys.KeySource(count, workers=workers) as source:
        for issued in issue.issue_many(ca, devices, source, keep=folder.stage):
            folder.deliver(issued.stem, issued.serial)


def sign_all(ca, count):
    """The same without making keys or files: what is left for the ledger and the CA's signature."""
    made = keys.generate()
    devices = [("a1Ready", f"bench-{number:05}") for number in range(count)]
    ca.ledger._refuse_shared_keys = lambda *_: None  # one key for all, for this figure only
    for _ in issue.issue_many(ca, devices, iter([made] * count)):
        pass


def cpu_seconds():
    """CPU seconds of this process and of those it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(count, act, *arguments):
    """{"per_second": .., "cpu_ms": ..} of `act`, which issues `count` certificates."""
    start, before = time.perf_counter(), cpu_seconds()
    act(*arguments)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
    return {"per_second": count / seconds, "cpu_ms": 1000 * cpu / count}


def measure(count=60, workers=None):
    """{what: {"per_second": certificates a second, "cpu_ms": CPU milliseconds each}} with a CA of its own."""
    workers = workers or os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        secret = os.urandom(16).hex().encode()
        ca = authority.create(folder / "ca", "Bench_CA", secret).unlock(secret)
        return {
            "1 process": timed(count, issue_all, ca, folder / "one", count, 1, "a1One"),
            f"{workers} processes": timed(count, issue_all, ca, folder / "more", count, workers, "a1More"),
            "signature and ledger alone": timed(count, sign_all, ca, count),
        }


def report(scale=1.0):
    table = Table(
        "Key, signature, files and ledger",
        [Column("made by"), Column("certificates a second", ".1f"), Column("CPU ms each", ".1f")],
    )
    for what, figure in measure(max(8, round(60 * scale))).items():
        table.add(what, figure["per_second"], figure["cpu_ms"])
    return Report([table])


if __name__ == "__main__":
    for what, figure in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60).items():
        print(f"{what:28} {figure['per_second']:7.1f} certificates/s {figure['cpu_ms']:7.1f} ms of CPU each")
