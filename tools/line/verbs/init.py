"""`line init`."""

import argparse

from tools.errors import UserError
from tools.line.ledger import connection, seal
from tools.line.ledger.ledger import Ledger
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "--plain", action="store_true", help="store secrets unsealed; only for a ledger on a sealed disk"
    )


def run(args: argparse.Namespace) -> None:
    at = arguments.station(args)
    url = arguments.url(args, at)
    made = None
    if args.plain:
        key = None
        if args.key_file:
            raise UserError("--plain and --key-file exclude each other")
    else:
        try:
            key = arguments.key(args, at)
        except UserError:
            named = at.key_file if at.fixed else args.key_file
            if not named or _exists(named) or (at.fixed and args.key_file):
                raise
            key, made = seal.make_key(named), named
        if key is None:
            raise UserError(
                "a ledger's secrets are sealed: name the key's file with --key-file "
                "(it is made if it is not there), or ask for --plain"
            )
    Ledger.create(url, key, args.plain).close()
    print(
        f"made the ledger {connection.shown(url)}, "
        + (f"sealed with key {key.id.hex()}" if key else "PLAIN: whoever reads it reads the secrets")
    )
    if made:
        print(f"made the key {made}: keep a copy apart from the ledger; without it no secret can be read")


def _exists(path):
    import os

    return os.path.exists(path)
