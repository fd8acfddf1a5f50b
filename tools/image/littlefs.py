"""The board's file system: littlefs with the parameters of MicroPython's ESP32 port, by `littlefs-python`.

A tree is a dict of absolute paths to bytes, e.g. {"/aliot/store.mpy": b"..."};
folders are there because files are in them. An image may be bytes, or an
`Image` whose blocks are fetched from a board only when they are looked at.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from littlefs import LittleFS, LittleFSError, UserContext

from tools.errors import UserError
from tools.image.block_image import BLOCK, Image, fetched

VERSION_2_0 = 0x00020000  # every MicroPython reads it; 2.1 only from 1.22 on
VERSION_2_1 = 0x00020001
_PARAMETERS = dict(
    block_size=BLOCK, read_size=32, prog_size=32, cache_size=128, lookahead_size=32, block_cycles=100
)
_BLANK = b"\xff" * BLOCK
FOLDER = None  # what is read of a path that is a folder
_FILLER = 0xF0  # an attribute that only fills a metadata block; no file keeps it


class Blank(Exception):
    """The file system is blank: its first sector is all 0xFF, so that MicroPython formats it at the next boot."""


class Unreadable(Exception):
    """The file system is not blank, and littlefs cannot read all of it."""


class _Memory(UserContext):
    """An image being worked on: `changed` holds the blocks that differ from it, the last one touched last."""

    def __init__(self, image, changed=()):
        self.image = image
        self.changed = {number: bytearray(data) for number, data in dict(changed).items()}
        self.erased = False  # whether a block was, since this was last set

    def _block(self, number):
        if number in self.changed:
            return self.changed[number]
        if self.image.failure:
            return _BLANK  # of no use any more; see fetched
        try:
            return self.image.block(number)
        except Exception:
            return _BLANK

    def read(self, cfg, block, off, size):
        return bytearray(self._block(block)[off : off + size])

    def prog(self, cfg, block, off, data):
        content = bytearray(self._block(block))
        self.changed.pop(block, None)
        content[off : off + len(data)] = data
        self.changed[block] = content
        return 0

    def erase(self, cfg, block):
        self.changed.pop(block, None)
        self.changed[block] = bytearray(_BLANK)
        self.erased = True
        return 0

    def sync(self, cfg):
        return 0

    def bytes(self):
        return b"".join(bytes(self._block(number)) for number in range(self.image.size // BLOCK))


@fetched
def is_blank(image: Image) -> bool:
    """Whether MicroPython would format it: it cannot be mounted and its first sector is all 0xFF."""
    try:
        _mount(image)
    except Blank:
        return True
    except Unreadable:
        pass
    return False


def _open(memory, version):
    # mount=True would format what it cannot mount
    return LittleFS(
        context=memory,
        mount=False,
        block_count=memory.image.size // BLOCK,
        disk_version=version,
        **_PARAMETERS,
    )


@fetched
def _mount(image, changed=()):
    """(file system, its memory) of an image with some blocks changed; raises Blank or Unreadable."""
    failure = None
    for version in (VERSION_2_0, VERSION_2_1):
        memory = _Memory(image, changed)
        try:
            system = _open(memory, version)
            system.mount()
            return system, memory
        except (LittleFSError, OSError) as error:
            failure = error
    if dict(changed).get(0, image.block(0)) == _BLANK:
        raise Blank("the file system is blank")
    raise Unreadable(f"the file system cannot be mounted: {failure}") from failure


def build(tree: Mapping[str, bytes], size: int) -> bytes:
    """The image, `size` bytes, of a fresh file system with the files of `tree` in it.

    UserError when they do not fit.
    """
    memory = _Memory(Image(size, lambda at, length: b"\xff" * length))
    system = _open(memory, VERSION_2_0)
    system.format()
    system.mount()
    _put(system, tree, size)
    system.unmount()
    return _short(memory, tree).bytes()


def _short(memory, tree):
    """A `_Memory` whose folders' metadata is as short as littlefs can write it: a board reads it at each look."""
    ones = {posixpath.dirname(path): path for path in tree}
    folders = {folder for path in ones for folder in _above(path)}
    for folder in sorted(folders - {"/"}):
        ones.setdefault(posixpath.dirname(folder), folder)
    return _moved(memory, list(ones.values()))


def _above(folder):
    """A folder and those that it lies in."""
    while folder != "/":
        yield folder
        folder = posixpath.dirname(folder)


def _put(system, tree, size):
    made = set()
    try:
        for path in sorted(tree):
            folder = posixpath.dirname(path)
            if folder not in made:
                system.makedirs(folder, exist_ok=True)
                made.add(folder)
            with system.open(path, "wb") as file:
                file.write(tree[path])
    except (LittleFSError, OSError) as error:
        raise UserError(
            f"the files do not fit into the board's file system of {size // 1024} KB: {error}"
        ) from error


@fetched
def read(image: Image, changed: Mapping[int, bytes] | None = None) -> dict[str, bytes]:
    """The tree of an image. Raises Blank, or Unreadable when any folder or file of it cannot be read."""
    system, _ = _mount(image, changed or {})
    tree = {}
    try:
        for folder, _, files in system.walk("/"):
            for name in files:
                path = posixpath.join(folder, name)
                tree[path] = _content(system, path)
    except (LittleFSError, OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"the file system cannot be read whole: {error}") from error
    return tree


@fetched
def read_files(
    image: Image, paths: Iterable[str], changed: Mapping[int, bytes] | None = None
) -> dict[str, bytes | None]:
    """{path: bytes} of those of `paths` that are there, FOLDER for a folder; nothing else of the image is looked at."""
    system, _ = _mount(image, changed or {})
    tree: dict[str, bytes | None] = {}
    for path in paths:
        try:
            tree[path] = _content(system, path)
        except FileNotFoundError:
            continue
        except IsADirectoryError:
            tree[path] = FOLDER
        except (LittleFSError, OSError) as error:
            if getattr(error, "code", None) == LittleFSError.Error.LFS_ERR_NOTDIR:
                continue  # a file lies where a folder of this path would be
            raise Unreadable(f"{path} cannot be read: {error}") from error
    return tree


@fetched
def below(image: Image, folder: str) -> tuple[list[str], list[str]]:
    """([paths of files], [paths of folders]) in a folder and below it; two empty lists when it is not there."""
    system, _ = _mount(image)
    files: list[str] = []
    folders: list[str] = []
    try:
        if folder not in read_files(image, [folder]):
            return files, folders
        for place, inner, names in system.walk(folder):
            folders += [posixpath.join(place, name) for name in inner]
            files += [posixpath.join(place, name) for name in names]
    except (LittleFSError, OSError) as error:
        raise Unreadable(f"{folder} cannot be read: {error}") from error
    return files, folders


def _content(system, path):
    with system.open(path, "rb") as file:
        return file.read()


@dataclass(frozen=True)
class Update:
    """What to write to turn an image into another: (offset, sector) one after another.

    `atomic`: wherever power goes between or within them, all files read as
    before or all as after.
    """

    writes: tuple[tuple[int, bytes], ...]
    atomic: bool


@fetched
def update(image: Image, put: Mapping[str, bytes], remove: Iterable[str] = ()) -> bytes:
    """The image's bytes with the files of `put` written and those of `remove` gone; all other files stay.

    A file that already has these bytes is not written again; a path that is not
    there is not removed. Raises Blank or Unreadable, UserError when it is full.
    """
    memory = _changed(image, *_needed(image, put, remove))
    return memory.bytes()


@fetched
def plan(image: Image, put: Mapping[str, bytes], remove: Iterable[str] = ()) -> Update:
    """The `Update` with the result of `update`, in the fewest and safest writes that can be found.

    A loader can only erase and write whole sectors, and littlefs goes on writing
    in the metadata block that counts. So, in memory, that block is filled up
    after the change: littlefs then moves the folder, in one commit, to the
    block's twin, and only the twin has to be written.
    """
    put, remove = _needed(image, put, remove)
    if not put and not remove:
        return Update((), True)
    paths = [*put, *remove]
    before = read_files(image, paths)
    after = {path: data for path, data in {**before, **put}.items() if path not in remove}
    memory = _changed(image, put, remove)
    plain = _spared(image, memory, paths, after)
    for fillers in _fillers(image, put, remove):
        for _ in range(3):  # each move changes sides, and the side that counts now is of no use
            memory = _moved(memory, fillers)
            writes = _spared(image, memory, paths, after)
            if _is_atomic(image, writes, paths, before, after):
                return Update(_sectors(writes), True)
    return Update(_sectors(plain), False)


def _needed(image, put, remove):
    old = read_files(image, [*put, *remove])
    return (
        {path: data for path, data in put.items() if old.get(path) != data},
        [path for path in remove if path in old],
    )


def _changed(image, put, remove):
    """The `_Memory` of the image after the change."""
    system, memory = _mount(image)
    if put or remove:
        _put(system, put, image.size)
        for path in sorted(remove, reverse=True):  # a folder after what is in it
            system.remove(path)
        system.unmount()
    return memory


def _fillers(image, put, remove):
    """Lists of paths whose metadata blocks to fill: one that is there after the change; its folder too."""
    path = next(iter(put), None)
    if path is None:
        system, _ = _mount(image)
        folder = posixpath.dirname(remove[0])
        paths = [
            posixpath.join(folder, entry.name)
            for entry in system.scandir(folder)
            if entry.name not in (".", "..")
        ]
        path = next((path for path in paths if path not in remove), None)
    if path:
        yield [path]
        yield [path, posixpath.dirname(path)]


def _moved(memory, paths):
    """A `_Memory` in which the metadata block of each path was filled until littlefs moved it to its twin."""
    system, memory = _mount(memory.image, memory.changed)
    for path in (path for path in paths if path != "/"):
        room = _room(memory, path)
        for _ in range(max(room, 1)):
            system.setattr(path, _FILLER, b"\0")
        system.removeattr(path, _FILLER)
    system.unmount()
    return memory


def _room(memory, path):
    """How many fillers fit into the metadata block of `path` before littlefs has to move it."""
    system, copy = _mount(memory.image, memory.changed)
    for count in range(BLOCK // 16):
        copy.erased = False
        system.setattr(path, _FILLER, b"\0")
        if copy.erased:
            return count
    return 0


def _spared(image, memory, paths, after):
    """{block: bytes} to write in this order: what changed, less what the result reads well without."""
    writes = {number: bytes(data) for number, data in memory.changed.items() if data != image.block(number)}
    for number in list(writes):
        fewer = {n: data for n, data in writes.items() if n != number}
        if _reads(image, fewer, paths) == after:
            writes = fewer
    return writes


def _reads(image, changed, paths):
    try:
        return read_files(image, paths, changed)
    except (Blank, Unreadable):
        return None


def _is_atomic(image, writes, paths, before, after):
    """Whether each sector, erased and half written, reads as before or as after on top of those before it."""
    done = {}
    for number, data in writes.items():
        for length in (0, *range(32, len(data.rstrip(b"\xff")), 96)):
            torn = data[:length] + _BLANK[length:]
            if _reads(image, {**done, number: torn}, paths) not in (before, after):
                return False
        done[number] = data
        if _reads(image, done, paths) not in (before, after):
            return False
    return _reads(image, done, paths) == after


def _sectors(writes):
    return tuple((number * BLOCK, data) for number, data in writes.items())


@fetched
def blocks_in_use(image: Image) -> int:
    """How many of the image's blocks hold something."""
    return _mount(image)[0].used_block_count
