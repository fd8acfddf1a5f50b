"""32 stations drain the ledger while they are killed at random: no identity twice, none lost."""

import multiprocessing
import os
import random
import signal
import time

import pytest

from host_tests.line.conftest import PRODUCT, WHO, board, stock
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Who
from tools.line.ledger.ledger import Ledger

STATIONS = 32
SIZE = max(STATIONS, int(10_000 * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))


def station(url, number, boards, path):
    """One station: burns its boards in order and writes down each board that it finished."""
    with open(path, "a+") as journal:
        journal.seek(0)
        text = journal.read()
        whole = text[: text.rfind("\n") + 1]  # a kill may tear the last line
        journal.truncate(len(whole))
        finished = len(whole.splitlines())
        who = Who(f"bay-{number}", "drain")
        with Ledger.open(url, patience=Patience(limit=120)) as ledger:
            for mac in boards[finished:]:
                identity = ledger.reserve(mac, PRODUCT, who)
                journal.write(f"{mac} {identity.device_name}\n")
                journal.flush()


def drain(url, folder, size, context, rng):
    """Run all stations to their end, killing some on the way; returns the number of kills."""
    shares = [[board(n) for n in range(k, size, STATIONS)] for k in range(STATIONS)]
    kills = 0

    def start(k):
        process = context.Process(target=station, args=(url, k, shares[k], f"{folder}/{k}"))
        process.start()
        return process

    running = {k: start(k) for k in range(STATIONS)}
    while running:
        victim = rng.choice(sorted(running))
        running[victim].join(timeout=rng.uniform(0, 0.15))
        if running[victim].is_alive() and kills < 4 * STATIONS:
            os.kill(running[victim].pid, signal.SIGKILL)
            running[victim].join()
            running[victim] = start(victim)
            kills += 1
        for k in [k for k, process in running.items() if not process.is_alive()]:
            if running[k].exitcode:
                running[k] = start(k)
            else:
                del running[k]
    return kills


@pytest.mark.timeout(600)
def test_32_stations_drain_the_ledger_with_random_kills(ledger_url, tmp_path, capsys):
    with Ledger.create(ledger_url, plain=True, patience=Patience(limit=120)) as ledger:
        from tools.line.ledger.ledger import Product

        ledger.add_product(Product(PRODUCT), WHO)
        stock(ledger, SIZE)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tools.line.ledger.ledger", "psycopg", "host_tests.line.test_drain"])
        (tmp_path / "journals").mkdir()
        began = time.monotonic()
        kills = drain(ledger_url, tmp_path / "journals", SIZE, context, random.Random(4))
        took = time.monotonic() - began
        rows, history = ledger.list(), ledger.history()
    burned = [
        line.split()
        for k in range(STATIONS)
        for line in (tmp_path / "journals" / str(k)).read_text().splitlines()
    ]
    by_name = {}
    for mac, name in burned:
        by_name.setdefault(name, set()).add(mac)
    twice = sum(len(macs) > 1 for macs in by_name.values())
    held = {row.device_name: row.mac for row in rows if row.mac}
    lost = sum(held.get(name) not in macs for name, macs in by_name.items()) + sum(
        row.state not in ("free", "reserved") or (row.mac is None) != (row.state == "free") for row in rows
    )
    lost += SIZE - len(held)
    with capsys.disabled():
        print(
            f"\n{'SQLite' if ledger_url.startswith('sqlite') else 'PostgreSQL'}: {len(burned):,} allocated, "
            f"{twice} twice, {lost} lost ({STATIONS} stations, {kills} kills, {took:.1f} s)"
        )
    assert (len(burned), len(by_name), twice, lost) == (SIZE, SIZE, 0, 0)
    assert len({mac for mac, _ in burned}) == SIZE
    assert sum(event["action"] == "reserve" for event in history) == SIZE
    assert kills > 0
