"""What a part of the bench gives back: tables of figures, bounds that hold or do not."""

from dataclasses import dataclass, field

from rich import box
from rich.table import Table as Drawn


@dataclass(frozen=True)
class Column:
    """A column's name, and the format that its numbers are shown in."""

    name: str
    shown: str = ""


@dataclass
class Table:
    """Rows of figures; None where there is nothing to say."""

    title: str
    columns: list
    rows: list = field(default_factory=list)

    def add(self, *row):
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} cells for {len(self.columns)} columns of '{self.title}'")
        self.rows.append(row)


@dataclass(frozen=True)
class Bound:
    """`value` must be at most `limit`, or with `least` at least; None, what could not be measured, fails."""

    text: str
    value: float | None
    limit: float
    unit: str = ""
    least: bool = False

    @property
    def holds(self):
        if self.value is None:
            return False
        return self.value >= self.limit if self.least else self.value <= self.limit

    def line(self):
        """One line: what is asked, what was found, and whether it holds."""
        found = "nothing" if self.value is None else number(self.value) + self.unit
        asked = f"at {'least' if self.least else 'most'} {number(self.limit)}{self.unit}"
        return f"{self.text}: {found}, {asked}"


@dataclass
class Report:
    """One part's outcome."""

    tables: list = field(default_factory=list)
    bounds: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def holds(self):
        return all(bound.holds for bound in self.bounds)

    def data(self):
        """The same as plain dicts and lists."""
        return {
            "tables": [
                {
                    "title": table.title,
                    "rows": [dict(zip((column.name for column in table.columns), row)) for row in table.rows],
                }
                for table in self.tables
            ],
            "bounds": [
                {
                    "text": bound.text,
                    "value": bound.value,
                    "unit": bound.unit.strip(),
                    "at least" if bound.least else "at most": bound.limit,
                    "holds": bound.holds,
                }
                for bound in self.bounds
            ],
            "notes": list(self.notes),
        }


def number(value):
    """A number short: whole ones without a point, others with three digits that count."""
    return str(value) if isinstance(value, int) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def cell(value, shown):
    """A cell's text."""
    return "" if value is None else format(value, shown) if isinstance(value, (int, float)) else str(value)


def draw(console, report):
    """Print a report on a rich console."""
    for table in report.tables:
        drawn = Drawn(box=box.SIMPLE_HEAD, title=table.title, title_justify="left", pad_edge=False)
        for at, column in enumerate(table.columns):
            numbers = any(isinstance(row[at], (int, float)) for row in table.rows)
            drawn.add_column(column.name, justify="right" if numbers else "left")
        for row in table.rows:
            drawn.add_row(*(cell(value, column.shown) for value, column in zip(row, table.columns)))
        console.print(drawn)
    for note in report.notes:
        console.print(note, markup=False, soft_wrap=True)
    for bound in report.bounds:
        word, style = ("holds", "green") if bound.holds else ("FAILS", "bold red")
        console.print(word, style=style, end="  ")
        console.print(bound.line(), markup=False, soft_wrap=True)
