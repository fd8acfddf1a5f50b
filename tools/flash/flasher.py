"""The `Flasher` carries out a plan in an order in which power may go at any point.

1. `check` finds every reason to refuse before the first byte is written.
2. Records that only the file system has are copied into NVS.
3. Bootloader, partition table and application are written.
4. Files are written, each one's sectors in the order that littlefs itself would survive.

What cannot be written that way is saved to a file first. So are the user's files that are written over.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import partitions
from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup, file_list, plan
from tools.flash.contents import Contents
from tools.flash.file_list import Change, Wanted
from tools.flash.loader import Loader
from tools.flash.micropython_images import Stock
from tools.flash.plan import Plan
from tools.image import burn, littlefs, nvs
from tools.image import flash_image as layouts

SECTOR = littlefs.BLOCK
_BLANK = b"\xff" * SECTOR


@dataclass(frozen=True)
class Done:
    """What was written: `parts` by name, `files` by path, bytes in all.

    `change`: what became of the files; `saved`: the folder with the user's files that were written over.
    """

    parts: tuple[str, ...]
    files: tuple[str, ...]
    written: int
    notes: tuple[str, ...] = ()
    change: Change | None = None
    saved: str | None = None


class NvsFull(UserError):
    """NVS has no room for what it is to hold; `foreign`: entries of other firmware that could be left out."""

    def __init__(self, size: int, entries: Sequence[nvs.Entry], rescue: Path | None) -> None:
        self.foreign = tuple(entry for entry in entries if entry.namespace != layouts.NAMESPACE)
        names = sorted({entry.namespace for entry in self.foreign})
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        whose = (
            f"{len(self.foreign)} entries of other firmware ({listed})"
            if names
            else f"{len(entries)} entries"
        )
        saved = f"; {rescue}, saved by an interrupted flash, holds them" if rescue else ""
        super().__init__(
            f"NVS of {size // 1024} KB has no room for what this board holds, {whose}{saved}: nothing was written; "
            "'make erase' empties the board"
        )


class Flasher:
    """Flashes one board: `wanted` (`file_list.Wanted`) comes onto it.

    `progress(what, done, total)` hears of each step; `folder` keeps journals, `backups` the user's files that are
    written over. `drop`: NVS entries of other firmware are left out.
    """

    def __init__(
        self,
        loader: Loader,
        contents: Contents,
        stock: Stock,
        wanted: Wanted,
        *,
        progress: Callable[[str, float, float], object] = lambda message, done, total: None,
        folder: Path | str | None = None,
        backups: Path | str = backup.FOLDER,
        drop: bool = False,
    ) -> None:
        self._loader, self._contents, self._stock, self._wanted = loader, contents, stock, wanted
        self._progress, self._folder, self._backups, self._drop = progress, folder, backups, drop
        self._change: Change | None = None  # what `check` made of it, like these:
        # all of NVS and of the files, when both are written anew
        self._entries: list[nvs.Entry] | None = None
        self._tree: dict[str, bytes] | None = None
        # a whole file system, or [(`Update`, how many files it is for)]
        self._image: bytes | None = None
        self._updates: list[tuple[littlefs.Update, int]] | None = None
        self._saved: str | None = None
        self.notes: list[str] = []

    def check(
        self, todo: Plan, rescue: backup.Rescue | None = None, records: Mapping[str, bytes] | None = None
    ) -> None:
        """UserError, `NvsFull` among them, when something will not fit; nothing is written.

        `records`: {name: bytes} that are burned afterwards.
        """
        layout, change = self._stock.layout, todo.change
        try:
            partitions.check(layout.rows, self._loader.size)
        except ValueError as error:
            raise UserError(
                f"the partition table does not fit this board: {error}; nothing was written"
            ) from None
        if todo.move or rescue is not None:
            self._entries, tree = self._carried(rescue)
            self._check_nvs(self._entries, records or {}, rescue)
            change = file_list.decide(
                self._wanted, tree.get, lambda: [p for p in tree if p.startswith("/aliot/")]
            )
            self._tree = change.onto(tree)
            assert layout.vfs
            self._image = littlefs.build(self._tree, layout.vfs.size)
        else:
            if records:
                self._check_nvs(self._contents.found.nvs.entries, records, None)
            assert change
            if todo.files == plan.UPDATE:
                self._updates = self._plan(change)
            elif change.put:
                assert layout.vfs
                self._image = littlefs.build(change.onto({}), layout.vfs.size)
        self._change = change

    def _check_nvs(self, entries, records, rescue):
        kept = [e for e in entries if e.namespace != layouts.NAMESPACE or e.key not in records]
        ours = [nvs.Entry(layouts.NAMESPACE, name, "blob", data) for name, data in records.items()]
        try:
            nvs.write([*kept, *ours], self._stock.layout.nvs.size)
        except UserError:
            path = rescue and backup.rescue_path(self._loader.mac, self._folder)
            raise NvsFull(self._stock.layout.nvs.size, entries, path) from None

    def _rescue(self):
        """All of the board, with the list that is true whatever becomes of its files."""
        tree = {**self._contents.tree(), file_list.LIST: self._change.during}
        return backup.Rescue(self._contents.found.nvs.entries, tree)

    def _carried(self, rescue):
        """(NVS entries, tree) that are brought into the new places: a rescue's, if there is one, and the board's."""
        rescue = rescue or backup.Rescue(self._contents.found.nvs.entries, self._contents.tree())
        entries, tree = _united(rescue, self._contents)
        return self._own(entries), tree

    def _own(self, entries):
        return [entry for entry in entries if not self._drop or entry.namespace == layouts.NAMESPACE]

    def carry_out(
        self,
        todo: Plan,
        rescue: backup.Rescue | None = None,
        progress: Callable[[str, float, float], object] | None = None,
    ) -> Done:
        """Do what a `plan.Plan` says; the `Done`. `rescue`: what an earlier, interrupted flash had saved."""
        loader, mac = self._loader, self._loader.mac
        self._progress = progress or self._progress
        before = loader.bytes_written
        if self._change is None:
            self.check(todo, rescue)
        self._save()
        if todo.move and (rescue is None or self._drop):
            rescue = rescue or self._rescue()
            rescue = replace(rescue, entries=tuple(self._own(rescue.entries)))
            backup.save_rescue(mac, rescue.entries, rescue.tree, self._folder)
        elif todo.keep_nvs and rescue is None:
            self._keep_in_nvs()
        for part in todo.parts:
            loader.progress = functools.partial(self._progress, part.name)
            loader.write(part.offset, part.data)
        if rescue is not None:
            self._restore()
        elif self._image is not None:
            self._whole()
        elif self._updates:
            self._file_by_file()
        assert self._change
        return Done(
            tuple(part.name for part in todo.parts),
            tuple(sorted(path for path in (self._tree or self._change.put) if path != file_list.LIST)),
            loader.bytes_written - before,
            tuple(self.notes),
            self._change,
            self._saved,
        )

    def _save(self):
        """The user's files that are written over are on this machine before anything is written."""
        if self._change.saved:
            self._saved = file_list.save(self._loader.mac, self._change.saved, self._backups)

    def _keep_in_nvs(self):
        """Records that only littlefs has: a burn of the same identity puts them on both media."""
        newest = burn.newest(self._contents.copies, layouts.BURNED)
        if newest is None:
            self.notes.append("there is an issued record without a burned one; it stays where it is")
            return
        burn.burn(
            self._loader,
            self._contents.layout,
            newest.fields,
            self._loader.mac,
            self._folder,
            report=lambda step, part: self._progress("identity into NVS", part, 1.0),
        )
        # it may have mended the file system's copies too: the files are planned onto what there is now
        self._contents = replace(self._contents, found=burn.look(self._loader, self._contents.layout))
        if self._updates is not None:
            self._updates = self._plan(self._change)

    # --- the file system

    def _file_by_file(self):
        """What `check` planned, one update after another."""
        vfs = self._contents.layout.vfs
        total, done, saved = sum(count for _, count in self._updates), 0, False
        for update, count in self._updates:
            if not update.atomic and not saved:
                # the file system is too full for two copies: power must not go without one on this machine
                rescue = self._rescue()
                backup.save_rescue(self._loader.mac, rescue.entries, rescue.tree, self._folder)
                saved = True
            self._loader.progress = lambda part, whole, done=done: self._progress("files", done, total)
            self._loader.write_all([(vfs.offset + at, data) for at, data in update.writes])
            done += count
        backup.remove_rescue(self._loader.mac, self._folder)

    def _plan(self, change):
        return [(update, count) for update, count in self._planned(change) if update.writes]

    def _planned(self, change):
        """(`Update`, how many files it is for) one after another; UserError when a file finds no room.

        The list with what is and what comes, what collides with it, the files, what goes, the list as it is then.
        """
        image = _Overlay(self._contents.found.image)
        first = [path for path in change.remove if _collides(path, change.put)]
        if change.put or change.remove:
            yield from self._added(image, {file_list.LIST: change.during})
        yield from self._removed(image, first)
        yield from self._added(image, change.put)
        yield from self._removed(image, [path for path in change.remove if path not in first])
        yield from self._added(image, {file_list.LIST: change.after})

    def _added(self, image, put):
        """Each folder's files in one go where that can be done safely, else each file by itself."""
        groups = {}
        for path in sorted(put):
            groups.setdefault(path.rpartition("/")[0], {})[path] = put[path]
        for group in groups.values():
            update = littlefs.plan(image.image, group) if len(group) <= 4 else None
            parts = [group] if update and update.atomic else [{path: data} for path, data in group.items()]
            for part in parts:
                update = update if part is group else littlefs.plan(image.image, part)
                image.put(update.writes)
                yield update, len(part)

    def _removed(self, image, paths):
        """Files away, and with them a folder in which nothing else is: MicroPython would take it for a package."""
        left = list(paths)
        while left:
            folder = _emptied(image.image, left[0], left)
            going = [path for path in left if folder and path.startswith(folder + "/")] or left[:1]
            folders = [folder, *littlefs.below(image.image, folder)[1]] if folder else []
            update = littlefs.plan(image.image, {}, [*folders, *going])
            image.put(update.writes)
            yield update, len(going)
            left = [path for path in left if path not in going]

    def _whole(self):
        """A new file system: its first two sectors, which make it one, come last."""
        vfs, image = self._stock.layout.vfs, self._image
        if self._loader.read(vfs.offset, 2 * SECTOR) != _BLANK * 2:
            self._loader.erase(vfs.offset, 2 * SECTOR)
        runs = _runs(image, 2 * SECTOR) + [(0, image[: 2 * SECTOR])]
        total = sum(len(data) for _, data in runs)
        done = 0
        for at, data in runs:
            self._loader.progress = lambda part, whole, base=done: self._progress(
                "file system", base + part, total
            )
            self._loader.write(vfs.offset + at, data)
            done += len(data)

    def _restore(self):
        """NVS and files as they were saved, in the new places, with the release's files among them."""
        entries, layout = self._entries, self._stock.layout
        pages = nvs.write(entries, layout.nvs.size) if entries else b"\xff" * layout.nvs.size
        self._loader.progress = lambda done, total: self._progress("NVS", done, total)
        self._loader.erase(layout.nvs.offset, layout.nvs.size)
        for at, data in _runs(pages, 0):
            self._loader.write(layout.nvs.offset + at, data)
        self._whole()
        backup.remove_rescue(self._loader.mac, self._folder)


def _collides(path, put):
    """Whether a path is a folder of what is put, or lies in what is put as a file."""
    return any(other.startswith(path + "/") or path.startswith(other + "/") for other in put)


def _emptied(image, path, going):
    """The outermost folder of `path` in which nothing is left when `going` are gone, or None."""
    parts = path.split("/")[1:-1]
    for depth in range(1, len(parts) + 1):
        folder = "/" + "/".join(parts[:depth])
        if set(littlefs.below(image, folder)[0]) <= set(going):
            return folder
    return None


def _united(rescue, contents):
    """(NVS entries, tree) of a rescue and of what the board holds by now: it may have run since it was saved.

    What can be read on the board counts; of records the newest, wherever it is, and
    of issued ones only one that belongs to the burned one.
    """
    now = contents.found.nvs
    entries = {(e.namespace, e.key, e.type): e for e in rescue.entries}
    entries.update(((e.namespace, e.key, e.type), e) for e in (() if now.faults else now.entries))
    there = contents.tree()
    tree = {**rescue.tree, **there}
    if file_list.LIST in tree:
        tree[file_list.LIST] = file_list.united(rescue.tree.get(file_list.LIST), there.get(file_list.LIST))
    generation = None
    for name in burn.NAMES:
        kind = record.BURNED if name == layouts.BURNED else record.ISSUED
        there = [*rescue.records(name), *(copy.data for copy in contents.copies if copy.name == name)]
        found = backup.newest(there, kind, generation)
        entries.pop((layouts.NAMESPACE, name, "blob"), None)
        tree.pop(layouts.path_of(name), None)
        if found:
            entries[(layouts.NAMESPACE, name, "blob")] = nvs.Entry(layouts.NAMESPACE, name, "blob", found[2])
            tree[layouts.path_of(name)] = found[2]
        if kind == record.BURNED:
            generation = found[0] if found else None
    return list(entries.values()), tree


class _Overlay:
    """A board's file system with what was written on top."""

    def __init__(self, base):
        self._base, self._changed = base, {}
        self.image = base

    def put(self, writes):
        self._changed.update({at // SECTOR: bytes(data) for at, data in writes})
        self.image = littlefs.Image(self._base.size, self._fetch)

    def _fetch(self, at, size):
        return self._changed.get(at // SECTOR) or self._base.block(at // SECTOR)


def _runs(image, start):
    """[(offset, data)] of the sectors that are not blank, neighbours together."""
    runs = []
    for at in range(start, len(image), SECTOR):
        sector = image[at : at + SECTOR]
        if sector == _BLANK:
            continue
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + sector)
        else:
            runs.append((at, sector))
    return runs
