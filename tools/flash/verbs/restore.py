"""The verb `restore`: an identity from a backup onto the board that it came from."""

import argparse
from pathlib import Path

from tools.errors import UserError
from tools.flash import backup, contents, open_board
from tools.image import burn, journal, owner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    open_board.add_arguments(parser)
    parser.add_argument("--from", dest="source", metavar="FILE", help="a file that 'backup' made")
    parser.add_argument("--journal", metavar="DIR", help=journal.HELP)


def run(args: argparse.Namespace) -> None:
    if not args.source:
        raise UserError(f"say which backup: BACKUP=FILE (--from FILE); {_lying()}")
    saved = backup.load(args.source)
    with open_board.started(args) as (loader, board):
        if loader.mac != saved.mac:
            raise UserError(
                f"{args.source} is of the board {saved.mac}, but this is {loader.mac}: two boards with one "
                "identity throw each other off the platform"
            )
        held = contents.look(loader, board, {})
        if held.table != contents.GOOD:
            raise UserError("there is no partition table on this board: flash it first")
        report = burn.burn(
            loader,
            held.layout,
            saved.burned,
            loader.mac,
            args.journal,
            issued=saved.issued,
            slots=saved.slots,
        )
    who = owner.describe(saved.burned, saved.mac)
    print(
        f"restored {who}, {report.written} bytes written, read back and compared"
        if report.written
        else f"nothing to do: the board holds {who}"
    )
    if sealed := owner.sealed(saved.burned):
        print(f"{sealed}: it is in this chip, and was never in the backup")
    for note in report.notes:
        print(note)


def _lying():
    """Which backups lie here, the newest first, in words."""
    found = sorted(
        Path(backup.FOLDER).glob("*.identity"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    if not found:
        return f"none lies in {backup.FOLDER}; 'make backup PORT=' and 'make erase PORT=' make one"
    return f"there are {', '.join(map(str, found[:3]))}" + (
        f" and {len(found) - 3} older" if len(found) > 3 else ""
    )
