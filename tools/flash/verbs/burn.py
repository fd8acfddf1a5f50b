"""The verb `burn`: one board's identity, onto a board on a port or into a flash file."""

import argparse
import json
import re

from tools.errors import UserError
from tools.flash import contents, open_board
from tools.image import burn, flash_image, journal, nvs
from tools.image import identity as identities
from tools.image.flash_file import FlashFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cert", metavar="FILE", help="identity to burn, as JSON")
    open_board.add_arguments(parser)
    parser.add_argument("--flash", metavar="FILE", help="a flash file instead of a board on a port")
    parser.add_argument(
        "--mac", default="24:0a:c4:00:00:01", help="with --flash: the board's MAC (default %(default)s)"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="give up the issued secret of another identity that the board holds",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="go on outside the documented regions and editions"
    )
    parser.add_argument("--journal", metavar="DIR", help=journal.HELP)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> None:
    if not args.cert:
        raise UserError(
            "say which identity to burn: CERT=FILE (--cert FILE), a JSON file such as "
            '{"product_key": ..., "device_name": ..., "device_secret": ...}'
        )
    identity = identities.load(args.cert)
    warning = identities.check_availability(identity, args.anyway)
    mac, report = _into_file(args, identity) if args.flash else _into_board(args, identity)
    print(_json(report, warning) if args.json else "\n".join(burn.messages(report, identity, mac, warning)))


def _into_file(args, identity):
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:?[0-9a-fA-F]{2}){5}", args.mac):
        raise UserError(f"'{args.mac}' is not a MAC such as 24:0a:c4:00:00:01")
    with FlashFile(args.flash) as flash:
        try:
            layout = flash_image.layout_in(flash.read(0, flash.size))
        except ValueError as error:
            raise UserError(f"{args.flash} is no flash image: {error}") from None
        return args.mac, burn.burn(
            flash, layout, identity.fields(), args.mac, args.journal, replace=args.replace
        )


def _into_board(args, identity):
    with open_board.opened(args) as (loader, board):
        loader.start()
        held = contents.look(loader, board, {})
        if held.table != contents.GOOD:
            raise UserError("there is no partition table on this board: flash it first")
        try:
            report = burn.burn(
                loader, held.layout, identity.fields(), loader.mac, args.journal, replace=args.replace
            )
        except nvs.Full as full:
            cure = f"'make flash PORT={loader.name} CERT={args.cert} ARGS=--drop-nvs'"
            raise UserError(
                f"{full}: {cure} saves those of other firmware to a file and makes room"
            ) from None
        loader.reset()
        return loader.mac, report


def _json(report, warning):
    return json.dumps(
        {
            "generation": report.generation,
            "written": report.written,
            "kept_issued": report.kept_issued,
            "notes": list(report.notes),
            "warning": warning,
        }
    )
