"""`line names`: DeviceNames into the ledger, and the CSVs to upload to the console."""

import argparse
from dataclasses import replace

from tools.errors import UserError
from tools.line import device_names
from tools.line.intake import name_lists, tables
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("product_key", metavar="KEY", help="a product taken in with 'line product'")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--macs",
        metavar="FILE",
        help="the boards' MACs, one a line or a CSV with a column MAC, for a MAC rule",
    )
    source.add_argument("--count", type=int, help="how many serials to make, for the serial rule")
    parser.add_argument("--prefix", default="", help="before each serial")
    parser.add_argument("--first", type=int, default=1, help="the first serial (default 1)")
    parser.add_argument(
        "--width", type=int, default=8, help="digits of a serial, check digit apart (default 8)"
    )
    parser.add_argument("--out", metavar="FOLDER", default=".", help="where the CSVs go")
    parser.add_argument(
        "--piece",
        type=int,
        default=name_lists.PIECE,
        help=f"names in one CSV (default {name_lists.PIECE}; the console takes {name_lists.PIECE_X509} "
        "for a product with X.509)",
    )


def run(args: argparse.Namespace) -> None:
    if not 1 <= args.piece <= name_lists.PIECE:
        raise UserError(f"--piece is 1 to {name_lists.PIECE}: the console drops what is beyond")
    with arguments.open_ledger(args) as ledger:
        product = ledger.product(args.product_key)
        made = _names(args, product)
        taken = name_lists.take_names(ledger, replace(product, secret=None), made, arguments.who(args))
    paths = name_lists.write_pieces(made, args.out, f"{args.product_key}-names", args.piece)
    print(f"{taken.new} DeviceNames taken in, {taken.known} known already; upload to the console:")
    for path in paths:
        print(f"  {path}")


def _names(args, product):
    if product.name_rule is None:
        raise UserError(
            f"the devices of {product.product_key} have their own identities; "
            "their names come with 'line intake'"
        )
    if (product.name_rule == device_names.SERIAL_RULE) != (args.count is not None):
        raise UserError(
            f"product {product.product_key} names by rule '{product.name_rule}', so "
            + ("say --count" if args.count is None else "say --macs")
        )
    if args.macs:
        return [
            device_names.of_mac(product.name_rule, mac) for mac in name_lists.macs(tables.load(args.macs))
        ]
    if args.count < 1 or args.first < 0 or args.width < 1:
        raise UserError("--count and --width are at least 1, --first at least 0")
    return [
        device_names.serial(args.prefix, number, args.width)
        for number in range(args.first, args.first + args.count)
    ]
