"""What the operator sees: one live table on a terminal, plain lines in a pipe, JSON lines for a program."""

import json
import sys
import time

COLOURS = {
    "done": "green",
    "already": "green",
    "failed": "red",
    "broken": "red",
    "pulled": "yellow",
    "ledger": "yellow",
    "waiting": "dim",
}
# events that a plain line is worth; the others are progress
SPOKEN = ("identified", "reserved", "result", "pulled", "broken", "died", "ledger", "written", "verified")


def summary(tally):
    text = f"{tally.passed} passed, {tally.failed} failed"
    if tally.already:
        text += f", {tally.already} were done before"
    return f"{text}, {tally.an_hour(time.monotonic()):.0f} boards an hour"


def mac_text(digits):
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


class Lines:
    """Plain lines, one for each thing that an operator wants to know."""

    def __init__(self, out=None):
        self.out = out or sys.stdout

    def hear(self, at, row, event, facts, tally):
        if event not in SPOKEN:
            return
        board = " ".join(part for part in (mac_text(row.mac), row.device_name) if part)
        word = facts["outcome"].upper() if event == "result" else event
        text = f"{at[11:19]} bay {row.bay}: {word}" + (f" {board}" if board else "")
        print(text + (f": {facts['why']}" if facts.get("why") else ""), file=self.out, flush=True)

    def tick(self, rows, tally):
        pass

    def close(self, rows, tally):
        print(summary(tally), file=self.out, flush=True)


class JsonLines:
    """One JSON object for each event, progress included, and a last one with the totals."""

    def __init__(self, out=None):
        self.out = out or sys.stdout

    def hear(self, at, row, event, facts, tally):
        line = {
            "at": at,
            "bay": row.bay,
            "event": event,
            "mac": row.mac or None,
            "device_name": row.device_name or None,
            **{name: value for name, value in facts.items() if value is not None},
        }
        print(json.dumps(line), file=self.out, flush=True)

    def tick(self, rows, tally):
        pass

    def close(self, rows, tally):
        print(
            json.dumps(
                {
                    "event": "end",
                    "passed": tally.passed,
                    "already": tally.already,
                    "failed": tally.failed,
                    "boards_an_hour": round(tally.an_hour(time.monotonic()), 1),
                }
            ),
            file=self.out,
            flush=True,
        )


class Table:
    """rich's live table: a row for each bay, progress, counts, boards an hour."""

    def __init__(self, title, console=None):
        from rich.live import Live

        self.title = title
        self.live = Live(console=console, refresh_per_second=8, transient=False)
        self.live.start()

    def hear(self, at, row, event, facts, tally):
        pass

    def tick(self, rows, tally):
        self.live.update(self.render(rows, tally))

    def close(self, rows, tally):
        self.live.update(self.render(rows, tally))
        self.live.stop()

    def render(self, rows, tally):
        from rich.progress_bar import ProgressBar
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title, caption=summary(tally), expand=True)
        for name, width in (
            ("bay", 6),
            ("board", 17),
            ("device", None),
            ("step", 12),
            ("", 16),
            ("good", 5),
            ("bad", 4),
        ):
            table.add_column(name, width=width, no_wrap=True)
        table.add_column("", ratio=1)
        for row in rows.values():
            colour = COLOURS.get(row.outcome or row.step, "")
            bar = ProgressBar(total=1.0, completed=row.part, width=16) if row.part is not None else ""
            table.add_row(
                row.bay,
                mac_text(row.mac),
                row.device_name,
                Text(row.step.upper() if row.outcome else row.step, style=colour),
                bar,
                str(row.passed),
                str(row.failed),
                Text(row.why, style=colour),
            )
        return table


def choose(as_json, title):
    """The screen for where standard output goes."""
    if as_json:
        return JsonLines()
    return Table(title) if sys.stdout.isatty() else Lines()
