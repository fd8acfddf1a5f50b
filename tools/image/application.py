"""An application's folder (FILES): what of it goes onto a board.

Names that begin with a dot and __pycache__ stay on the host, and what the folder's .aliotignore says, in
gitignore's syntax: git itself reads it. A product's model (TSL) in model.json goes there as a table (tools.image.tsl).
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.errors import UserError
from tools.image import device_files, tsl

IGNORE = ".aliotignore"


@dataclass(frozen=True)
class Application:
    """`sources` {name in the folder: bytes} go onto a board; `left_out`: names at the top of what does not."""

    folder: Path
    sources: dict[str, bytes] = field(repr=False)
    left_out: tuple[str, ...]

    def compiled(self) -> dict[str, bytes]:
        """{path on the board: bytes}: a module as .mpy, a TSL as a table, boot.py, main.py and all else as it is."""
        return {**plain(self.sources), **device_files.compile_tree(self.folder, names=self.sources)}

    def models(self) -> dict[str, str]:
        """{name in the folder: what its table has, for people} of each TSL. UserError."""
        return {name: table.describe() for name, table in _tables(self.sources).items()}


def plain(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """{path on the board: bytes} of those files of an application {name: bytes} that are no Python. UserError."""
    others = {f"/{name}": data for name, data in sources.items() if not name.endswith(".py")}
    return {**others, **{f"/{name}": table.data for name, table in _tables(sources).items()}}


def _tables(sources):
    return {name: tsl.build(data, name) for name, data in sources.items() if tsl.is_tsl(name, data)}


def read(folder: Path | str) -> Application:
    """The `Application` in a folder. UserError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"FILES={folder} is not a folder")
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    usual = [name for name in names if not any(_is_private(part) for part in name.split("/"))]
    ignored = _ignored(folder, usual)
    taken = [name for name in usual if name not in ignored]
    _refuse_outside(folder, taken)
    left_out = dict.fromkeys(_shortest(name, taken) for name in names if name not in taken)
    return Application(folder, {name: _read(folder / name) for name in taken}, tuple(left_out))


def _refuse_outside(folder, names):
    """UserError when a symbolic link leads out of the folder: what lies there is no part of the application."""
    whole = folder.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(whole):
            raise UserError(
                f"{folder / name} is a symbolic link out of the folder: copy the file, or name it in {IGNORE}"
            )


def release() -> dict[str, bytes]:
    """{name: bytes} of the sources that go onto a board without FILES."""
    paths = {
        path.relative_to(device_files.FOLDER).as_posix(): path
        for path in sorted(device_files.FOLDER.rglob("*"))
    }
    return {
        name: _read(path) for name, path in paths.items() if path.is_file() and not device_files.stays(name)
    }


def _shortest(name, taken):
    """The outermost folder of a file of which nothing is taken, else the file."""
    parts = name.split("/")
    places = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    return next(
        (place for place in places if not any(other.startswith(place + "/") for other in taken)), name
    )


def _is_private(name):
    return name.startswith(".") or name == "__pycache__"


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _ignored(folder, names):
    """Those of `names` that the folder's .aliotignore names; the git of no repository but an empty one is asked."""
    path = folder / IGNORE
    if not path.is_file() or not names:
        return set()
    rules = _read(path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")
    with tempfile.TemporaryDirectory(prefix="aliot-ignore-") as empty:
        try:
            subprocess.run(
                ["git", "init", "-q", "--template=", empty], env=clean, check=True, capture_output=True
            )
            (Path(empty) / ".git" / "info").mkdir(exist_ok=True)
            (Path(empty) / ".git" / "info" / "exclude").write_bytes(rules)
            done = subprocess.run(
                ["git", "-C", empty, "check-ignore", "--no-index", "-z", "--stdin"],
                input="".join(name + "\0" for name in names).encode("utf-8", "surrogateescape"),
                env=clean,
                capture_output=True,
            )
        except FileNotFoundError:
            raise UserError(f"git reads {path}, and is not installed here: apt-get install git") from None
        except subprocess.CalledProcessError as error:
            raise UserError(
                f"git cannot read {path}: {error.stderr.decode(errors='replace').strip()}"
            ) from None
    if done.returncode not in (0, 1):  # 1: it names none of them
        raise UserError(f"git cannot read {path}: {done.stderr.decode(errors='replace').strip()}")
    return set(done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])
