"""The MicroPython interpreter that tests, demo and emulated boards run on.

$MICROPYTHON, or the one on PATH, when it is new enough and has TLS; else the
distribution's package, unpacked into .cache (no root) and started through the
loader and libraries that came with it, so that the host's may be older.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import shutil
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools import cache
from tools.emulator.board import apt, umqtt
from tools.errors import UserError

OLDEST = (1, 24)
CACHE = cache.FOLDER
DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
UBUNTU_KEYS = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
INSTALL = "install MicroPython 1.24 or later with TLS (the Unix port) and name it in the variable MICROPYTHON"
# what an interpreter can do, asked of itself
PROBE = """
import sys
def has(name):
    try:
        return bool(__import__(name))
    except ImportError:
        return False
try:
    import vfs
    lfs, rom = hasattr(vfs, "VfsLfs2"), hasattr(vfs, "VfsRom")
except ImportError:
    lfs = rom = False
print("%s %d.%d.%d %d %d %d %d" % ((sys.implementation[0],) + tuple(sys.implementation[1][:3])
      + (has("tls"), lfs, has("ffi"), rom)))
"""


@dataclass(frozen=True)
class Interpreter:
    """How to start MicroPython: `command()` gives the words, `environment()` what goes with them."""

    argv: tuple[str, ...]  # what stands before the interpreter's own arguments
    version: str
    why: str  # one sentence: why this one is used
    faketime: str | None = None  # a libfaketime that this process can load
    loader: bool = False  # argv starts with a dynamic loader of its own
    rom: bool = True  # it can run code from a ROM file system (1.25 and later)

    def command(self, *arguments: object, faketime: bool = False) -> list[str]:
        """The words of a command line; with `faketime` the clock can be set (see `launch.Clock`)."""
        if faketime and self.loader:
            return [self.argv[0], "--preload", str(self.faketime), *self.argv[1:], *map(str, arguments)]
        return [*self.argv, *map(str, arguments)]

    def environment(self, faketime: bool = False) -> dict[str, str]:
        """Variables to add for such a process."""
        return {"LD_PRELOAD": str(self.faketime)} if faketime and not self.loader else {}


@functools.lru_cache(maxsize=1)
def find() -> Interpreter:
    """The interpreter to use; fetched on the first call if need be. Raises UserError."""
    named = os.environ.get("MICROPYTHON")
    if named:
        return _host(named, "named in MICROPYTHON")
    passed_over = ""
    on_path = shutil.which("micropython")
    if on_path:
        try:
            return _host(on_path, "found on PATH")
        except UserError as error:
            passed_over = f"; the one on PATH is passed over ({error})"
    return _fetched(passed_over)


@functools.lru_cache(maxsize=1)
def host_faketime() -> str:
    """Path of a libfaketime for the host's own programs (CPython); fetched if it is not installed."""
    for pattern in (
        "lib/*/faketime/libfaketime.so.1",
        "lib/faketime/libfaketime.so.1",
        "lib64/faketime/libfaketime.so.1",
        "local/lib/faketime/libfaketime.so.1",
    ):
        for path in sorted(Path("/usr").glob(pattern)):
            return str(path)
    system = _os_release()
    suite = system.get("VERSION_CODENAME", "")
    keys, components = (UBUNTU_KEYS, "main universe") if _is_ubuntu(system) else (DEBIAN_KEYS, "main")
    if not suite or not _has_apt():
        raise UserError("libfaketime is missing: install the package libfaketime")
    root = CACHE / f"faketime-{suite}-{platform.machine()}"
    with cache.locked(CACHE / "interpreter.lock"):
        if not root.exists():
            apt.fetch(suite, ["libfaketime"], root, keys, components, dependencies=False)
    return _one(root, "usr/lib/**/libfaketime.so.1")


def at(path: str) -> Interpreter:
    """The interpreter of a path; raises UserError if it cannot serve."""
    return _host(path, "as asked for")


def probe(argv: Sequence[str]) -> tuple[str, bool]:
    """(version, whether it has a ROM file system) of what `argv` starts; UserError if it cannot serve."""
    name = argv[-1]
    try:
        done = subprocess.run([*argv, "-c", PROBE], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"'{name}' does not start: {getattr(error, 'strerror', None) or error}") from None
    found = re.fullmatch(r"micropython (\d+)\.(\d+)\.(\d+) ([01]) ([01]) ([01]) ([01])\n", done.stdout)
    if done.returncode or not found:
        raise UserError(f"'{name}' is not a MicroPython interpreter; {INSTALL}")
    version = ".".join(found.groups()[:3])
    if tuple(map(int, found.groups()[:2])) < OLDEST:
        raise UserError(f"'{name}' is MicroPython {version}, too old; {INSTALL}")
    for group, part in ((4, "module tls"), (5, "littlefs (vfs.VfsLfs2)"), (6, "module ffi")):
        if found.group(group) == "0":
            raise UserError(f"'{name}' (MicroPython {version}) has no {part}; {INSTALL}")
    return version, found.group(7) == "1"


def _host(path, why):
    path = shutil.which(path) or path
    version, rom = probe([path])
    return Interpreter((path,), version, f"{why}: {path}", faketime=host_faketime(), rom=rom)


def _fetched(passed_over):
    system = _os_release()
    if not _has_apt():
        raise UserError(f"no MicroPython 1.24 or later on PATH; {INSTALL}{passed_over}")
    ubuntu = _is_ubuntu(system)
    suite = system.get("UBUNTU_CODENAME") or system.get("VERSION_CODENAME", "") if ubuntu else "trixie"
    keys, components = (UBUNTU_KEYS, "main universe") if ubuntu else (DEBIAN_KEYS, "main")
    root = CACHE / f"micropython-{suite}-{platform.machine()}"
    with cache.locked(CACHE / "interpreter.lock"):
        if not root.exists():
            if ubuntu:
                _refuse_old(suite, keys, components)
            apt.fetch(suite, ["micropython", "libfaketime"], root, keys, components)
    argv = start_command(root)
    version, rom = probe(argv)
    name = f"{'Ubuntu' if ubuntu else 'Debian'} {suite}"
    return Interpreter(
        argv,
        version,
        f"{name}'s package, verified by apt, unpacked in the cache{passed_over}",
        faketime=_one(root, "usr/lib/**/libfaketime.so.1"),
        loader=True,
        rom=rom,
    )


def start_command(root: Path) -> tuple[str, ...]:
    """The command that starts the interpreter unpacked under `root` with its own loader and libraries."""
    libc = Path(_one(root, "**/libc.so.6"))
    loader = sorted(libc.parent.glob("ld-linux*.so.*")) or sorted(root.glob("**/ld-linux*.so.*"))
    if not loader:
        raise UserError(f"{root.name} in the cache is damaged (no loader): delete it and start again")
    folders = dict.fromkeys(
        str(path.parent)
        for path in sorted(root.glob("**/lib*.so.*"))
        if "faketime" not in path.parts[-2] and "gconv" not in path.parts[-2]
    )
    return (str(loader[0]), "--library-path", ":".join(folders), _one(root, "usr/bin/micropython"))


def _refuse_old(suite, keys, components):
    version = apt.candidate(suite, "micropython", CACHE / ".candidate", keys, components)
    number = re.match(r"(\d+)\.(\d+)", version or "")
    if not number or tuple(map(int, number.groups())) < OLDEST:
        raise UserError(f"Ubuntu {suite} has MicroPython {version or 'not at all'}; {INSTALL}")


def _one(root, pattern):
    found = sorted(root.glob(pattern))
    if not found:
        raise UserError(f"{root.name} in the cache is damaged (no {pattern}): delete it and start again")
    return str(found[0])


def _has_apt():
    return bool(shutil.which("apt-get"))


def _is_ubuntu(system):
    return "ubuntu" in (system.get("ID", ""), *system.get("ID_LIKE", "").split())


def _os_release():
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--run", dest="start", nargs="...", metavar="ARG", help="start it with the arguments that follow"
    )


def run(args: Namespace) -> None:
    interpreter = find()
    if args.start is not None:
        command = interpreter.command(*args.start)
        os.execvp(command[0], command)
    found = {**asdict(interpreter), "host_faketime": host_faketime(), "umqtt": str(umqtt.folder())}
    if args.json:
        print(json.dumps(found))
        return
    print(f"MicroPython {interpreter.version}: {interpreter.why}")
    print(f"umqtt.simple {umqtt.VERSION}: the released package, checked by its SHA-256")
