"""`line replay`: stations' own records into a ledger that came back from a backup."""

import argparse
import json

from tools.errors import UserError
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "journal", nargs="+", help="what 'line burn' wrote with --journal, from every station"
    )


def run(args: argparse.Namespace) -> None:
    bound, bad = 0, []
    with arguments.open_ledger(args) as ledger:
        who = arguments.who(args)
        for mac, (product_key, device_name) in _read(args.journal).items():
            try:
                bound += ledger.adopt(mac, product_key, device_name, who)
            except UserError as error:
                bad.append(f"{device_name}: {error}")
    print(f"{bound} identities bound to the boards that hold them")
    if bad:
        raise UserError(f"{len(bad)} do not fit the ledger: {'; '.join(bad[:10])}")


def _read(paths):
    """{MAC: (ProductKey, DeviceName)}, the last word of each board."""
    found = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        for number, line in enumerate(lines, 1):
            try:
                table = json.loads(line)
                if (
                    table["mac"] and table["device_name"]
                ):  # a board that was red before it got a name has none
                    found[table["mac"]] = table["product_key"], table["device_name"]
            except (ValueError, KeyError, TypeError):
                if number == len(lines):
                    continue  # a power cut tears the last line
                raise UserError(f"{path} line {number} is no line of a station's journal") from None
    return found
