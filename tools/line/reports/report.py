"""What the line did: per board, in total and over time, from the ledger's events. Never a secret."""

import csv
import datetime
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.errors import UserError
from tools.line import device_names
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import stamp, utc_now

COLUMNS = (
    "product_key",
    "device_name",
    "mac",
    "state",
    "station",
    "operator",
    "changed",
    "visits",
    "firmware",
    "image",
    "serial",
    "expires",
    "id2",
    "note",
)
HEADINGS = {
    "product_key": "product",
    "device_name": "device",
    "mac": "MAC",
    "changed": "last change, UTC",
    "image": "files",
    "serial": "certificate",
    "id2": "ID²",
    "note": "why",
}
PASS, FAIL = ("finish",), ("fail", "reject")
FORMATS = ("csv", "json", "html")


def make(
    ledger: Ledger,
    product_key: str | None = None,
    since: str | None = None,
    minutes: int = 60,
    now: datetime.datetime | None = None,
) -> dict[str, Any]:
    """The report as a dict: `boards`, `totals`, `timeline` (one entry for each `minutes`), `failures`, `jobs`."""
    whole = [
        event
        for event in ledger.history()
        if product_key is None or event["product_key"] in (None, product_key)
    ]
    history = [event for event in whole if since is None or event["at"] >= since]
    boards = _boards(ledger, history, product_key, since)
    results = [event["at"] for event in history if event["action"] in PASS + FAIL]
    return {
        "product": product_key,
        "products": sorted(
            {board["product_key"] for board in boards} | ({product_key} if product_key else set())
        ),
        "jobs": _jobs(whole, since),
        "made": stamp(now or utc_now()),
        "first": min(results, default=None),
        "last": max(results, default=None),
        "since": since,
        "minutes": minutes,
        "boards": boards,
        "totals": _totals(ledger, history, product_key),
        "timeline": timeline(history, minutes),
        "failures": Counter(
            device_names.printable(event["note"] or "") for event in history if event["action"] in FAIL
        ).most_common(),
    }


def _jobs(history, since):
    """The jobs that ran since then, as text; before each station's first start since then, its last one before."""
    before, found = {}, {}
    for event in history:
        if event["action"] != "job":
            continue
        job = json.loads(event["note"])
        text = job["job"] + (f", number {job['number']}" if job["number"] is not None else "")
        text += (
            f" (key {job['signer']})"
            if job["checked"]
            else " (not signed)"
            if not job["signer"]
            else " (not checked)"
        )
        if since is None or event["at"] >= since:
            found.setdefault(device_names.printable(text))
        else:
            before[event["station"]] = device_names.printable(text)
    return list(dict.fromkeys([*before.values(), *found]))


def _boards(ledger, history, product_key, since):
    visits, notes = Counter(), {}
    for event in history:
        if event["action"] in ("reserve", "resume"):
            visits[event["identity_id"]] += 1
        if event["action"] in PASS:
            notes.pop(event["identity_id"], None)  # an old failure says nothing of a good board
        elif event["note"] and event["action"] in FAIL + ("void",):
            notes[event["identity_id"]] = device_names.printable(event["note"])
    return [
        {
            "product_key": row.product_key,
            "device_name": row.device_name,
            "mac": device_names.colons(row.mac or row.last_mac),
            "state": row.state,
            "station": row.station,
            "operator": row.operator,
            "changed": row.changed,
            "visits": visits[row.id],
            "firmware": row.firmware,
            "image": row.image,
            "serial": row.serial,
            "expires": row.expires,
            "id2": row.id2,
            "note": notes.get(row.id),
        }
        for row in ledger.list(product_key)
        if (row.mac or row.last_mac) and (since is None or row.changed >= since)
    ]


def _totals(ledger, history, product_key):
    """Identities by state, passes and fails, and the two yields as parts of one."""
    states = Counter()
    for table in ledger.counts(product_key).values():
        states.update(table)
    results = {}  # board -> its results in order
    for event in history:
        if event["action"] in PASS + FAIL and event["mac"]:
            results.setdefault(event["mac"], []).append(event["action"] in PASS)
    passed = sum(outcome[-1] for outcome in results.values())
    first = sum(outcome[0] for outcome in results.values())
    return {
        "states": dict(states),
        "boards": len(results),
        "passed": passed,
        "failed": len(results) - passed,
        "first_pass_yield": _part(first, len(results)),
        "final_yield": _part(passed, len(results)),
    }


def _part(some, all_of_them):
    return round(some / all_of_them, 4) if all_of_them else None


def timeline(history: Sequence[Mapping[str, Any]], minutes: int = 60) -> list[dict[str, Any]]:
    """Passes, fails and yield for each stretch of `minutes`, empty ones between the first and last
    included.
    """
    counts: dict[int, tuple[int, int]] = {}
    for event in history:
        if event["action"] in PASS + FAIL:
            passed, failed = counts.get(_slot(event["at"], minutes), (0, 0))
            good = event["action"] in PASS
            counts[_slot(event["at"], minutes)] = (passed + good, failed + (not good))
    if not counts:
        return []
    return [
        {
            "at": _time(slot, minutes),
            "passed": counts.get(slot, (0, 0))[0],
            "failed": counts.get(slot, (0, 0))[1],
            "yield": _part(counts.get(slot, (0, 0))[0], sum(counts.get(slot, (0, 0)))),
            "per_hour": round(counts.get(slot, (0, 0))[0] * 60 / minutes, 2),
        }
        for slot in range(min(counts), max(counts) + 1)
    ]


def _slot(at, minutes):
    import datetime

    moment = datetime.datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) // (60 * minutes)


def _time(slot, minutes):
    import datetime

    return datetime.datetime.fromtimestamp(slot * 60 * minutes, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%MZ"
    )


def as_csv(report: Mapping[str, Any]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in board.items()} for board in report["boards"])
    return out.getvalue()


def _safe(value):
    """A cell that no spreadsheet takes for a formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def as_html(report: Mapping[str, Any]) -> str:
    """One page that needs nothing else: the tables, and the plot as SVG inside."""
    import jinja2

    loader = jinja2.FileSystemLoader(os.path.dirname(__file__))
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["moment"] = lambda at: f"{at[:10]} {at[11:16]} UTC"
    shown = [name for name in COLUMNS if any(board[name] for board in report["boards"])]
    page = environment.get_template("report.html.j2")
    return page.render(
        report=report, columns=shown, headings=HEADINGS, plot=_plot(report) if report["timeline"] else ""
    )


def _plot(report):
    """Passed and failed boards of each stretch of time as bars, whole numbers on the axis."""
    import pygal
    from pygal.style import CleanStyle

    slots = report["timeline"]
    top = max(slot[name] for slot in slots for name in ("passed", "failed"))
    step = max(1, -(-top // 5))
    chart = pygal.Bar(
        js=(),
        disable_xml_declaration=True,
        width=900,
        height=320,
        style=CleanStyle(colors=("#137333", "#b3261e"), background="#fff", plot_background="#fff"),
        range=(0, top),
        y_labels=range(0, top + step, step),
        value_formatter=lambda value: f"{value:.0f}",
        x_label_rotation=30 if len(slots) > 8 else 0,
        legend_at_bottom=True,
        show_minor_x_labels=False,
        x_title=f"UTC, each bar {report['minutes']} minutes",
        y_title="boards",
        no_prefix=True,
    )
    chart.x_labels = [slot["at"][5:16].replace("T", " ") for slot in slots]
    chart.x_labels_major_count = min(12, len(slots))
    chart.add("passed", [slot["passed"] for slot in slots])
    chart.add("failed", [slot["failed"] for slot in slots])
    # the colour of the ground as an attribute too, for readers of mail that know no child selectors: else it is black
    return chart.render(is_unicode=True).replace('class="background"', 'class="background" fill="#fff"')


def write(report: Mapping[str, Any], path: Path | str) -> None:
    """Write the report in the form that the file's suffix names."""
    form = os.path.splitext(path)[1][1:].lower()
    makers = {"csv": as_csv, "json": as_json, "html": as_html}
    if form not in makers:
        raise UserError(f"a report is a .csv, .json or .html file, not '{os.path.basename(path)}'")
    text = makers[form](report)
    try:
        with open(path, "w", encoding="utf-8-sig" if form == "csv" else "utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
