"""`line backup`."""

import argparse

from tools.line.ledger import backup
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("file", help="a new file; it is a ledger itself, secrets sealed as they are")


def run(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args) as ledger:
        made = backup.backup(ledger, args.file)
        opened = None
        if ledger.seal.key or ledger.plain:
            opened = ledger.check_secrets()
    print(
        f"copied {made.rows['identities']} identities and {made.rows['events']} events to {args.file}, "
        f"verified (sha256 {made.digest[:16]})"
    )
    print(
        f"{opened} secrets open with the key"
        if opened is not None
        else "the secrets were copied sealed; without the key nobody saw whether they open"
    )
