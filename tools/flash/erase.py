"""The verb `erase`: a whole chip, after its identity was saved and what is lost was named."""

import sys

from tools.errors import UserError
from tools.flash import backup, contents, session


def add_arguments(parser):
    session.add_arguments(parser)
    add_consent(parser)


def add_consent(parser):
    """The arguments of everything that erases."""
    parser.add_argument(
        "--confirm", metavar="NAME", help="what is asked to be typed, for use without a terminal"
    )
    parser.add_argument("--backups", metavar="DIR", default=backup.FOLDER, help="default %(default)s")


def run(args):
    with session.started(args) as (loader, board):
        saved = erase(loader, board, print, args.backups, args.confirm)
        name = loader.name
    if saved:
        print(f"to use it again: 'make flash PORT={name}', then 'make restore PORT={name} BACKUP={saved}'")


def erase(loader, board, say, backups=backup.FOLDER, confirm=None, ask=input):
    """Erase the chip; the path of its backup, None where there was nothing to save.

    UserError when what was typed is not the name of the device that would be lost.
    """
    held = contents.look(loader, board, {})
    who = held.who(loader.mac)
    saved = backup.save(loader.mac, held.copies, backups)
    if who:
        say(f"the identity {who} was saved to {saved}")
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
    say("erased")
    return saved
