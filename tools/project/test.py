"""The verb `test`: runs the tests of an application's folder with pytest and the fixtures `cloud` and `board`."""

import argparse
import os
from pathlib import Path

import pytest

from tools.errors import UserError

PLUGIN = "tools.project.fixtures"
HEAVY = (
    "schemathesis",
    "hypothesispytest",
)  # plugins for the tools' own tests: each start would wait for them
CONFIGURATIONS = (
    "pytest.ini",
    "pyproject.toml",
)  # of the folder itself; those of the folders above do not count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the application's folder, as FILES= has it")
    parser.add_argument(
        "options", metavar="OPTION", nargs=argparse.REMAINDER, help="options of pytest, e.g. -x or -k NAME"
    )


def run(args: argparse.Namespace) -> int:
    folder = Path(args.folder).resolve()
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: 'python -m tools new DIR' makes one")
    if not any(_is_test(path.relative_to(folder)) for path in folder.rglob("*.py")):
        raise UserError(f"{folder} has no tests: they are functions test_NAME in tests/test_NAME.py")
    return int(pytest.main([*arguments(folder), *args.options]))


def arguments(folder: Path) -> list[str]:
    """What makes pytest run the tests of `folder`, wherever it lies, with the fixtures."""
    own = (folder / name for name in CONFIGURATIONS if (folder / name).is_file())
    configuration = str(next(own, os.devnull))
    return [
        *(word for name in HEAVY for word in ("-p", f"no:{name}")),
        "-p",
        PLUGIN,
        "-c",
        configuration,
        "--rootdir",
        str(folder),
        "--import-mode",
        "importlib",
        str(folder),
    ]


def _is_test(path: Path) -> bool:
    """Whether pytest looks for tests in a file."""
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (path.name.startswith("test_") or path.name.endswith("_test.py"))
