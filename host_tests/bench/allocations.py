"""Allocations of identities a second, as a part of the bench of the line."""

import multiprocessing
import time

from host_tests.support.postgres import Server
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger

PRODUCT = "a1B2c3D4e5F"
WHO = Who("bench", "bench")


def _allocate(url, first, count, ready, go):
    with Ledger.open(url, patience=Patience(limit=120)) as ledger:
        ledger.facts()
        ready.release()
        go.wait()
        for number in range(first, first + count):
            ledger.reserve(f"240ac4{number:06x}", PRODUCT, WHO)


def allocations(url, stations, count):
    """Allocations a second by `stations` processes, `count` in all, from an empty ledger at `url`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tools.line.ledger.ledger", "psycopg"])
    with Ledger.create(url, plain=True) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
        ledger.add_identities(
            PRODUCT, [(f"dev{n:06d}", {"device_secret": f"{n:032x}"}) for n in range(count)], WHO
        )
    ready, go = context.Semaphore(0), context.Event()
    share = count // stations
    processes = [
        context.Process(target=_allocate, args=(url, k * share, share, ready, go)) for k in range(stations)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - began
    if any(process.exitcode for process in processes):
        raise RuntimeError("a station of the bench failed")
    with Ledger.open(url) as ledger:
        taken = [row.mac for row in ledger.list() if row.mac]
    assert len(taken) == len(set(taken)) == share * stations
    return share * stations / seconds


def allocation_rows(folder, count):
    """Both databases, 1, 8 and 32 stations; the ratio is to one station."""
    found = []
    with Server() as server:
        for title, place in (
            ("SQLite", lambda n: f"sqlite:///{folder}/a{n}.db"),
            ("PostgreSQL", lambda n: server.fresh()),
        ):
            alone = None
            for stations in (1, 8, 32):
                rate = allocations(place(stations), stations, count)
                alone = alone or rate
                found.append(
                    (
                        f"allocations on {title}, {stations} station{'s' if stations > 1 else ''}",
                        rate,
                        "1/s",
                        rate / alone,
                        None,
                    )
                )
    return found
