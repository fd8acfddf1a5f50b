"""The verb `erase`: a whole chip, after its identity was saved and what is lost was named."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tools.boards import Board
from tools.errors import UserError
from tools.flash import backup, contents, open_board
from tools.flash.loader import Loader
from tools.image import burn, journal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    open_board.add_arguments(parser)
    add_consent(parser)
    parser.add_argument("--journal", metavar="DIR", help=journal.HELP)


def add_consent(parser: argparse.ArgumentParser) -> None:
    """The arguments of everything that erases."""
    parser.add_argument(
        "--confirm", metavar="NAME", help="what is asked to be typed, for use without a terminal"
    )
    parser.add_argument("--backups", metavar="DIR", default=backup.FOLDER, help="default %(default)s")


def run(args: argparse.Namespace) -> None:
    with open_board.started(args) as (loader, board):
        saved = erase(loader, board, print, backups=args.backups, confirm=args.confirm, folder=args.journal)
        name = loader.name
    if saved:
        print(f"to use it again: 'make flash PORT={name}', then 'make restore PORT={name} BACKUP={saved}'")


def erase(
    loader: Loader,
    board: Board,
    report: Callable[[str], object],
    *,
    backups: Path | str = backup.FOLDER,
    confirm: str | None = None,
    ask: Callable[[str], str] = input,
    folder: Path | str | None = None,
) -> Path | None:
    """Erase the chip; the path of its backup, None where there was nothing to save.

    What `folder` keeps of an interrupted flash or burn of this board goes to the backups. UserError when what was
    typed is not the name of the device that would be lost.
    """
    held, kept = _with_kept(contents.look(loader, board, {}), loader.mac, folder)
    who = held.who(loader.mac)
    saved = backup.save(loader.mac, held.copies, backups)
    if who:
        report(f"the identity {who} was saved to {saved}")
    if held.issued:
        device = who.rpartition("/")[2]
        lost = (
            f"this erases the secret that the platform issued to {who}; without the backup the device can "
            "never register again"
        )
        if confirm is None and not sys.stdin.isatty():
            raise UserError(f"{lost}: say --confirm {device}")
        if (confirm or ask(f"{lost}. Type {device} to go on: ").strip()) != device:
            raise UserError("not erased: what was typed is not the device's name")
    loader.erase_all()
    for path in kept:
        report(
            f"what an interrupted flash or burn had kept was moved to {backup.retire(path, loader.mac, backups)}"
        )
    report("erased")
    return saved


def _with_kept(held, mac, folder):
    """(`Contents` with the records that an interrupted flash or burn kept on this machine, the files of those)."""
    rescue, burning = backup.load_rescue(mac, folder), journal.load(folder, mac)
    raw = {}
    if rescue:
        for name in burn.NAMES:
            raw.update({(f"rescue {number}", name): data for number, data in enumerate(rescue.records(name))})
    if burning:
        raw.update({(f"journal {number}", name): data for number, (name, data) in enumerate(burning.records)})
    copies = (*held.found.copies, *burn.good_copies(raw)[0])
    files = [backup.rescue_path(mac, folder)] * bool(rescue) + [journal.path_of(folder, mac)] * bool(burning)
    return replace(held, found=replace(held.found, copies=copies)), files
