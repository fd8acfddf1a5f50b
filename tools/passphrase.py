"""Where the passphrase of a key comes from: a file, the environment, or a prompt; never an argument."""

import argparse
import getpass
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.errors import UserError

VARIABLE = "ALIOT_CA_PASSPHRASE"  # of the CA
SHORTEST = 12


def add_argument(parser: argparse.ArgumentParser, variable: str = VARIABLE) -> None:
    """The argument `--passphrase-file`; `variable` of the environment comes after it."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help=f"first line is the passphrase; else ${variable}, else it is asked for",
    )


def read(
    file: Path | str | None = None,
    new: bool = False,
    environment: Mapping[str, str] = os.environ,
    prompt: Callable[[str], str] = getpass.getpass,
    warn: Callable[[str], object] | None = None,
    variable: str = VARIABLE,
    key: str = "the CA key",
) -> bytes:
    """The passphrase as bytes: the first line of `file`, else of the variable, else typed in.

    `new` asks twice and refuses one shorter than 12 characters.
    """
    if file is not None:
        phrase = _from_file(file, warn or (lambda line: print(line, file=sys.stderr)))
    elif variable in environment:
        phrase = environment[variable]
    else:
        phrase = _typed(new, prompt, variable, key)
    if not phrase:
        raise UserError("the passphrase is empty")
    if new and len(phrase) < SHORTEST:
        raise UserError(f"the passphrase has fewer than {SHORTEST} characters; choose a longer one")
    return phrase.encode()


def _from_file(file, warn):
    try:
        with open(file, encoding="utf-8-sig") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            phrase = stream.readline().rstrip("\r\n")
    except OSError as error:
        raise UserError(f"cannot read the passphrase file {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UserError(f"the passphrase file {file} is not UTF-8 text") from None
    if stat.S_ISREG(mode) and mode & 0o077:
        warn(f"warning: others may read {file}; chmod 600 {file}")
    return phrase


def _typed(new, prompt, variable, key):
    if prompt is getpass.getpass and not sys.stdin.isatty():
        raise UserError(
            f"no passphrase: give --passphrase-file FILE or set {variable} (there is no terminal to ask)"
        )
    phrase = prompt(f"Passphrase of {key}: ")
    if new and prompt("The same again: ") != phrase:
        raise UserError("the two passphrases differ")
    return phrase
