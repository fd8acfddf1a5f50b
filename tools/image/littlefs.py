"""The board's file system: littlefs with the parameters of MicroPython's ESP32 port, by `littlefs-python`.

A tree is a dict of absolute paths to bytes, e.g. {"/aliot/store.mpy": b"..."};
folders are there because files are in them.
"""

import posixpath

from littlefs import LittleFS, LittleFSError, UserContext

from tools.errors import UserError

BLOCK = 4096
VERSION_2_0 = 0x00020000  # every MicroPython reads it; 2.1 only from 1.22 on
VERSION_2_1 = 0x00020001
_PARAMETERS = dict(
    block_size=BLOCK, read_size=32, prog_size=32, cache_size=128, lookahead_size=32, block_cycles=100
)


class Blank(Exception):
    """The first sector is all 0xFF: MicroPython formats it at the next boot."""


class Unreadable(Exception):
    """There is something, but not a littlefs that can be read whole."""


class _Memory(UserContext):
    """The file system's blocks in a bytearray; `written` names the blocks programmed or erased, in order."""

    def __init__(self, image):
        super().__init__(buffer=bytearray(image))
        self.written = []

    def read(self, cfg, block, off, size):
        start = block * BLOCK + off
        return self.buffer[start : start + size]

    def prog(self, cfg, block, off, data):
        start = block * BLOCK + off
        self.buffer[start : start + len(data)] = data
        self.written.append(block)
        return 0

    def erase(self, cfg, block):
        self.buffer[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
        self.written.append(block)
        return 0


def is_blank(image):
    """Whether MicroPython would format it: only a first sector of nothing but 0xFF."""
    return not bytes(image[:BLOCK]).strip(b"\xff")


def _mount(image):
    """(file system, its memory) of a mountable image; raises Blank or Unreadable."""
    if is_blank(image):
        raise Blank("the file system is blank")
    failure = None
    for version in (VERSION_2_0, VERSION_2_1):
        memory = _Memory(image)
        try:
            return LittleFS(context=memory, block_count=len(image) // BLOCK, disk_version=version,
                            **_PARAMETERS), memory
        except (LittleFSError, OSError) as error:
            failure = error
    raise Unreadable(f"the file system cannot be mounted: {failure}") from failure


def build(tree, size):
    """The image, `size` bytes, of a fresh file system with the files of `tree` in it.

    UserError when they do not fit.
    """
    memory = _Memory(b"\xff" * size)
    system = LittleFS(context=memory, mount=False, block_count=size // BLOCK, disk_version=VERSION_2_0,
                      **_PARAMETERS)
    system.format()
    system.mount()
    _put(system, tree, size)
    system.unmount()
    return bytes(memory.buffer)


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
        raise UserError(f"the files do not fit into the board's file system of {size // 1024} KB: {error}") from error


def read(image):
    """The tree of an image. Raises Blank, or Unreadable when any folder or file of it cannot be read."""
    system, _ = _mount(image)
    tree = {}
    try:
        for folder, _, files in system.walk("/"):
            for name in files:
                path = posixpath.join(folder, name)
                with system.open(path, "rb") as file:
                    tree[path] = file.read()
    except (LittleFSError, OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"the file system cannot be read whole: {error}") from error
    return tree


def update(image, put, remove=()):
    """The image with files of `put` written and paths of `remove` gone; every other file is left as it is.

    A file that already has these bytes is not written again; a path that is not
    there is not removed. Raises Blank or Unreadable, UserError when it is full.
    """
    old = read(image)
    changed = {path: data for path, data in put.items() if old.get(path) != data}
    gone = [path for path in remove if path in old]
    if not changed and not gone:
        return bytes(image)
    system, memory = _mount(image)
    for path in gone:
        system.remove(path)
    _put(system, changed, len(image))
    system.unmount()
    return bytes(memory.buffer)


def blocks_in_use(image):
    """How many of the image's blocks hold something."""
    return _mount(image)[0].used_block_count
