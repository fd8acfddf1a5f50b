"""MicroPython's `vfs` and the files it gives, over littlefs-python on the board's flash."""

import errno
import functools
import posixpath
import sys
import types

# littlefs asks for its own version in a way that takes half of a board's start
_asked = sys.modules.setdefault("importlib_metadata", types.SimpleNamespace(version=lambda name: ""))
import littlefs
from littlefs import LittleFSError, lfs

if isinstance(_asked, types.SimpleNamespace):
    del sys.modules["importlib_metadata"]

_mounted = None
_folder = "/"


class VfsLfs2:
    """littlefs with MicroPython's parameters on a block device."""

    def __init__(self, device, readsize=32, progsize=32, lookahead=32, mtime=True):
        size = max(readsize, progsize) * 4
        self.fs = littlefs.LittleFS(
            context=_Device(device),
            mount=False,
            block_size=device.ioctl(5, 0),
            block_count=device.ioctl(4, 0),
            read_size=readsize,
            prog_size=progsize,
            cache_size=size,
            lookahead_size=lookahead,
            block_cycles=100,
            disk_version=0x00020001,
        )

    @staticmethod
    def mkfs(device, **sizes):
        VfsLfs2(device, **sizes).fs.format()


class _Device:
    def __init__(self, device):
        self._device = device

    def read(self, cfg, block, off, size):
        buffer = bytearray(size)
        self._device.readblocks(block, buffer, off)
        return buffer

    def prog(self, cfg, block, off, data):
        self._device.writeblocks(block, bytes(data), off)
        return 0

    def erase(self, cfg, block):
        self._device.ioctl(6, block)
        return 0

    def sync(self, cfg):
        return 0


def mount(device, path, **_):
    """Mount a block device or a file system; only '/' is there to mount at."""
    global _mounted
    made = device if isinstance(device, VfsLfs2) else VfsLfs2(device)
    if posixpath.normpath(path) != "/":
        raise OSError(errno.EPERM)
    try:
        made.fs.mount()
    except LittleFSError:
        raise OSError(errno.ENODEV) from None
    _mounted = made


def umount(path):
    global _mounted
    _mounted = None


def at(path):
    """The absolute form of a path."""
    return posixpath.normpath(posixpath.join(_folder, path))


def change(path):
    global _folder
    _folder = at(path)


def do(name, *arguments):
    """An operation of the mounted file system, with the errors as numbers."""
    if _mounted is None:
        raise OSError(errno.ENODEV)
    try:
        return getattr(_mounted.fs, name)(*arguments)
    except LittleFSError as error:
        raise OSError(-error.code) from None
    except OSError as error:
        raise OSError(_number(error)) from None


def _number(error):
    """The number of an OSError; littlefs-python raises Python's kinds without one."""
    if error.errno is not None:
        return error.errno
    for kind, number in (
        (FileNotFoundError, errno.ENOENT),
        (FileExistsError, errno.EEXIST),
        (IsADirectoryError, errno.EISDIR),
        (NotADirectoryError, errno.ENOTDIR),
    ):
        if isinstance(error, kind):
            return number
    return errno.EIO


def used_blocks():
    """How many blocks the mounted file system holds."""
    if _mounted is None:
        raise OSError(errno.ENODEV)
    return _mounted.fs.used_block_count


def open(path, mode="r", **_):
    """MicroPython's `open`: text is UTF-8 as it lies there."""
    binary = "b" in mode
    if "a" in mode:  # littlefs-python appends only to what is there
        try:
            do("open", at(path), "xb", 0).close()
        except OSError as error:
            if error.args[0] != errno.EEXIST:
                raise
    file = _Raw(do("open", at(path), mode.replace("b", "").replace("t", "") + "b", 0))
    return _Binary(file) if binary else _Text(file)


class _Raw:
    """An unbuffered file of littlefs-python, with the errors as numbers."""

    def __init__(self, file):
        self._file = file
        self._mounted = _mounted  # littlefs-python frees with it what closing the file needs

    def __getattr__(self, name):
        member = getattr(self._file, name)
        return self._do(member) if callable(member) else member

    def reader(self):
        """`read(bytes)` without a look at the file's mode at each call: for a line, which is read byte by byte."""
        self._file.read(0)
        return self._do(functools.partial(lfs.file_read, self._file.fs, self._file.fh))

    def _do(self, call):
        def done(*arguments):
            try:
                return call(*arguments)
            except LittleFSError as error:
                raise OSError(-error.code) from None

        return done


class _Binary:
    def __init__(self, file):
        self._file = file
        for name in ("seek", "tell", "flush", "readinto", "close"):
            setattr(self, name, getattr(file, name))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return iter(self.readline, self._decoded(b""))

    def read(self, size=-1):
        data = b""
        while size is None or size < 0 or len(data) < size:
            piece = self._file.read(4096 if size is None or size < 0 else size - len(data))
            if not piece:
                break
            data += piece
        return self._decoded(data)

    def readline(self, size=-1):
        line, next_bytes = b"", self._file.reader()
        while not line.endswith(b"\n") and len(line) != size:
            piece = next_bytes(1)
            if not piece:
                break
            line += piece
        return self._decoded(line)

    def readlines(self):
        return list(self)

    def write(self, data):
        view, done = memoryview(self._encoded(data)), 0
        while done < len(view):
            done += self._file.write(bytes(view[done:]))
        return len(data)

    def _decoded(self, data):
        return bytes(data)

    def _encoded(self, data):
        return data


class _Text(_Binary):
    def _decoded(self, data):
        return bytes(data).decode()

    def _encoded(self, data):
        return data.encode()
