"""`line backup | restore-ledger | replay | rekey`: the ledger's own life."""

import argparse
import json

from tools.errors import UserError
from tools.line.ledger import backup, connection, seal
from tools.line.verbs import arguments


def add_backup(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("file", help="a new file; it is a ledger itself, secrets sealed as they are")


def run_backup(args: argparse.Namespace) -> None:
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


def add_restore_ledger(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("file", help="what 'line backup' made")


def run_restore_ledger(args: argparse.Namespace) -> None:
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


def add_replay(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument(
        "journal", nargs="+", help="what 'line burn' wrote with --journal, from every station"
    )


def run_replay(args: argparse.Namespace) -> None:
    bound, bad = 0, []
    with arguments.open_ledger(args) as ledger:
        who = arguments.who(args)
        for mac, (product_key, device_name) in _journals(args.journal).items():
            try:
                bound += ledger.adopt(mac, product_key, device_name, who)
            except UserError as error:
                bad.append(f"{device_name}: {error}")
    print(f"{bound} identities bound to the boards that hold them")
    if bad:
        raise UserError(f"{len(bad)} do not fit the ledger: {'; '.join(bad[:10])}")


def _journals(paths):
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


def add_rekey(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--new-key-file", metavar="FILE", help="made if it is not there")
    target.add_argument("--plain", action="store_true", help="take the seal off")


def run_rekey(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args) as ledger:
        if ledger.seal.key is None and not ledger.plain:
            raise UserError("the old key is needed to open the secrets: --key-file")
        key = None if args.plain else _new_key(args.new_key_file)
        number = ledger.rekey(key, arguments.who(args))
    print(
        f"{number} secrets sealed with key {key.id.hex()}; give it to every station and destroy the old one"
        if key
        else f"{number} secrets are plain now: whoever reads the ledger reads them"
    )


def _new_key(path):
    try:
        return seal.read_key(path)
    except UserError:
        import os

        if os.path.exists(path):
            raise
    return seal.make_key(path)
