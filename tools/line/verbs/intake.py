"""`line intake`."""

import argparse
import json
import os

from tools.line.intake import tables
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "source",
        metavar="CSV|FOLDER",
        help="the CSV that the console gave after it created the devices; the folder that 'ca issue' wrote, or a "
        "CSV of its files; a CSV of ID² identities",
    )
    parser.add_argument("--product", metavar="KEY", help="ProductKey of a CSV without that column")
    parser.add_argument(
        "--skip-bad", action="store_true", help="take in the good rows of a file that has bad ones"
    )
    parser.add_argument(
        "--renew",
        action="store_true",
        help="give known devices the secret or certificate that is another one in this file; their boards get it "
        "when they come to a station again",
    )
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> None:
    if os.path.isdir(args.source):
        sheet = tables.read_folder(args.source, args.product)
    else:
        sheet = tables.read(tables.load(args.source), args.product, os.path.dirname(args.source))
    with arguments.open_ledger(args) as ledger:
        taken = tables.take(ledger, sheet, arguments.who(args), args.source, args.skip_bad, args.renew)
    if args.json:
        print(
            json.dumps(
                {
                    "new": taken.new,
                    "known": taken.known,
                    **({"renewed": taken.renewed} if args.renew else {}),
                    "bad": [
                        {"line" if isinstance(place, int) else "file": place, "why": why}
                        for place, why in taken.bad
                    ],
                    **(
                        {"warnings": [{"line": line, "why": why} for line, why in taken.warned]}
                        if taken.warned
                        else {}
                    ),
                }
            )
        )
        return
    for place, why in taken.bad:
        print(f"skipped {'line ' if isinstance(place, int) else ''}{place}: {why}")
    for line, why in taken.warned[: tables.BadRows.SHOWN]:
        print(f"warning: line {line}: {why}; compare it with the console")
    if len(taken.warned) > tables.BadRows.SHOWN:
        print(
            f"warning: {len(taken.warned) - tables.BadRows.SHOWN} more names look so; --json lists them all"
        )
    renewed = f"{taken.renewed} renewed, " if args.renew else ""
    print(f"{taken.new} taken in, {renewed}{taken.known} known already, {len(taken.bad)} skipped")
