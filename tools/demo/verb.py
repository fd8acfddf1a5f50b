"""The verb `demo`: every way in, from a burned flash image to an acknowledged property; a day; an update."""

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from tools.demo import direct, gateways, id2, sealed, thermostat, updates, x509
from tools.demo.scene import Figures, Stage
from tools.emulator.board import interpreter

PAGES = (direct, sealed, id2, gateways, x509, thermostat, updates)
PLAYS = (
    direct.play,
    sealed.play,
    id2.play,
    gateways.play,
    x509.play,
    direct.play_abroad,
    thermostat.play,
    updates.play,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the figures as JSON when it has ended")


def run(args: argparse.Namespace) -> None:
    found = interpreter.find()
    products = [direct.ABROAD_PRODUCT, *(product for page in PAGES for product in page.PRODUCTS)]
    with tempfile.TemporaryDirectory(prefix="aliot-demo-") as folder:
        with Stage(Path(folder), products) as stage:
            stage.console.print(
                f"MicroPython {found.version} on emulated boards, an emulated cloud, real TLS. The boards trust the\n"
                "cloud's own root beside the platform's; every secret is made for this run."
            )
            for play in PLAYS:
                play(stage)
            if args.json:
                stage.console.print_json(json.dumps([asdict(row) for row in stage.figures]))
            else:
                stage.console.print()
                stage.console.print(table(stage.figures))


# heading -> (width, the figure as text); together with the indent they fit 80 columns
COLUMNS = {
    "boot": (8, lambda row: row.boot),
    "handshakes": (10, lambda row: str(row.handshakes)),
    "bytes sent": (10, lambda row: str(row.sent)),
    "received": (10, lambda row: str(row.received)),
    "to connected": (12, lambda row: f"{row.seconds:.2f} s"),
    "heap in use": (11, lambda row: f"{row.heap / 1024:.1f} KB"),
}


def table(figures: Iterable[Figures]) -> Text:
    """The figures as a rich text: each scene on a line of its own, its boots under it."""
    lines = ["What each boot took", _line({name: name for name in COLUMNS}), "-" * len(_line({}))]
    for scene, rows in itertools.groupby(figures, lambda row: row.scene):
        lines.append(scene)
        lines += [_line({name: figure(row) for name, (_, figure) in COLUMNS.items()}) for row in rows]
    return Text("\n".join(lines))


def _line(cells):
    return "  " + "  ".join(
        f"{cells.get(name, ''):{'<' if name == 'boot' else '>'}{width}}"
        for name, (width, _) in COLUMNS.items()
    )
