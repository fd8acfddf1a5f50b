"""The bench's own arithmetic, and its load on the cloud, small; `make bench` holds 5,000 and 500."""

import json
import os
from argparse import Namespace

import pytest

from host_tests.bench import boot, console, heap, link, load_itls, report, signing, sizes, verb
from host_tests.bench.load import measure
from host_tests.support.readme_table import replaced
from tools.cli import main
from tools.emulator.board.boot import Boot
from tools.errors import UserError

FACTOR = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
QUICK = report.Report(
    [
        report.Table(
            "Speeds", [report.Column("what"), report.Column("ms", ".1f")], [("it", 1.25), ("b", None)]
        )
    ],
    [report.Bound("as fast", 1.2, 1.3, " times")],
    ["a note"],
)
SLOW = report.Report(bounds=[report.Bound("as fast", 1.4, 1.3, " times")])


@pytest.mark.parametrize(
    "value, limit, least, holds",
    [
        (1.3, 1.3, False, True),
        (1.31, 1.3, False, False),
        (0.7, 0.7, True, True),
        (0.69, 0.7, True, False),
        (None, 1, False, False),
        (None, 0, True, False),
        (0, 0, False, True),
    ],
)
def test_a_bound_holds_at_its_limit_and_never_without_a_figure(value, limit, least, holds):
    assert report.Bound("x", value, limit, least=least).holds is holds


def test_a_bound_s_line_names_figure_and_limit():
    assert (
        report.Bound("rate", 0.6543, 0.7, " times", least=True).line()
        == "rate: 0.654 times, at least 0.7 times"
    )
    assert report.Bound("size", 20575, 20480, " bytes").line() == "size: 20575 bytes, at most 20480 bytes"
    assert report.Bound("heap", None, 112, " KB").line() == "heap: nothing, at most 112 KB"


def test_a_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError):
        report.Table("t", [report.Column("a"), report.Column("b")]).add(1)


@pytest.mark.parametrize("least", [1, 2, 37, 99, 100])
def test_the_smallest_is_found(least):
    assert heap.smallest(lambda n: n >= least, 1, 100) == least


def test_the_smallest_is_one_that_holds_several_times_in_a_row():
    tries = {}

    def now_and_then(n):
        tries[n] = tries.get(n, 0) + 1
        return n >= 40 or n >= 30 and tries[n] == 1

    assert heap.smallest(now_and_then, 1, 100, sure=3) == 40


def test_where_not_even_the_largest_will_do_there_is_none():
    assert heap.smallest(lambda n: False, 1, 100) is None


def test_the_worst_of_a_kind_is_unknown_when_one_of_it_is():
    cases = [heap.Case("a", "boot", None), heap.Case("b", "boot", None), heap.Case("c", "fault", None)]
    assert heap.worst(cases, [90, 100, None], "boot") == 100
    assert heap.worst(cases, [90, 100, None], "fault") is None


def test_a_boot_is_split_where_its_phases_end():
    lines = [
        (1.0, "mounted"),
        (1.5, "loaded"),
        (1.6, '{"aliot":"boot","mac":"x"}'),
        (1.7, '{"aliot":"wifi","up":false}'),
        (1.9, '{"aliot":"wifi","up":true}'),
        (2.4, '{"aliot":"clock","time":1}'),
        (2.5, '{"aliot":"connecting"}'),
        (3.4, '{"aliot":"connected"}'),
    ]
    found = {phase: round(ms) for phase, ms in boot.split(0.5, lines).items()}
    assert found == {"mount": 500, "load": 500, "identity": 100, "Wi-Fi": 300, "clock": 500, "connect": 1000}


def test_flash_reads_are_shown_by_state_and_bounded_for_the_least_application():
    boots = {
        boot.MINIMAL: Boot(marks=[("boot", 1400), ("wifi", 1400), ("connected", 1800)]),
        boot.LATER: Boot(marks=[("boot", 1800), ("connected", 2301)]),
        "bare": Boot(marks=[("connected", 130)]),
    }
    before = ("the same, before the thing model", *boot.BEFORE)
    rows = [(boot.MINIMAL, 1400, 1800), before, (boot.LATER, 1800, 2301), ("bare", None, 130)]
    assert boot.table_of_reads(boots).rows == rows
    bounds = [(bound.value, bound.holds) for bound in boot.bounds(boots)]
    assert bounds == [(1400, True), (1800, False), (400, True), (501, False)]


def test_ratios_are_taken_within_a_round():
    """The machine was ten times slower in the second round, for both: that changes no ratio."""
    aliot, other = [(10.5, 90), (105, 9), (10.5, 90)], [(10, 100), (100, 10), (10, 100)]
    figures = {link.ALIOT: list(zip(aliot, aliot)), link.AGAINST: list(zip(other, aliot))}
    connect, rate = link.summary(figures, ["TLSv1.2 X"]).bounds
    assert connect.value == pytest.approx(1.05) and connect.holds
    assert rate.value == pytest.approx(0.9) and rate.holds


def test_each_of_the_two_is_first_in_every_other_round():
    rounds = [link.around(turn) for turn in range(2 * link.SELDOM)]
    assert sum(names[0] == link.ALIOT for names in rounds) == link.SELDOM
    assert all({link.ALIOT, link.AGAINST} <= set(names) for names in rounds)
    assert sum(set(names) == {link.ALIOT, *link.SCRIPTS} for names in rounds) == 2


BEGIN, END = "<!-- sizes: begin -->", "<!-- sizes: end -->"


def test_the_table_is_replaced_between_the_markers():
    text = f"# Head\n\n{BEGIN}\nold\nolder\n{END}\n\ntail\n"
    once = replaced(text, "sizes", "new")
    assert once == f"# Head\n\n{BEGIN}\nnew\n{END}\n\ntail\n"
    assert replaced(once, "sizes", "new") == once


@pytest.mark.parametrize("text", ["no markers\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n" * 2 + END])
def test_without_its_markers_a_readme_is_refused(text):
    with pytest.raises(UserError, match="there is not one line"):
        replaced(text, "sizes", "new")


def test_a_module_is_named_with_the_boots_that_import_it():
    seen = {"unique": {"a"}, "https": {"a", "b"}, "mqtt": {"a", "c"}, "regnwl": {"a", "c"}}
    found = {module: when for module, _, when in sizes.rows({"a": 1, "b": 2, "c": 3, "d": 4}, seen)}
    assert found == {
        "a": "every kind",
        "b": "registers by HTTPS",
        "c": "registers by MQTT, preregistration-free",
        "d": "when it is needed",
    }


def test_a_table_of_sizes_is_old_with_another_size_or_much_more_heap():
    row = "| `a` | 831 | 1.9 | 1.2 |"
    assert sizes.same(row, row) and sizes.same(row, "| `a` | 831 | 2.0 | 1.1 |")
    for other in ("| `a` | 832 | 1.9 | 1.2 |", "| `a` | 831 | 2.4 | 1.2 |", "| `b` | 831 | 1.9 | 1.2 |"):
        assert not sizes.same(row, other)


def test_the_firmware_s_readme_has_the_true_sizes():
    assert sizes.up_to_date(sizes.device_files.sizes(), sizes.imported()), (
        "write it anew: python -m tools bench --write"
    )


class Part:
    def __init__(self, outcome):
        self.outcome = outcome

    def report(self, scale):
        return self.outcome


@pytest.fixture
def quick(monkeypatch):
    """Two parts that need no time: one whose bound holds, one whose bound fails."""
    known = {"quick": QUICK, "slow": SLOW}
    monkeypatch.setattr(verb, "PARTS", {name: (name, f"the {name} one") for name in known})
    monkeypatch.setattr(verb.importlib, "import_module", lambda name: Part(known[name]))


def test_bounds_that_hold_end_well(quick, capsys):
    args = Namespace(parts=["quick"], scale=1.0, write=False, json=False)
    assert verb.run(args) == 0
    out = capsys.readouterr().out
    assert (
        "holds  as fast: 1.2 times, at most 1.3 times" in out
        and "a note" in out
        and "1 of 1 bounds hold" in out
    )


def test_a_bound_that_fails_is_the_exit_status(quick, capsys):
    args = Namespace(parts=[], scale=1.0, write=False, json=True)
    assert verb.run(args) == 1
    output = json.loads(capsys.readouterr().out)
    assert output["holds"] is False
    assert output["parts"]["quick"]["tables"] == [
        {"title": "Speeds", "rows": [{"what": "it", "ms": 1.25}, {"what": "b", "ms": None}]}
    ]
    assert output["parts"]["slow"]["bounds"] == [
        {"text": "as fast", "value": 1.4, "unit": "times", "at most": 1.3, "holds": False}
    ]


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["nothing"], "there is no part 'nothing'"),
        (["--scale", "0"], "--scale 0"),
        (["--scale", "1000"], "--scale 1000"),
    ],
)
def test_bad_arguments_are_one_line(arguments, text, capsys):
    assert main(["bench", *arguments]) == 1
    output = capsys.readouterr().err
    assert text in output and output.count("\n") == 1


def test_every_part_is_there():
    import importlib

    for module, text in verb.PARTS.values():
        assert callable(importlib.import_module(module).report) and text


def test_many_devices_are_held_at_once_over_tcp_and_tls():
    tcp, tls = (max(20, int(count * FACTOR)) for count in (300, 30))
    rows = measure(min(tcp, 5000), min(tls, 500), 20)
    assert [row["count"] for row in rows] == [min(tcp, 5000), min(tls, 500), 20]


def test_devices_with_an_id2_are_held_at_once():
    count = max(20, min(500, round(20 * FACTOR)))
    rows = load_itls.table(count / 500).rows
    assert [row[:2] for row in rows] == [("D003", count), ("D004", count)]


def test_the_round_trips_of_a_device_are_taken_with_and_without_a_console():
    table, pages = console.report(0.01).tables
    assert len(pages.rows) == len(console.PAGES)
    assert [row[0] for row in table.rows] == ["without", "with"]
    without, watched = table.rows
    assert without[-1] == 0 and watched[-1] > 0  # bytes that the open console got
    assert all(row[1] > 0 for row in table.rows)


def test_a_signature_with_a_key_in_efuse_is_within_its_bounds():
    assert all(bound.holds for bound in signing.report(0.1).bounds)
