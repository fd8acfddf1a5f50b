"""What was seen: a result per try, a row per scenario and moment, a table."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rich import box
from rich.console import JustifyMethod
from rich.table import Table

from tools.qemu.applications import Heaps

LEAST = 12 * 1024  # bytes of C heap that no moment may go below
REFUSALS = "refusals seen"
COLUMNS: dict[str, JustifyMethod] = {
    "scenario": "left",
    "moment": "left",
    "online after": "right",
    "GC allocated": "right",
    "C heap free": "right",
    "least ever": "right",
    REFUSALS: "left",
    "verdict": "left",
}


@dataclass
class Result:
    """One try. `seconds` to online; `problem` in words, None when all went well; `untried`: why it was not."""

    seconds: float | None = None
    heaps: Heaps | None = None
    refusals: list[str] = field(default_factory=list)
    problem: str | None = None
    untried: str | None = None

    @property
    def passed(self) -> bool:
        return not self.problem and not (self.heaps and self.heaps.c_least < LEAST)


@dataclass
class Row:
    """All tries of one moment of a scenario; the worst of each figure."""

    scenario: str
    title: str
    moment: str
    results: list[Result] = field(default_factory=list)

    @property
    def tried(self) -> list[Result]:
        return [result for result in self.results if not result.untried]

    @property
    def seconds(self) -> tuple[float, float] | None:
        """(median, longest) of what came online, or None."""
        known = sorted(result.seconds for result in self.tried if result.seconds is not None)
        return (known[(len(known) - 1) // 2], known[-1]) if known else None

    def worst(self, name: str, choose: Callable[..., int | None]) -> int | None:
        """The worst of a figure of `Heaps`, `choose` being min or max; None when none was told."""
        return choose((getattr(result.heaps, name) for result in self.tried if result.heaps), default=None)

    @property
    def refusals(self) -> Counter[str]:
        return Counter(code for result in self.results for code in result.refusals)

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.tried)

    @property
    def verdict(self) -> str:
        """In a few words; `reason` says more."""
        if not self.tried:
            return "not tried"
        good = sum(result.passed for result in self.tried)
        return f"{'ok' if self.passed else 'failed'}, {good} of {len(self.tried)}"

    @property
    def reason(self) -> str | None:
        """Why the first of its tries did not pass, or was none; None where all is well."""
        problem = next((result.problem for result in self.tried if result.problem), None)
        if problem:
            return problem
        if not self.passed:
            return f"the C heap had less than {LEAST // 1024} KB"
        return next((f"not tried: {result.untried}" for result in self.results if result.untried), None)

    def as_dict(self) -> dict[str, object]:
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
            "reason": self.reason,
        }


def table(rows: Iterable[Row], title: str) -> Table:
    """The rows as a rich table; figures are the worst of all tries, times the median and the longest."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name, justify in COLUMNS.items():
        made.add_column(name, justify=justify, no_wrap=name != REFUSALS)
    # codes are not cut: a narrow terminal folds them
    made.columns[list(COLUMNS).index(REFUSALS)].min_width = 24
    last = None
    for row in rows:
        made.add_row(
            row.title if row.title != last else "",
            row.moment,
            _seconds(row.seconds),
            _size(row.worst("gc", max)),
            _size(row.worst("c_free", min)),
            _size(row.worst("c_least", min)),
            ", ".join(
                code if count == 1 else f"{count} {code}" for code, count in sorted(row.refusals.items())
            ),
            row.verdict,
            style=None if row.passed else "red",
        )
        last = row.title
    return made


def notes(rows: Iterable[Row]) -> list[str]:
    """A line for each row whose verdict needs a reason."""
    return [f"{row.title}, {row.moment}: {row.reason}" for row in rows if row.reason]


def _seconds(found):
    if not found:
        return "-"
    median, longest = (f"{value:.1f}" for value in found)
    return f"{median} s" if median == longest else f"{median}-{longest} s"


def _size(value):
    return "-" if value is None else f"{value / 1024:.1f} K"
