"""The verb `mip`: the release as a package that mip installs onto a board whose file system is not to be replaced.

umqtt.simple is no dependency: stock firmware has it frozen, and one that mip brought would be hidden by that.
"""

import argparse
import json
from pathlib import Path

from tools import files
from tools.image import device_files, release


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", default="build/mip", help="default %(default)s")


def run(args: argparse.Namespace) -> None:
    write(args.out)
    print(
        f"{args.out}: release {release.build().version}\n"
        f"  mpremote mip install --target / {args.out}/package.json"
    )


def write(folder: Path | str) -> None:
    """The files of the release, main.py apart, and package.json, in `folder`."""
    folder = Path(folder)
    tree = {path: data for path, data in device_files.compile_tree().items() if path != "/main.py"}
    for path, data in tree.items():
        _write(folder / path[1:], data)
    names = [path[1:] for path in tree]
    package = {"urls": [[name, name] for name in names], "version": release.build().version}
    _write(folder / "package.json", (json.dumps(package, indent=1) + "\n").encode())


def _write(path, data):
    with files.as_user_error(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, data)
