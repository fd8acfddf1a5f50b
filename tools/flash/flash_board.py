"""Flashes one board for the verb `flash` and for the line's station: inspect, plan, check, write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.boards import Board
from tools.errors import UserError
from tools.flash import backup, contents, file_list, micropython_images, plan
from tools.flash.flasher import Done, Flasher, NvsFull
from tools.flash.loader import Loader
from tools.flash.micropython_images import Stock
from tools.image import config, littlefs, slots

Progress = Callable[[str, float, float], object]  # what is written, part done, of how much


@dataclass(frozen=True)
class Seen:
    """What a board holds, and what an interrupted flash of it had saved on this machine, or None."""

    held: contents.Contents
    rescue: backup.Rescue | None

    def file(self, path: str) -> bytes | None:
        """A file that is on the board, or comes back onto it."""
        return self.held.files.get(path) or (self.rescue.tree.get(path) if self.rescue else None)

    def identity(self, mac: str) -> str | None:
        """ProductKey/DeviceName that is on the board, or comes back onto it."""
        return self.held.who(mac) or (self.rescue.who(mac) if self.rescue else None)


def look(loader: Loader, board: Board, wanted: file_list.Wanted, folder: Path | str | None) -> Seen:
    """Read what the board at `loader` holds; files equal to those of `wanted` cost little. `folder`: of journals."""
    vfs = board.layout.vfs
    if vfs and loader.size >= vfs.offset + vfs.size and loader.read(vfs.offset, 1) != b"\xff":
        loader.expect(_as_flashed(wanted, vfs.size))
    held = contents.look(loader, board, {config.PATH: b"", **wanted.tree})
    return Seen(held, backup.load_rescue(loader.mac, folder))


def _as_flashed(wanted, size):
    """The sectors of the file system that a flash of `wanted` makes on a blank board."""
    try:
        image = littlefs.build(file_list.decide(wanted, lambda path: None).onto({}), size)
    except UserError:
        return []  # it does not fit, which is said where it is to be written
    return [image[at : at + littlefs.BLOCK] for at in range(0, len(image), littlefs.BLOCK)]


def flash_board(
    loader: Loader,
    seen: Seen,
    image: Stock,
    wanted: file_list.Wanted,
    *,
    records: Mapping[str, bytes] | None = None,
    relayout: bool = False,
    fresh: bool = False,
    keep_firmware: bool = False,
    may_drop: Callable[[NvsFull], None] | None = None,
    on_plan: Callable[[plan.Plan], Progress] = lambda todo: lambda what, done, total: None,
    folder: Path | str | None = None,
    backups: Path | str = backup.FOLDER,
) -> tuple[plan.Plan, Done]:
    """Bring a board to `image` and `wanted`; power may go at any point. The plan and what was done.

    records: {name: bytes} that are burned afterwards and must find room in NVS; relayout: NVS or files may
    move; keep_firmware: what an update brought into a slot goes on to start; fresh: an unreadable file system may
    be made anew; may_drop(full): returns when the NVS entries of other firmware may go, raises when not;
    on_plan(plan): gives what hears of progress; folder: of journals; backups: where the user's files go that are
    written over. UserError, before the first byte is written, when something would be lost or does not fit.
    """
    differing = tuple(
        part
        for part in image.parts
        if loader.md5(part.offset, len(part.data)) != part.digest and not _stays(part, loader, keep_firmware)
    )
    if seen.rescue is not None:
        todo = plan.Plan(differing, wanted.tree, plan.WHOLE, move=True)
    else:
        todo = plan.decide(seen.held, image, wanted, differing, loader.mac, relayout=relayout, fresh=fresh)
    flasher = Flasher(loader, seen.held, image, wanted, folder=folder, backups=backups)
    try:
        flasher.check(todo, seen.rescue, records)
    except NvsFull as full:
        if may_drop is None or seen.held.found.nvs.faults:
            raise  # what cannot be read would be lost with the rest
        may_drop(full)
        todo = replace(todo, files=plan.WHOLE, move=True)
        flasher = Flasher(loader, seen.held, image, wanted, folder=folder, backups=backups, drop=True)
        flasher.check(todo, seen.rescue, records)
    return todo, flasher.carry_out(todo, seen.rescue, on_plan(todo))


def _stays(part, loader, keep_firmware):
    """Whether a part is not written though it differs: OTA data that means the same, and what an update brought."""
    choice = part.name == micropython_images.CHOICE
    if keep_firmware:
        return choice or part.name.startswith("application")
    return choice and slots.settled(loader.read(part.offset, len(part.data)))
