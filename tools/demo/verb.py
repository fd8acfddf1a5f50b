"""The verb `demo`: every way in, from a burned flash image to an acknowledged property, without hardware."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from tools import interpreter
from tools.demo import centres, gateways, id2, ways, x509
from tools.demo.stage import Stage

PAGES = (ways, id2, gateways, x509, centres)


def add_arguments(parser):
    parser.add_argument("--json", action="store_true", help="print the figures as JSON when it has ended")


def run(args):
    found = interpreter.find()
    with tempfile.TemporaryDirectory(prefix="aliot-demo-") as folder:
        with Stage(Path(folder), [product for page in PAGES for product in page.PRODUCTS]) as stage:
            stage.console.print(
                f"MicroPython {found.version} on emulated boards, an emulated cloud, real TLS. The boards trust the\n"
                "cloud's own root beside the platform's; every secret is made for this run.")
            for page in PAGES:
                page.play(stage)
            if args.json:
                stage.console.print_json(json.dumps([asdict(row) for row in stage.figures]))
            else:
                stage.console.print()
                stage.console.print(table(stage.figures))


def table(figures):
    """The figures as a rich table."""
    made = Table(box=box.SIMPLE_HEAD, title="What each boot took", title_justify="left", pad_edge=False)
    for name, align in (("way", "left"), ("boot", "left"), ("handshakes", "right"), ("bytes sent", "right"), ("received", "right"),
                        ("to connected", "right"), ("heap in use", "right")):
        made.add_column(name, justify=align, no_wrap=True)
    for row in figures:
        made.add_row(row.scene, row.boot, str(row.handshakes), str(row.sent), str(row.received),
                     f"{row.seconds:.2f} s", f"{row.heap / 1024:.1f} KB")
    return made
