"""Carrying out a plan: what is written, in which order, so that power may go at any point.

First what only the file system knows goes into NVS; then bootloader, table and
application; then the files, each one's sectors in the order that littlefs
itself would survive. What cannot be done that way is saved to a file first.
"""

from dataclasses import dataclass

from tools import burn
from tools.firmware import record
from tools.flash import backup, files, plan
from tools.image import flash as layouts
from tools.image import journal, littlefs, nvs

SECTOR = littlefs.BLOCK
_BLANK = b"\xff" * SECTOR


@dataclass(frozen=True)
class Done:
    """What was written: names of parts, paths of files, bytes; `change` is the files'; `saved` the folder where
    the user's are that were written over.
    """

    parts: tuple
    files: tuple
    written: int
    notes: tuple = ()
    change: files.Change | None = None
    saved: str | None = None


class Flasher:
    """One board being flashed, `wanted` (`files.Wanted`) onto it. `tell(words, done, total)` hears of each step;
    `folder` keeps journals, `backups` the user's files that are written over.
    """

    def __init__(
        self,
        loader,
        contents,
        stock,
        wanted,
        tell=lambda words, done, total: None,
        folder=journal.FOLDER,
        backups=backup.FOLDER,
    ):
        self._loader, self._contents, self._stock, self._wanted = loader, contents, stock, wanted
        self._tell, self._folder, self._backups = tell, folder, backups
        self._change = self._saved = None
        self.notes = []

    def carry_out(self, todo, rescue=None):
        """Do what a `plan.Plan` says; the `Done`. `rescue`: what an earlier, interrupted flash had saved."""
        loader, mac = self._loader, self._loader.mac
        before = loader.bytes_written
        change = todo.change
        if change is not None and not todo.move:
            self._save(change)
        if rescue is None and todo.move:
            rescue = backup.Rescue(self._contents.found.nvs.entries, self._tree(change))
            backup.save_rescue(mac, rescue.entries, rescue.tree, self._folder)
        elif todo.keep_nvs and rescue is None:
            self._keep_in_nvs()
        for part in todo.parts:
            loader.progress = lambda done, total, name=part.name: self._tell(name, done, total)
            loader.write(part.offset, part.data)
        put = todo.put
        if rescue is not None:
            put, change = self._restore(rescue)
        elif put and todo.files == plan.WHOLE:
            self._whole(change.onto({}))
        elif not change.nothing:
            self._file_by_file(change)
        return Done(
            tuple(part.name for part in todo.parts),
            tuple(sorted(path for path in put if path != files.LIST)),
            loader.bytes_written - before,
            tuple(self.notes),
            change,
            self._saved,
        )

    def _tree(self, change):
        """All files of the board, with the list that is true whatever becomes of them."""
        return {**self._contents.tree(), files.LIST: change.during}

    def _save(self, change):
        """The user's files that are written over are on this machine before anything is written."""
        if change.saved:
            self._saved = files.save(self._loader.mac, change.saved, self._backups)

    def _keep_in_nvs(self):
        """Records that only littlefs has: a burn of the same identity puts them on both media."""
        newest = max(
            (c for c in self._contents.copies if c.name == layouts.BURNED),
            key=lambda c: c.generation,
            default=None,
        )
        if newest is None:
            self.notes.append("there is an issued record without a burned one; it stays where it is")
            return
        burn.burn(
            self._loader,
            self._contents.layout,
            newest.fields,
            self._loader.mac,
            self._folder,
            tell=lambda step, part: self._tell("identity into NVS", part, 1.0),
        )

    # --- the file system

    def _file_by_file(self, change):
        """The list with what is and what comes, what is in the way, the files, what goes, the list as it is then."""
        image = _Overlay(self._contents.found.image)
        total, done = len(change.put) + len(change.remove), 0
        first = [path for path in change.remove if _in_the_way(path, change.put)]
        self._change = change
        if change.put or change.remove:
            self._put(image, {files.LIST: change.during}, done, total)
        done = self._remove(image, first, done, total)
        done = self._put(image, change.put, done, total)
        self._remove(image, [path for path in change.remove if path not in first], done, total)
        self._put(image, {files.LIST: change.after}, total, total)
        backup.remove_rescue(self._loader.mac, self._folder)

    def _put(self, image, put, done, total):
        """Each folder's files in one go where that can be done safely, else each file by itself."""
        groups = {}
        for path in sorted(put):
            groups.setdefault(path.rpartition("/")[0], {})[path] = put[path]
        for group in groups.values():
            update = littlefs.plan(image.image, group) if len(group) <= 4 else None
            if update is None or not update.atomic:
                for path, data in group.items():
                    self._write_update(image, littlefs.plan(image.image, {path: data}), done, total)
                    done += 1
            else:
                self._write_update(image, update, done, total)
                done += len(group)
        return done

    def _remove(self, image, paths, done, total):
        """Files away, and with them a folder in which nothing else is: MicroPython would take it for a package."""
        left = list(paths)
        while left:
            folder = _emptied(image.image, left[0], left)
            going = [path for path in left if folder and path.startswith(folder + "/")] or left[:1]
            folders = [folder, *littlefs.below(image.image, folder)[1]] if folder else []
            self._write_update(image, littlefs.plan(image.image, {}, [*folders, *going]), done, total)
            left = [path for path in left if path not in going]
            done += len(going)
        return done

    def _write_update(self, image, update, done, total):
        vfs = self._contents.layout.vfs
        if not update.atomic and not image.saved:
            # the file system is too full for two copies: power must not go without one on this machine
            backup.save_rescue(
                self._loader.mac, self._contents.found.nvs.entries, self._tree(self._change), self._folder
            )
            image.saved = True
        self._loader.progress = lambda part, whole: self._tell("files", done, total)
        self._loader.write_all([(vfs.offset + at, data) for at, data in update.writes])
        image.put(update.writes)

    def _whole(self, tree):
        """A new file system: its first two sectors, which make it one, come last."""
        vfs = self._stock.layout.vfs
        image = littlefs.build(tree, vfs.size)
        if self._loader.read(vfs.offset, 2 * SECTOR) != _BLANK * 2:
            self._loader.erase(vfs.offset, 2 * SECTOR)
        runs = _runs(image, 2 * SECTOR) + [(0, image[: 2 * SECTOR])]
        total = sum(len(data) for _, data in runs)
        done = 0
        for at, data in runs:
            self._loader.progress = lambda part, whole, base=done: self._tell(
                "file system", base + part, total
            )
            self._loader.write(vfs.offset + at, data)
            done += len(data)

    def _restore(self, rescue):
        """NVS and files as they were saved, in the new places, with the release's files among them."""
        entries, tree = _united(rescue, self._contents)
        change = files.decide(self._wanted, tree.get, lambda: [p for p in tree if p.startswith("/aliot/")])
        self._save(change)
        tree = change.onto(tree)
        layout = self._stock.layout
        pages = nvs.write(entries, layout.nvs.size) if entries else b"\xff" * layout.nvs.size
        self._loader.progress = lambda done, total: self._tell("NVS", done, total)
        self._loader.erase(layout.nvs.offset, layout.nvs.size)
        for at, data in _runs(pages, 0):
            self._loader.write(layout.nvs.offset + at, data)
        self._whole(tree)
        backup.remove_rescue(self._loader.mac, self._folder)
        return tree, change


def _in_the_way(path, put):
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
    if files.LIST in tree:
        tree[files.LIST] = files.united(rescue.tree.get(files.LIST), there.get(files.LIST))
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
        self.saved = False
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
