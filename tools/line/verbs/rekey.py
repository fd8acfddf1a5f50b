"""`line rekey`."""

import argparse

from tools.errors import UserError
from tools.line.ledger import seal
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--new-key-file", metavar="FILE", help="made if it is not there")
    target.add_argument("--plain", action="store_true", help="take the seal off")


def run(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args) as ledger:
        if ledger.seal.key is None and not ledger.plain:
            raise UserError("the old key is needed to open the secrets: --key-file")
        key = None if args.plain else _key(args.new_key_file)
        number = ledger.rekey(key, arguments.who(args))
    print(
        f"{number} secrets sealed with key {key.id.hex()}; give it to every station and destroy the old one"
        if key
        else f"{number} secrets are plain now: whoever reads the ledger reads them"
    )


def _key(path):
    try:
        return seal.read_key(path)
    except UserError:
        import os

        if os.path.exists(path):
            raise
    return seal.make_key(path)
