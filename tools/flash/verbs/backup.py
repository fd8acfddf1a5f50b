"""The verb `backup`: the identity of a plugged-in board into a file that only its owner can read."""

import argparse
import json

from tools.errors import UserError
from tools.flash import backup, contents, open_board
from tools.image import decision, owner
from tools.image.flash_image import BURNED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    open_board.add_arguments(parser)
    parser.add_argument("--backups", metavar="DIR", default=backup.FOLDER, help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> None:
    with open_board.started(args) as (loader, board):
        held = contents.look(loader, board, {})
        path = backup.save(loader.mac, held.copies, args.backups)
        who = held.who(loader.mac)
        burned = decision.newest(held.copies, BURNED)
        sealed = burned and owner.sealed(burned.fields)
    if path is None:
        raise UserError(f"the board {loader.mac} holds no identity")
    print(
        json.dumps({"file": str(path), "mac": loader.mac, "identity": who, "issued": held.issued})
        if args.json
        else f"the identity {who} of {loader.mac} was saved to {path}" + (f"; {sealed}" if sealed else "")
    )
