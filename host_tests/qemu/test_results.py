"""Rows and the table: the worst of all tries, and a verdict in words."""

import io

import pytest
from rich.console import Console

from tools.qemu import results
from tools.qemu.applications import Heaps
from tools.qemu.results import Result, Row

GOOD = Heaps(33000, 60000, 58000)
LOW = Heaps(50000, 30000, 12287)


@pytest.mark.parametrize(
    "tries, verdict, reason",
    [
        ([Result(5.0, GOOD)], "ok, 1 of 1", None),
        ([Result(5.0, GOOD), Result(6.0, LOW)], "failed, 1 of 2", "the C heap had less than 12 KB"),
        ([Result(5.0, GOOD), Result(problem="not online")], "failed, 1 of 2", "not online"),
        ([Result(untried="set_link")], "not tried", "not tried: set_link"),
        ([Result(5.0, GOOD), Result(untried="set_link")], "ok, 1 of 1", "not tried: set_link"),
        ([], "not tried", None),
    ],
)
def test_a_row_has_a_verdict_and_a_reason(tries, verdict, reason):
    row = Row("unique", "unique certificate", "first boot", tries)
    assert (row.verdict, row.reason) == (verdict, reason)
    assert row.passed == (not verdict.startswith("failed"))


def test_a_row_shows_the_worst_of_its_tries():
    row = Row(
        "unique",
        "unique certificate",
        "first boot",
        [Result(5.0, GOOD, ["timeout"]), Result(9.0, LOW, ["timeout", "tls.memory"]), Result(6.0)],
    )
    assert row.as_dict() == {
        "scenario": "unique",
        "moment": "first boot",
        "tried": 3,
        "passed": 2,
        "seconds_median": 6.0,
        "seconds_longest": 9.0,
        "gc_allocated": 50000,
        "c_heap_free": 30000,
        "c_heap_least": 12287,
        "refusals": {"timeout": 2, "tls.memory": 1},
        "verdict": "failed, 2 of 3",
        "reason": "the C heap had less than 12 KB",
    }


def test_the_table_is_one_line_a_row():
    out = io.StringIO()
    rows = [
        Row("unique", "unique certificate", "first boot", [Result(5.04, GOOD)]),
        Row(
            "unique", "unique certificate", "second boot", [Result(5, GOOD, ["timeout"] * 2), Result(7, GOOD)]
        ),
        Row("power-cuts", "20 random power cuts", "between", [Result(problem="nvs is bad")]),
    ]
    Console(file=out, width=150).print(results.table(rows, "seen"))
    title, _, head, _, *lines = (" ".join(line.split()) for line in out.getvalue().splitlines())
    assert title == "seen"
    assert head == "scenario moment online after GC allocated C heap free least ever refusals seen verdict"
    assert lines[:3] == [
        "unique certificate first boot 5.0 s 32.2 K 58.6 K 56.6 K ok, 1 of 1",
        "second boot 5.0-7.0 s 32.2 K 58.6 K 56.6 K 2 timeout ok, 2 of 2",
        "20 random power cuts between - - - - failed, 0 of 1",
    ]
    assert results.notes(rows) == ["20 random power cuts, between: nvs is bad"]
