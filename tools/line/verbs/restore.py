"""`line restore`: the identity that the ledger has for a board, put back onto it."""

import argparse
import contextlib

from tools import boards
from tools.errors import UserError
from tools.line import device_names, identities
from tools.line.intake import board_backup
from tools.line.station.port_wire import PortWire
from tools.line.station.visit import lacks_issued, same
from tools.line.station.wire import Pulled, Rejected
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("job", help="the job that says the endpoint; its firmware and files are left alone")
    parser.add_argument(
        "--mac", required=True, help="the board's MAC: the board on the port must be this one"
    )
    parser.add_argument("--port", required=True, help="serial port or pyserial URL")
    parser.add_argument(
        "--issued",
        metavar="FILE",
        help="an identity backup of this board ('make backup'): its issued "
        "secret is taken into the ledger and put back",
    )
    parser.add_argument(
        "--replace", action="store_true", help="give up an identity that the board holds and is not its own"
    )


def run(args: argparse.Namespace) -> None:
    at = arguments.station(args)
    wanted = arguments.load_job(args.job, at)
    who = arguments.who(args, at)
    with arguments.open_ledger(args, wanted) as ledger:
        row = _own(ledger, args.mac)
        if args.issued:
            ledger.keep_issued(row, board_backup.read(args.issued, row), who)
        product = ledger.product(row.product_key, with_secret=True)
        issued = ledger.issued(row)
        identity = identities.wanted(wanted, product, row)
        with contextlib.closing(PortWire(args.port, wanted)) as wire:
            return _put_back(wire, ledger, who, row, identity=identity, issued=issued, args=args)


def _own(ledger, mac):
    row = ledger.find(mac=mac, with_secrets=True)
    if row is None:
        raise UserError(
            f"the ledger has no identity for board {device_names.colons(device_names.mac(mac))}; "
            "a new board gets one with 'line burn'"
        )
    return row


def _put_back(wire, ledger, who, row, *, identity, issued, args):
    try:
        chip = wire.identify()
        if chip.mac != row.mac:
            raise UserError(
                f"the board on {args.port} is {device_names.colons(chip.mac)}, not {device_names.colons(row.mac)}"
            )
        board = boards.load(wire.job.board)
        if chip.name != board.chip:
            raise UserError(f"this is an {chip.name}, the job is for an {board.chip}")
        held = wire.held()
        if same(held, identity) and not lacks_issued(held, issued):
            print(f"{row.device_name} is on the board already, nothing was written")
            return
        row = ledger.begin_write(row, who)
        generation = wire.burn(identity, issued, args.replace, lambda step, part: None)
        if not same(wire.held(), identity):
            raise UserError(
                "the identity read back from the board is not the one that was written; burn again"
            )
        ledger.note(row, "restore", who, "put back" + (" with its issued secret" if issued else ""))
        print(
            f"{row.device_name} is back on {device_names.colons(chip.mac)}, generation {generation}"
            + (", with its issued secret" if issued else "")
        )
    except (Pulled, Rejected) as error:
        raise UserError(str(error)) from None
