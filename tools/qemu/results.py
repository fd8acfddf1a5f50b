"""What was seen: a result per try, a row per scenario and moment, a table."""

from collections import Counter
from dataclasses import dataclass, field

from rich import box
from rich.table import Table

from tools.qemu.applications import Heaps

LEAST = 12 * 1024  # bytes of C heap that no moment may go below


@dataclass
class Result:
    """One try. `seconds` to online; `problem` in words, None when all went well; `untried`: why it was not."""

    seconds: float | None = None
    heaps: Heaps | None = None
    refusals: list = field(default_factory=list)
    problem: str | None = None
    untried: str | None = None

    @property
    def passed(self):
        return not self.problem and not (self.heaps and self.heaps.c_least < LEAST)


@dataclass
class Row:
    """All tries of one moment of a scenario; the worst of each figure."""

    scenario: str
    title: str
    moment: str
    results: list = field(default_factory=list)

    @property
    def tried(self):
        return [result for result in self.results if not result.untried]

    @property
    def seconds(self):
        """(median, longest) of what came online, or None."""
        known = sorted(result.seconds for result in self.tried if result.seconds is not None)
        return (known[(len(known) - 1) // 2], known[-1]) if known else None

    def worst(self, name, choose):
        """The worst of a figure of `Heaps`, `choose` being min or max; None when none was told."""
        return choose((getattr(result.heaps, name) for result in self.tried if result.heaps), default=None)

    @property
    def refusals(self):
        return Counter(code for result in self.results for code in result.refusals)

    @property
    def passed(self):
        return all(result.passed for result in self.tried)

    @property
    def verdict(self):
        good = sum(result.passed for result in self.tried)
        words = f"{good} of {len(self.tried)}" if self.tried else ""
        problem = next((result.problem for result in self.tried if result.problem), None)
        if not problem and not self.passed:
            problem = f"C heap went below {LEAST // 1024} KB"
        untried = next((result.untried for result in self.results if result.untried), None)
        reason = problem or (untried and f"not tried: {untried}")
        return ": ".join(filter(None, (words, reason))) or "not tried"

    def as_dict(self):
        seconds = self.seconds
        return {
            "scenario": self.scenario,
            "moment": self.moment,
            "tried": len(self.tried),
            "passed": sum(result.passed for result in self.tried),
            "seconds_median": seconds and round(seconds[0], 2),
            "seconds_longest": seconds and round(seconds[1], 2),
            "gc_allocated": self.worst("gc", max),
            "c_heap_free": self.worst("c_free", min),
            "c_heap_least": self.worst("c_least", min),
            "refusals": dict(self.refusals),
            "verdict": self.verdict,
        }


def table(rows, title):
    """The rows as a rich table; figures are the worst of all tries."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name, align in (("scenario", "left"), ("", "left"), ("online after", "right"), ("GC allocated", "right"),
                        ("C heap free", "right"), ("least ever", "right"), ("refusals seen", "left"), ("verdict", "left")):
        made.add_column(name, justify=align, no_wrap=name not in ("refusals seen", "verdict"))
    last = None
    for row in rows:
        made.add_row(
            row.title if row.title != last else "",
            row.moment,
            _seconds(row.seconds),
            _size(row.worst("gc", max)),
            _size(row.worst("c_free", min)),
            _size(row.worst("c_least", min)),
            ", ".join(code if count == 1 else f"{count} {code}" for code, count in sorted(row.refusals.items())),
            row.verdict,
            style=None if row.passed else "red",
        )
        last = row.title
    return made


def _seconds(found):
    if not found:
        return "-"
    median, longest = (f"{value:.1f}" for value in found)
    return f"{median} s" if median == longest else f"{median}-{longest} s"


def _size(value):
    return "-" if value is None else f"{value / 1024:.1f} K"
