"""The verb `inspect`: what a board or an image file holds, with every secret masked."""

import argparse
import json
from pathlib import Path

from tools.errors import UserError
from tools.flash import contents, open_board
from tools.image import inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image",
        metavar="IMAGE",
        nargs="?",
        help="a file read from flash: all of it, its NVS, or its file system",
    )
    parser.add_argument(
        "--port", metavar="PORT", help="a plugged-in board instead: a serial port or a pyserial URL"
    )
    parser.add_argument("--board", metavar="BOARD", help="with --port: a folder of boards/")
    parser.add_argument("--baud", type=int, help="with --port: while reading")
    parser.add_argument(
        "--flash-size", metavar="MB", help="with --port: of a flash that esptool does not know"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> None:
    if bool(args.image) == bool(args.port):
        raise UserError("say what to inspect: the file of an IMAGE, or --port PORT")
    found = _look_at_board(args) if args.port else _look_at_file(args)
    print(json.dumps(found, indent=1) if args.json else "\n".join(inspection.describe(found)))


def _look_at_board(args):
    with open_board.started(args) as (loader, board):
        held = contents.look(loader, board, {})
        firmware = held.slots(loader)
        vfs = inspection.look_at_vfs(held.found.image, firmware) if held.found.image else {"state": "none"}
        return {
            "kind": f"{loader.title} {loader.mac}",
            "size": loader.size,
            "partitions": [
                {"label": row.label, "kind": row.kind, "offset": row.offset, "size": row.size}
                for row in (held.layout.rows if held.table == contents.GOOD else ())
            ],
            **inspection.look_at_slots(firmware),
            "nvs": inspection.look_at_nvs(held.found.nvs_data),
            "vfs": vfs,
        }


def _look_at_file(args):
    try:
        data = Path(args.image).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {args.image}: {error.strerror}") from error
    return inspection.look(data)
