"""`line labels`."""

import argparse

from tools.errors import UserError
from tools.line.ledger.transitions import DONE
from tools.line.reports import labels
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--mac", action="append", help="only these boards (may be given more than once)")
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--format", choices=labels.FORMATS, default=None)
    parser.add_argument("--qr", metavar="TEMPLATE", help="default: " + labels.DEFAULT["qr"])
    parser.add_argument(
        "--text", action="append", metavar="TEMPLATE", help="a line of text; may be given more than once"
    )
    parser.add_argument("--out", metavar="FOLDER", default="labels")


def run(args: argparse.Namespace) -> None:
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
