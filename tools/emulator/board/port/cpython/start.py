"""Power on, on CPython: `python start.py SETTINGS.json`.

What runs on the board is imported through a finder of its own. Its `import`
gives the chip's modules where the chip has them, a host's module only where
the chip has one of that name, and nothing else; its `open` is the board's.
"""

import builtins
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(os.path.dirname(HERE), "shared")
# of CPython's own modules, what a chip has under the same name
SAME = {
    "asyncio",
    "array",
    "binascii",
    "collections",
    "hashlib",
    "heapq",
    "io",
    "json",
    "math",
    "random",
    "re",
    "struct",
    "uctypes",
    "platform",
}
# the port's for CPython, written with the host's modules: name on the chip -> file
HOST = {
    "_chip": "_chip",
    "vfs": "vfs",
    "os": "os",
    "time": "time",
    "select": "select",
    "tls": "tls12",
    "micropython": "micropython",
    "cryptolib": "cryptolib",
}
chip = {}  # name -> module, as the board's `import` finds it


def main(path):
    # what started this process is no module of the board
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    for name in ("_chip", "vfs"):
        _load_host(name)
    chip["sys"] = _over(
        sys,
        path=["", ".frozen", "/lib"],
        print_exception=print_exception,
        implementation=types.SimpleNamespace(name="micropython", version=sys.implementation.version, _mpy=6),
    )
    chip["gc"] = _over(gc, mem_free=lambda: 100000, mem_alloc=lambda: 12000, threshold=lambda *_: None)
    core = chip["_chip"]
    chip["builtins"] = core.board_builtins
    core.end_with_parent()
    with core.open(path) as file:
        core.settings.update(json.load(file))
    core.chip_builtins.update(vars(builtins), __import__=board_import, open=chip["vfs"].open)
    sys.meta_path.insert(0, Finder(core.settings["path"]))
    board_import("power").on()
    board = board_import("board")
    if "memory" in core.settings:
        core.heaps = chip["gc"] = board_import("heaps")
    sys.modules["__main__"] = main_module = types.ModuleType("__main__")
    board.run(vars(main_module))


def _load_host(name):
    return _load(name, os.path.join(HERE, HOST[name] + ".py"), {**vars(builtins), "__import__": port_import})


def _load(name, file, names):
    """Make the module `name` of the port, in a namespace with the builtins `names`."""
    spec = importlib.util.spec_from_file_location("chip_" + name, file)
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__builtins__"] = names
    chip[name] = module
    spec.loader.exec_module(module)
    return module


def port_import(name, names=None, local=None, wanted=(), level=0):
    """Import for the port's own modules: each other, else the host's."""
    if level == 0 and name in ("_chip", "vfs") and name in chip:
        return chip[name]
    return builtins.__import__(name, names, local, wanted, level)


def board_import(name, names=None, local=None, wanted=(), level=0):
    """Import for what runs on the board."""
    if level:
        return builtins.__import__(name, names, local, wanted, level)
    top = name.partition(".")[0]
    for plain in (top, top[1:]) if top[:1] == "u" else (top,):
        if plain in chip:
            return chip[plain]
        if plain in SAME:
            return importlib.import_module(plain)
        if plain in HOST:
            return _load_host(plain)
        file = os.path.join(SHARED, plain + ".py")
        if os.path.exists(file):
            return _load(plain, file, chip["_chip"].chip_builtins)
    if name == "__main__":
        return sys.modules[name]
    if sys.meta_path[0].find_spec(top) is None:
        raise ImportError(f"no module named '{name}'")
    return builtins.__import__(name, names, local, wanted, level)


class Finder:
    """Finds the board's modules in `folders`; all of them see the chip's builtins."""

    def __init__(self, folders):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is not None and not str(list(path)[0]).startswith(tuple(self.folders)):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path or self.folders)
        if spec is None or path is None and not spec.loader:
            return spec if spec and spec.submodule_search_locations else None
        return importlib.util.spec_from_file_location(
            name,
            spec.origin,
            loader=Loader(name, spec.origin),
            submodule_search_locations=spec.submodule_search_locations,
        )


class Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        module.__dict__["__builtins__"] = chip["_chip"].chip_builtins
        super().exec_module(module)


def print_exception(error, file=None):
    import traceback

    traceback.print_exception(error, file=file or sys.stdout)


def _over(module, **more):
    """A module like `module` with some names more."""
    made = types.ModuleType(module.__name__)
    made.__dict__.update(
        {key: value for key, value in vars(module).items() if not key.startswith("__")}, **more
    )
    return made


if __name__ == "__main__":
    main(sys.argv[1])
