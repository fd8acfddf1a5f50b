"""`line demo`."""

import argparse
import os

from tools.demo.line import Demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", default=os.path.join("build", "line-demo"), help="made anew (default %(default)s)"
    )
    parser.add_argument(
        "--no-firmware",
        action="store_true",
        help="boards that hold MicroPython already: files and identities only",
    )


def run(args: argparse.Namespace) -> None:
    Demo(os.path.abspath(args.folder), lambda line: print(line, flush=True), not args.no_firmware).run()
