"""`line status`."""

import argparse
import json

from tools.line.ledger import connection
from tools.line.ledger.transitions import STATES
from tools.line.verbs import arguments

PRODUCT = 16  # columns; a longer ProductKey has a line of its own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--product", metavar="KEY")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> None:
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
