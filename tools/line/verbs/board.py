"""Finding the one identity that `--mac` or `--name` means."""

import argparse

from tools.errors import UserError
from tools.line import device_names
from tools.line.ledger.entries import Identity
from tools.line.ledger.ledger import Ledger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--mac", help="the board's MAC")
    which.add_argument("--name", help="the DeviceName")
    parser.add_argument(
        "--product", metavar="KEY", help="the product of --name, where several have that name"
    )


def find(ledger: Ledger, args: argparse.Namespace, void_too: bool = False) -> Identity:
    """The Identity. UserError when there is none, or more than one. `void_too`: also by the MAC it once
    had.
    """
    if args.mac:
        mac = device_names.mac(args.mac)
        found = ledger.find(mac=mac)
        if found is None and void_too:
            found = next((row for row in reversed(ledger.list(states=["void"])) if row.last_mac == mac), None)
        if found is None:
            raise UserError(f"no identity is bound to board {device_names.colons(mac)}")
        return found
    keys = [args.product] if args.product else [product.product_key for product in ledger.products()]
    rows = [row for row in (ledger.find(product_key=key, device_name=args.name) for key in keys) if row]
    if not rows:
        raise UserError(f"the ledger has no DeviceName {args.name}")
    if len(rows) > 1:
        raise UserError(
            f"several products have a {args.name}: say which with --product "
            + " or ".join(row.product_key for row in rows)
        )
    return rows[0]
