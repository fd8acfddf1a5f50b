"""What the operator sees: one live table on a terminal, plain lines in a pipe, JSON lines for a program."""

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from tools.line.device_names import printable

if TYPE_CHECKING:
    from rich.console import Console, Group

    from tools.line.station.station import Row, Tally


COLOURS = {
    "done": "green",
    "already": "green",
    "failed": "bold red",
    "broken": "bold red",
    "pulled": "yellow",
    "ledger": "yellow",
    "waiting": "dim",
}
STATES = {  # steps and outcomes as an operator reads them; the others are as they are
    "waiting": "insert board",
    "identify": "reads chip",
    "identified": "reads flash",
    "reserved": "has its name",
    "flashed": "flashed",
    "done": "DONE",
    "already": "DONE BEFORE",
    "failed": "FAILED",
    "broken": "BAY BROKEN",
    "pulled": "PULLED",
    "ledger": "ledger away",
}
LEGEND = "green: take it out. red: put it aside. yellow: plug it in again, or wait"
BAY = 12  # columns of a bay's name
TURN = 5.0  # seconds for which a part of the bays is shown
# events that a plain line is worth; the others are progress
SPOKEN = (
    "identified",
    "reserved",
    "update",
    "result",
    "pulled",
    "broken",
    "died",
    "ledger",
    "written",
    "verified",
)


def summary(tally: "Tally") -> str:
    text = f"{tally.passed} passed, {tally.failed} failed"
    if tally.already:
        text += f", {tally.already} were done before"
    return f"{text}, {tally.an_hour(time.monotonic()):.0f} boards an hour"


def mac_text(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def reds(tally: "Tally") -> list[str]:
    """The boards that are still red at the end, each with its whole reason, as lines."""
    if not tally.reds:
        return []
    return ["still red:"] + [
        printable(f"  bay {': '.join(part for part in (bay, mac_text(mac), device_name, why) if part)}")
        for bay, mac, device_name, why in tally.reds.values()
    ]


class Lines:
    """Plain lines, one for each thing that an operator wants to know."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout

    def hear(self, at: str, row: "Row", event: str, facts: Mapping[str, Any], tally: "Tally") -> None:
        if event not in SPOKEN:
            return
        board = " ".join(part for part in (mac_text(row.mac), row.device_name) if part)
        word = STATES[facts["outcome"]] if event == "result" else event
        text = f"{at[11:19]} bay {row.bay}: {word}" + (f" {board}" if board else "")
        print(printable(text + (f": {facts['why']}" if facts.get("why") else "")), file=self.out, flush=True)

    def tick(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
        pass

    def close(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
        for line in reds(tally):
            print(line, file=self.out)
        print(summary(tally), file=self.out, flush=True)


class JsonLines:
    """One JSON object for each event, progress included, and a last one with the totals."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout

    def hear(self, at: str, row: "Row", event: str, facts: Mapping[str, Any], tally: "Tally") -> None:
        line = {
            "at": at,
            "bay": row.bay,
            "event": event,
            "mac": row.mac or None,
            "device_name": row.device_name or None,
            **{name: value for name, value in facts.items() if value is not None},
        }
        print(json.dumps(line), file=self.out, flush=True)

    def tick(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
        pass

    def close(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
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
    """rich's live table: one line for each bay, and under it what has no room there: a long name, a reason.

    Bays that do not fit the screen's height are shown in turn.
    """

    def __init__(self, title: str, console: "Console | None" = None) -> None:
        from rich.live import Live

        self.title = printable(title)
        self.live = Live(console=console, refresh_per_second=8, transient=False)
        self.live.start()

    def hear(self, at: str, row: "Row", event: str, facts: Mapping[str, Any], tally: "Tally") -> None:
        pass

    def tick(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
        self.live.update(self.render(rows, tally))

    def close(self, rows: Mapping[str, "Row"], tally: "Tally") -> None:
        self.live.update(self.render(rows, tally, whole=True))
        self.live.stop()
        for line in reds(tally):
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def render(
        self, rows: Mapping[str, "Row"], tally: "Tally", whole: bool = False, now: float | None = None
    ) -> "Group":
        """The table as it stands; `whole`: however long. `now`: seconds, which choose the bays shown."""
        from rich.console import Group
        from rich.text import Text

        wide = min(BAY, max([4, *(len(printable(row.bay)) for row in rows.values())]))
        blocks = [self._block(row, wide) for row in rows.values()]
        head = self._wrapped(self.title, "bold")
        head += [
            Text(f"{'bay':<{wide}} {'state':<14} {'board':<17} {'good':>5} {'red':>4}  device", style="bold")
        ]
        foot = self._wrapped(summary(tally)) + self._wrapped(LEGEND, "dim")
        room = self.live.console.height - len(head) - len(foot) - 1  # a line says which bays these are
        pages = [blocks] if whole else _pages(blocks, max(1, room))
        page = int((time.monotonic() if now is None else now) / TURN) % len(pages)
        if len(pages) > 1:
            foot.insert(
                0,
                Text(
                    f"part {page + 1} of {len(pages)} of the bays; each is shown for {TURN:g} s", style="dim"
                ),
            )
        return Group(*head, *(line for block in pages[page] for line in block), *foot)

    def _block(self, row, wide):
        """The lines of one bay."""
        from rich.text import Text

        colour = COLOURS.get(row.outcome or row.step, "")
        state = STATES.get(row.step, row.step) + (f" {row.part:.0%}" if row.part is not None else "")
        bay, name = printable(row.bay), printable(row.device_name)
        line = Text(f"{bay[:wide]:<{wide}} ")
        line.append(f"{state:<14}", style=colour)
        line.append(f" {mac_text(row.mac):<17} {row.passed:>5} {row.failed:>4}  ")
        below = [bay] if len(bay) > wide else []
        if len(line) + len(name) <= self.live.console.width:
            line.append(name)
        else:
            below.append(name)
        below += [row.why] if row.why else []
        lines = [line, *(one for text in below for one in self._wrapped(text, colour, wide + 1))]
        return lines + (self._wrapped(row.last, "red", wide + 1) if row.last else [])

    def _wrapped(self, text, style="", indent=0):
        """The text in lines that fit the screen, all of it."""
        from rich.text import Text

        console = self.live.console
        lines = Text(printable(text)).wrap(console, max(20, console.width - indent))
        return [Text(" " * indent + line.plain.rstrip(), style=style) for line in lines]


def _pages(blocks, room):
    """The bays' blocks of lines, in as many parts as it takes to fit each into `room` lines."""
    pages = [[]]
    for block in blocks:
        if pages[-1] and sum(map(len, pages[-1])) + len(block) > room:
            pages.append([])
        pages[-1].append(block)
    return pages


def choose(as_json: bool, title: str) -> Lines | JsonLines | Table:
    """The screen for where standard output goes."""
    if as_json:
        return JsonLines()
    return Table(title) if sys.stdout.isatty() else Lines()
