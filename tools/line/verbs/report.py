"""`line report`."""

import argparse
import re

from tools.errors import UserError
from tools.line.reports import report
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "out", nargs="*", metavar="FILE", help="report.csv, report.json, report.html; none prints totals"
    )
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--since", metavar="DATE", help="2026-11-21, or 2026-11-21T07:00 (UTC)")
    parser.add_argument("--minutes", type=int, default=60, help="width of a step in time (default 60)")


def run(args: argparse.Namespace) -> None:
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
