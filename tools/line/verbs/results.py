"""`line status | report | labels`: what the line has and did, and what goes with the boards."""

import argparse
import json
import re

from tools.errors import UserError
from tools.line.ledger import connection
from tools.line.ledger.transitions import DONE, STATES
from tools.line.reports import labels, report
from tools.line.verbs import arguments

PRODUCT = 16  # columns; a longer ProductKey has a line of its own


def add_status(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--json", action="store_true")


def run_status(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args, with_key=False) as ledger:
        counts, plain = ledger.counts(args.product), ledger.plain
        where = connection.shown(ledger.connection.url)
    if args.json:
        print(json.dumps({"ledger": where, "sealed": not plain, "products": counts}))
        return
    print(f"ledger {where}" + (" (PLAIN: secrets are not sealed)" if plain else ""))
    print("product".ljust(PRODUCT) + "".join(state.rjust(9) for state in STATES))
    for product, row in sorted(counts.items()):
        first = product.ljust(PRODUCT) if len(product) <= PRODUCT else f"{product}\n{'':<{PRODUCT}}"
        print(first + "".join(str(row[state]).rjust(9) for state in STATES))
    if not counts:
        print("no product yet; 'line intake' or 'line product' takes one in")


def add_report(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "out", nargs="*", metavar="FILE", help="report.csv, report.json, report.html; none prints totals"
    )
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--since", metavar="DATE", help="2026-11-21, or 2026-11-21T07:00 (UTC)")
    parser.add_argument("--minutes", type=int, default=60, help="width of a step in time (default 60)")


def run_report(args: argparse.Namespace) -> None:
    if args.since and not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", args.since):
        raise UserError("--since is a date such as 2026-11-21, or 2026-11-21T07:00")
    if not 1 <= args.minutes <= 1440:
        raise UserError("--minutes is 1 to 1440")
    with arguments.open_ledger(args, with_key=False) as ledger:
        made = report.make(ledger, args.product, args.since, args.minutes)
    for path in args.out:
        report.write(made, path)
        print(f"wrote {path}")
    totals = made["totals"]
    print(
        f"{totals['boards']} boards: {totals['passed']} passed, {totals['failed']} failed; first-pass yield "
        f"{_percent(totals['first_pass_yield'])}, final yield {_percent(totals['final_yield'])}"
    )


def _percent(part):
    return "none yet" if part is None else f"{100 * part:.1f} %"


def add_labels(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--mac", action="append", help="only these boards (may be given more than once)")
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--format", choices=labels.FORMATS, default=None)
    parser.add_argument("--qr", metavar="TEMPLATE", help="default: " + labels.DEFAULT["qr"])
    parser.add_argument(
        "--text", action="append", metavar="TEMPLATE", help="a line of text; may be given more than once"
    )
    parser.add_argument("--out", metavar="FOLDER", default="labels")


def run_labels(args: argparse.Namespace) -> None:
    table = {
        name: value
        for name, value in (("format", args.format), ("qr", args.qr), ("text", args.text))
        if value
    }
    table = labels.settings(table)
    with arguments.open_ledger(args, with_key=False) as ledger:
        rows = ledger.list(args.product, [DONE], args.mac)
    if not rows:
        raise UserError("no finished board is among them; labels are for boards that are done")
    for path in labels.write(rows, args.out, table):
        print(path)
