"""`python -m tools VERB`: finds the verb's module and runs it.

A verb is a module with a docstring (its first line is the help text),
`add_arguments(parser)` and `run(args)`, which returns None or an exit status
and raises `UserError` for whatever a person can mend. Only the verb asked for
is imported, so that every verb starts fast.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from tools.errors import UserError

# verb -> (module, one line of help)
VERBS = {
    "new": ("tools.project.new", "make a folder for an application: main.py, config.json, a test"),
    "test": (
        "tools.project.test",
        "run an application's tests, on an emulated board against an emulated cloud",
    ),
    "demo": ("tools.demo.verb", "show every way in on emulated boards against an emulated cloud"),
    "interpreter": (
        "tools.emulator.board.interpreter",
        "find or fetch the MicroPython interpreter, and say which and why",
    ),
    "boards": ("tools.boards", "list and check the boards of boards/, or hold one against a stock image"),
    "board": (
        "tools.emulator.chip.verb",
        "run an emulated ESP32 on an RFC 2217 port: ROM loader, eFuses, MicroPython",
    ),
    "flash": ("tools.flash.verbs.flash", "flash a board, blank or not: nothing that it keeps is lost"),
    "image": ("tools.flash.verbs.image", "build a flash image from an identity, roots and settings"),
    "mip": ("tools.flash.verbs.mip", "write the release as a package that mip installs"),
    "erase": ("tools.flash.verbs.erase", "erase a board's whole flash, after saving its identity"),
    "backup": ("tools.flash.verbs.backup", "save the identity of a plugged-in board to a file"),
    "restore": ("tools.flash.verbs.restore", "put an identity from a backup back onto its board"),
    "monitor": ("tools.flash.verbs.monitor", "show a board's console"),
    "repl": ("tools.flash.verbs.repl", "a board's REPL, or any other command of mpremote, on any port"),
    "burn": (
        "tools.flash.verbs.burn",
        "burn one board's identity, without disturbing what else its flash holds",
    ),
    "inspect": (
        "tools.flash.verbs.inspect",
        "say what a flash, NVS or file system image holds, secrets masked",
    ),
    "explain": (
        "tools.diagnosis.explain",
        "show what a board with this certificate signs and sends, secrets masked",
    ),
    "doctor": (
        "tools.diagnosis.doctor",
        "walk the way to the platform: DNS, TCP, TLS, clock, registration, login",
    ),
    "ca": ("tools.ca.verbs", "a private CA: device certificates, association files, checks before an upload"),
    "ota": ("tools.ota.verbs", "releases over the air: keys, packages of files, their signatures"),
    "line": (
        "tools.line.verbs.line",
        "the production line: identities in a ledger, burned into boards, each exactly once",
    ),
    "chip": (
        "tools.qemu.verb",
        "boot our flash files on a QEMU with ESP32 and Wi-Fi, if you have one: times and heaps",
    ),
    "bench": (
        "host_tests.bench.verb",
        "figures of firmware, tools and emulators side by side, with their bounds",
    ),
    "cloud": ("tools.emulator.cloud.command", "run the emulated IoT Platform"),
}


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The argument parser; with `verb`, that verb's own arguments are in it."""
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, (module, text) in VERBS.items():
        sub = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == verb:
            loaded = importlib.import_module(module)
            loaded.add_arguments(sub)
            sub.set_defaults(run=loaded.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    verb = next((word for word in argv if not word.startswith("-")), None)
    try:
        args = build_parser(verb).parse_args(argv)
        return args.run(args) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "tools":
            raise
        print(
            f"error: the Python package '{error.name}' is missing; run 'make setup' "
            "and start the tools with .venv/bin/python",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("error: stopped by Ctrl-C", file=sys.stderr)
        return 130
