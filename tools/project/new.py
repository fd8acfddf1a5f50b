"""The verb `new`: a folder for an application, which runs as it is and whose test passes.

What is in it is a copy of template/, beside this module.
"""

import argparse
import shlex
from pathlib import Path

from tools import files
from tools.errors import UserError

TEMPLATE = Path(__file__).with_name("template")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder, which does not exist yet or is empty")


def run(args: argparse.Namespace) -> None:
    folder = Path(args.folder)
    made = create(folder)
    name = shlex.quote(str(folder))
    print(f"{folder}: {', '.join(made)}")
    print("  its README.md says how to bring it to a board; its test runs by")
    print(f"  python -m tools test {name}")


def create(folder: Path) -> list[str]:
    """Put the template's files into `folder`; returns their names. UserError when there is something already."""
    with files.as_user_error(f"make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty: name a folder that does not exist yet")
        names = [name for path in sorted(TEMPLATE.rglob("*")) if (name := _shipped(path))]
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            with open(folder / name, "xb") as stream:
                stream.write((TEMPLATE / name).read_bytes())
    return names


def _shipped(path: Path) -> str | None:
    """The name in the folder of a file of the template; None for a folder, and for what Python put there."""
    name = path.relative_to(TEMPLATE)
    return name.as_posix() if path.is_file() and "__pycache__" not in name.parts else None
