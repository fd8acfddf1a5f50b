"""`line void`: take an identity out of use for good, or undo that."""

import argparse
import sys

from tools.errors import UserError
from tools.line.verbs import arguments, board


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    board.add_arguments(parser)
    parser.add_argument("--undo", action="store_true", help="take it back into use for the board that had it")
    parser.add_argument("--why", metavar="TEXT", help="goes into the ledger's events")
    parser.add_argument("--yes", action="store_true", help="do not ask for the DeviceName to be typed")


def run(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args, with_key=False) as ledger:
        found = board.find(ledger, args, void_too=args.undo)
        if args.undo:
            changed = ledger.reopen(found, arguments.who(args), args.why)
            print(f"{changed.device_name} is {changed.state} again")
            return
        confirm(args, f"{found.device_name} ({found.state}) will never be burned again", found.device_name)
        ledger.void(found, arguments.who(args), args.why)
        print(f"{found.device_name} is void")


def confirm(args: argparse.Namespace, what: str, word: str) -> None:
    """Ask for `word` to be typed; UserError when it is not, or when nobody can be asked."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{what}; say --yes to do it without a question")
    if input(f"{what}. Type {word} to go on: ").strip() != word:
        raise UserError("not confirmed, nothing was changed")
