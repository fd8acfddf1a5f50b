"""Rows and the table: the worst of all tries, and a verdict in words."""

import io

import pytest
from rich.console import Console

from tools.qemu import results
from tools.qemu.applications import Heaps
from tools.qemu.results import Result, Row

GOOD = Heaps(33000, 60000, 58000)
LOW = Heaps(50000, 30000, 12287)


@pytest.mark.parametrize("tries, passed, verdict", [
    ([Result(5.0, GOOD)], True, "1 of 1"),
    ([Result(5.0, GOOD), Result(6.0, LOW)], False, "1 of 2: C heap went below 12 KB"),
    ([Result(5.0, GOOD), Result(problem="not online")], False, "1 of 2: not online"),
    ([Result(untried="set_link")], True, "not tried: set_link"),
    ([Result(5.0, GOOD), Result(untried="set_link")], True, "1 of 1: not tried: set_link"),
    ([], True, "not tried"),
])
def test_a_row_has_a_verdict(tries, passed, verdict):
    row = Row("unique", "unique certificate", "first boot", tries)
    assert (row.passed, row.verdict) == (passed, verdict)


def test_a_row_shows_the_worst_of_its_tries():
    row = Row("unique", "unique certificate", "first boot",
              [Result(5.0, GOOD, ["timeout"]), Result(9.0, LOW, ["timeout", "tls.memory"]), Result(6.0)])
    assert row.as_dict() == {
        "scenario": "unique", "moment": "first boot", "tried": 3, "passed": 2, "seconds_median": 6.0,
        "seconds_longest": 9.0, "gc_allocated": 50000, "c_heap_free": 30000, "c_heap_least": 12287,
        "refusals": {"timeout": 2, "tls.memory": 1}, "verdict": "2 of 3: C heap went below 12 KB",
    }


def test_the_table_is_one_line_a_row():
    out = io.StringIO()
    rows = [Row("unique", "unique certificate", "first boot", [Result(5.04, GOOD)]),
            Row("unique", "unique certificate", "second boot", [Result(5, GOOD, ["timeout"] * 2), Result(7, GOOD)]),
            Row("power-cuts", "20 random power cuts", "", [Result(problem="nvs is bad")])]
    Console(file=out, width=130).print(results.table(rows, "seen"))
    title, _, head, _, *lines = (" ".join(line.split()) for line in out.getvalue().splitlines())
    assert title == "seen"
    assert head == "scenario online after GC allocated C heap free least ever refusals seen verdict"
    assert lines[:3] == ["unique certificate first boot 5.0 s 32.2 K 58.6 K 56.6 K 1 of 1",
                         "second boot 5.0-7.0 s 32.2 K 58.6 K 56.6 K 2 timeout 2 of 2",
                         "20 random power cuts - - - - 0 of 1: nvs is bad"]
