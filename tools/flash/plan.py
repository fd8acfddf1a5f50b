"""Decides what a flash writes: from the chip, what the board holds, and what is to be on it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tools import boards
from tools.chips import CHIPS
from tools.errors import UserError
from tools.flash import file_list as owned
from tools.flash.contents import Contents
from tools.flash.micropython_images import Part, Stock

UPDATE, WHOLE = "update", "whole"


@dataclass(frozen=True)
class Plan:
    """`parts`: what of the stock image differs; `put`: the files that differ; `change`: what becomes of all of them.

    `files` says how: "update" file by file, "whole" as a new file system.
    `keep_nvs`: a record that only littlefs has goes into NVS first. `move`: NVS
    or the file system change their place, so all they hold is carried over.
    """

    parts: tuple[Part, ...]
    put: dict[str, bytes] = field(repr=False)
    files: str = UPDATE
    keep_nvs: bool = False
    move: bool = False
    change: owned.Change | None = field(default=None, repr=False)

    @property
    def nothing(self) -> bool:
        done = self.change.nothing if self.change else not self.put
        return done and not (self.parts or self.keep_nvs or self.move)


def board_for(chip: str) -> str:
    """The board to take for a chip when none is named; UserError for a chip that has none."""
    if chip not in CHIPS:
        raise UserError(
            f"the board is an {chip}, which no board here is for; boards/README.md says how to add one"
        )
    return CHIPS[chip].board


def refuse(board: boards.Board, chip: str, size: int | None, security: Sequence[str]) -> None:
    """UserError when this chip must not be flashed as this board. `size`: of its flash, None: not known yet."""
    if chip != board.chip:
        instead = f": say BOARD={CHIPS[chip].board}" if chip in CHIPS else ""
        raise UserError(f"the board is an {chip}, but {board.name} is for an {board.chip}{instead}")
    if security:
        raise UserError(
            f"{' and '.join(security)} {'is' if len(security) == 1 else 'are'} switched on in this chip: "
            "plain data would ruin it for good, so nothing is written"
        )
    if size is not None and size < board.flash_size:
        raise UserError(
            f"the board has {size >> 20} MB of flash, but {board.name} needs {board.flash_size >> 20} MB"
            + _fitting(chip, size)
        )


def _fitting(chip, size):
    """What to say instead: the board for this chip that takes most of `size` bytes."""
    known = [
        board for board in map(boards.load, boards.names()) if board.chip == chip and board.flash_size <= size
    ]
    if not known:
        return f"; no board here is for an {chip} with so little: boards/README.md says how to add one"
    return f": say BOARD={max(known, key=lambda board: board.flash_size).name}"


def decide(
    contents: Contents,
    stock: Stock,
    wanted: owned.Wanted,
    differing: Sequence[Part],
    mac: str,
    *,
    relayout: bool = False,
    fresh: bool = False,
) -> Plan:
    """The `Plan`. `wanted`: a `files.Wanted`, `differing`: the parts of `stock` whose MD5 on the chip is another.

    `fresh`: an unreadable file system may be made anew. UserError when
    something would be lost.
    """
    found = contents.found
    moves = _moves(contents.layout, stock.layout)
    who = contents.who(mac)
    if moves and who and not relayout:
        raise UserError(
            f"{moves} on a board that holds the identity {who}: --relayout saves it, and the files, "
            "to a file, writes, and puts them back"
        )
    if moves and found.nvs.faults:
        raise UserError(
            f"{moves}, but NVS holds what cannot be read and would be lost: {found.nvs.faults[0]}"
        )
    if contents.table == "damaged" and not who and found.vfs == "unreadable" and not fresh:
        raise UserError(
            "neither the partition table nor the file system on the board can be read: "
            "--fresh makes both anew"
        )
    if found.vfs == "unreadable" and not fresh:
        raise UserError(
            "the file system on the board cannot be read: --fresh makes a new one, and what is in it is lost"
        )
    change = owned.decide(wanted, contents.file, contents.below)
    files = UPDATE if found.vfs == "good" and not moves else WHOLE
    return Plan(tuple(differing), change.put, files, contents.only_on_littlefs, bool(moves), change)


def _moves(old, new):
    """In words, what of NVS and file system would lie elsewhere; "" when nothing does."""
    for name in ("nvs", "vfs"):
        before, after = getattr(old, name), getattr(new, name)
        if before and (not after or (before.offset, before.size) != (after.offset, after.size)):
            what = "NVS" if name == "nvs" else "the file system"
            where = f"to 0x{after.offset:x}, {after.size // 1024} KB" if after else "nowhere"
            return f"{what} would move from 0x{before.offset:x}, {before.size // 1024} KB, {where}"
    return ""
