"""The verb `chip`: our flash files on a QEMU with an ESP32 and Wi-Fi, if a person has one; one table."""

import argparse
import json
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from tools import boards
from tools.errors import UserError
from tools.flash import micropython_images
from tools.qemu import machine, network, results, scenarios
from tools.qemu.player import BOARD, Player, Settings

WIDTH = 160  # columns in a pipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--qemu",
        metavar="PATH",
        required=True,
        type=Path,
        help="a qemu-system-xtensa that emulates the ESP32 with Wi-Fi; none comes with this project",
    )
    parser.add_argument(
        "--firmware",
        metavar="FILE",
        type=Path,
        help="the stock MicroPython .bin; the pinned one when it is not named",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help=f"this scenario or family only; may be given again: {', '.join(scenarios.NAMES)}",
    )
    parser.add_argument(
        "--boots",
        metavar="N",
        type=_count,
        default=1,
        help="new boards in each scenario, each with its later moments (default %(default)s)",
    )
    parser.add_argument(
        "--cuts", metavar="N", type=_count, default=20, help="power cuts (default %(default)s)"
    )
    parser.add_argument(
        "--ssid", metavar="NAME", help="of the QEMU's access point; looked for when it is not named"
    )
    parser.add_argument(
        "--password", metavar="TEXT", default="", help="of that access point; none when it is open"
    )
    parser.add_argument("--qemu-args", metavar="WORDS", default="", help="what this QEMU needs further")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="in which a board must be online (default %(default)g)",
    )
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="keep consoles, flash files and the cloud's logs in DIR, which must be new or empty",
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def _count(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def run(args: argparse.Namespace) -> int:
    names = scenarios.chosen(args.only)
    for wanted in args.only:
        if not scenarios.chosen([wanted]):
            raise UserError(f"--only {wanted} is no scenario; there are {', '.join(scenarios.NAMES)}")
    if args.keep and Path(args.keep).is_dir() and any(Path(args.keep).iterdir()):
        raise UserError(
            f"--keep {args.keep} holds the state of another run: name a folder that is new or empty"
        )
    version = machine.check(args.qemu)
    firmware = micropython_images.load(boards.load(BOARD), args.firmware).name
    at = network.enter()
    with (
        nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory(prefix="aliot-chip-") as folder,
        network.Network((at, network.NAMES), network.doors()) as private,
    ):
        settings = Settings(
            args.qemu, args.firmware, args.ssid or "", args.password, args.qemu_args, args.patience
        )
        player = Player(settings, private, Path(folder), _report)
        if args.ssid is None:
            player.find_network()
        rows = [row for name in names for row in player.play(name, args.boots, args.cuts)]
    good = all(row.passed for row in rows)
    if args.json:
        print(
            json.dumps(
                {"qemu": version, "firmware": firmware, "ok": good, "rows": [row.as_dict() for row in rows]}
            )
        )
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = WIDTH
        console.print(results.table(rows, f"{firmware} on {version}; no chip: times are this machine's"))
        for note in results.notes(rows):
            console.print(note, markup=False, soft_wrap=True)
    return 0 if good else 1


def _report(text):
    print(text, file=sys.stderr, flush=True)
