"""`line restore-ledger`."""

import argparse

from tools.line.ledger import backup, connection
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("file", help="what 'line backup' made")


def run(args: argparse.Namespace) -> None:
    url = arguments.url(args, arguments.station(args))
    made = backup.restore(args.file, url)
    print(
        f"copied {made.rows['identities']} identities and {made.rows['events']} events to "
        f"{connection.shown(url)}, verified (sha256 {made.digest[:16]})"
    )
    print(
        "boards burned after this backup are not in it: run 'line replay' on every station's journal "
        "before a station starts"
    )
