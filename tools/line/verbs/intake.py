"""`line intake`."""

import json

from tools.line import desk, intake


def add_arguments(parser):
    desk.add_arguments(parser)
    parser.add_argument("csv", help="the CSV that the console gave after it created the devices")
    parser.add_argument("--product", metavar="KEY", help="ProductKey of a CSV without that column")
    parser.add_argument(
        "--skip-bad", action="store_true", help="take in the good rows of a file that has bad ones"
    )
    parser.add_argument("--json", action="store_true")


def run(args):
    data = intake.load(args.csv)
    with desk.open_ledger(args) as ledger:
        taken = intake.take_csv(ledger, data, desk.who(args), args.csv, args.product, args.skip_bad)
    if args.json:
        print(
            json.dumps(
                {
                    "new": taken.new,
                    "known": taken.known,
                    "bad": [{"line": line, "why": why} for line, why in taken.bad],
                }
            )
        )
        return
    for line, why in taken.bad:
        print(f"skipped line {line}: {why}")
    print(f"{taken.new} taken in, {taken.known} known already, {len(taken.bad)} skipped")
