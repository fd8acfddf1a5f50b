"""The verb `bench`: figures side by side, and the bounds that they must hold.

A part is a module with `report(scale)`, which gives a `report.Report`. `scale` is a factor on how often a figure is
taken; bounds do not depend on it. What another room measures is a part by a row here and a few lines in a module of
this folder.
"""

import importlib
import json
import os
import time

from rich.console import Console

from host_tests.bench import report as reports
from tools.emulator.board import interpreter
from tools.errors import UserError

# part -> (module, what it measures)
PARTS = {
    "sizes": ("host_tests.bench.sizes", "bytes of .mpy, module by module"),
    "link": ("host_tests.bench.link", "connect and QoS 1 round trips against umqtt.simple alone"),
    "posts": ("host_tests.bench.posts", "posts of a Thing against umqtt.simple with the same JSON"),
    "boot": ("host_tests.bench.boot", "the phases of a boot"),
    "heap": (
        "host_tests.bench.heap",
        "heap in use, and the smallest heap for each kind of board and each fault",
    ),
    "id2": ("host_tests.bench.id2", "iTLS with an ID² beside TLS: connect, bytes, heap, code"),
    "x509": ("host_tests.bench.x509", "mutual TLS beside plain TLS: bytes, heap; a key made on the board"),
    "signing": ("host_tests.bench.signing", "a signature with a key in eFuse beside one by software"),
    "updates": (
        "host_tests.bench.updates",
        "heap that an update over the air takes, over HTTPS and MQTT, and its speed; a release for a fleet",
    ),
    "cloud": ("host_tests.bench.load", "what the emulated cloud carries"),
    "console": (
        "host_tests.bench.console",
        "what an open console costs a device's round trips, with 20,000 devices and 1,000 messages a second",
    ),
    "things": (
        "host_tests.bench.things",
        "20,000 devices with 50 values each in the cloud, and its posts a second",
    ),
    "flash": ("host_tests.bench.flash", "flashing the emulated board at 921600 baud, against esptool alone"),
    "line": (
        "host_tests.bench.line",
        "the production line: allocations, burns, eight boards at once, images",
    ),
    "gateways": (
        "host_tests.bench.gateways",
        "100 and 1,500 sub-devices of a gateway online again after a reconnect",
    ),
    "ca": ("host_tests.bench.issuing", "certificates issued by the private CA"),
}
WIDTH = 130  # columns in a pipe


def add_arguments(parser):
    known = "; ".join(f"{name}: {text}" for name, (_, text) in PARTS.items())
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all of them by default. {known}")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="N",
        help="how often each figure is taken, as a factor (default 1)",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the table of module sizes in firmware/README.md anew, and do nothing else",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args):
    unknown = [name for name in args.parts if name not in PARTS]
    if unknown:
        raise UserError(f"there is no part '{unknown[0]}' of the bench; parts are {', '.join(PARTS)}")
    if not 0 < args.scale <= 100:
        raise UserError(f"--scale {args.scale:g} is not above 0 and at most 100")
    if args.write:
        from host_tests.bench import sizes

        print(f"{sizes.README.name} {'written' if sizes.write() else 'is up to date'}")
        return 0
    console = Console(highlight=False, stderr=args.json)
    if not console.is_terminal:
        console.width = WIDTH
    found = run_parts(console, args.parts or list(PARTS), args.scale)
    bounds = [bound for one in found.values() for bound in one.bounds]
    failed = [bound for bound in bounds if not bound.holds]
    if args.json:
        print(
            json.dumps(
                {
                    "interpreter": interpreter.find().version,
                    "holds": not failed,
                    "parts": {name: one.data() for name, one in found.items()},
                }
            )
        )
    console.print(
        f"\n{len(bounds) - len(failed)} of {len(bounds)} bounds hold", style="bold red" if failed else "bold"
    )
    for bound in failed:
        console.print(f"  FAILS  {bound.line()}", markup=False, soft_wrap=True)
    return 1 if failed else 0


def run_parts(console, names, scale):
    """{part: its Report}, each printed as soon as it is there."""
    console.print(
        f"MicroPython {interpreter.find().version}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} before the bench"
    )
    found = {}
    for name in names:
        module, text = PARTS[name]
        console.print(f"\n[bold]{name}: {text}[/bold]")
        began = time.monotonic()
        found[name] = importlib.import_module(module).report(scale)
        reports.draw(console, found[name])
        console.print(f"{name} took {time.monotonic() - began:.0f} s", style="dim")
    return found
