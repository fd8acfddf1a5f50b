"""Opens a plugged-in board for a verb: finds the port, enters the loader, identifies the chip or refuses it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from tools import boards
from tools.errors import UserError
from tools.flash import plan, port
from tools.flash.loader import Loader

_MEGABYTES = ("1", "2", "4", "8", "16", "32", "64", "128")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that every such verb has."""
    parser.add_argument(
        "--port", metavar="PORT", help="a serial port or a pyserial URL; by default the only one there is"
    )
    parser.add_argument(
        "--board", metavar="BOARD", help="a folder of boards/; by default the generic one of the chip"
    )
    parser.add_argument("--baud", type=int, help="while flashing; by default the board's")
    parser.add_argument("--flash-size", metavar="MB", help="of a flash whose id esptool does not know")


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[tuple[Loader, boards.Board]]:
    """(`Loader`, `Board`) of the board that the arguments name; only its chip and MAC were read."""
    named = boards.load(args.board) if args.board else None
    with Loader(
        port.choose(args.port),
        args.baud or (named.flash_baud if named else 921600),
        named.connect_mode if named else "default-reset",
        flash_size=flash_size(args.flash_size),
    ) as loader:
        board = named or boards.load(plan.board_for(loader.chip))
        plan.refuse(board, loader.chip, None, loader.security)
        yield loader, board


@contextmanager
def started(args: argparse.Namespace) -> Iterator[tuple[Loader, boards.Board]]:
    """The same with the stub up and the flash attached; the board is reset at the end."""
    with opened(args) as (loader, board):
        loader.start()
        plan.refuse(board, loader.chip, loader.size, loader.security)
        yield loader, board
        loader.reset()


def flash_size(text: str | None) -> int | None:
    """Bytes of "4" or "4MB", None for None; UserError for what is no size of a flash."""
    if text is None:
        return None
    number = text.upper().removesuffix("MB").strip()
    if number not in _MEGABYTES:
        raise UserError(f"--flash-size {text} is not one of {', '.join(_MEGABYTES)} MB")
    return int(number) << 20
