"""`line release`: give back an identity that never began to be written to a board."""

import argparse

from tools.line.verbs import arguments, board


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    board.add_arguments(parser)
    parser.add_argument("--why", metavar="TEXT", help="goes into the ledger's events")


def run(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args, with_key=False) as ledger:
        found = ledger.release(board.find(ledger, args), arguments.who(args), args.why)
    print(f"{found.device_name} is free")
