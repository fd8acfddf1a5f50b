"""The verb `board`: an emulated ESP32 on an RFC 2217 port or on pipes, until Ctrl-C or a power cut."""

import asyncio
import json
import re
import signal
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, nullcontext
from pathlib import Path

from tools import boards
from tools.chips import CHIPS
from tools.emulator.board import modules
from tools.emulator.board.boot import RELEASES, ROOMY, SEALED
from tools.emulator.chip import companion_cloud
from tools.emulator.chip.chip import Chip
from tools.emulator.chip.efuses import Efuses, parse_mac
from tools.emulator.chip.models import MODELS
from tools.emulator.chip.nor import SIZES, Nor
from tools.emulator.chip.pins import STYLES
from tools.emulator.chip.server import Server
from tools.emulator.chip.software import Software
from tools.errors import UserError

CUT_STATUS = 3
LISTEN = "127.0.0.1:0"
# --fault: name -> what the number behind the colon means, None when there is none
FAULTS = {
    "bad-md5": "MD5 answers to spoil",
    "stall": "flash data block at which it falls silent",
    "disconnect": "flash data block at which the port goes away",
    "busy": None,
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--flash", metavar="FILE", required=True, help="its flash; made blank when it is not there"
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=f"where its serial port is (default {LISTEN}; port 0 takes a free one, which is printed)",
    )
    parser.add_argument("--mac", default="24:0a:c4:00:00:01", help="default %(default)s")
    parser.add_argument("--chip", choices=sorted(MODELS), default="esp32", help="default %(default)s")
    parser.add_argument(
        "--flash-size",
        metavar="MB",
        type=int,
        help="of a flash file that is not there yet (default 4, for an esp32s3 8)",
    )
    parser.add_argument(
        "--efuses",
        metavar="FILE",
        help="where its eFuses are kept, as 'espefuse --virt' keeps them; "
        "without one they last as long as the board",
    )
    parser.add_argument("--cloud", metavar="DIR", help="run directory of an emulated cloud that it can reach")
    parser.add_argument(
        "--play", metavar="DIR", help="start an emulated cloud beside it in DIR, with an identity to burn"
    )
    parser.add_argument(
        "--console", action="store_true", help="with --play: its cloud has its console for a browser, too"
    )
    parser.add_argument(
        "--files",
        metavar="FOLDER",
        help="an application: the product of --play's cloud has the model in its model.json, if there is one; "
        "with --cert it is on the board",
    )
    parser.add_argument(
        "--cert",
        metavar="FILE",
        help="an identity that a new flash file holds, with a runnable release beside it",
    )
    parser.add_argument("--config", metavar="FILE", help="with --cert: its config.json")
    parser.add_argument(
        "--ota-key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="with --cert: public keys that releases over the air are checked with",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="no port: commands and the console as JSON lines on standard input and output, whose end is the board's",
    )
    parser.add_argument("--baud-limit", metavar="BAUD", type=int, help="how fast its serial line is at most")
    parser.add_argument(
        "--reset",
        choices=sorted(STYLES),
        default="bridge",
        help="how DTR and RTS reach the chip (default %(default)s)",
    )
    parser.add_argument(
        "--cut-at",
        metavar="N",
        type=int,
        help=f"power goes in the middle of the N-th flash operation; the exit status is then {CUT_STATUS}",
    )
    parser.add_argument(
        "--boot-blank",
        action="store_true",
        help="run MicroPython though no application is in flash, as in an image of 'image'",
    )
    parser.add_argument(
        "--fault",
        metavar="NAME[:N]",
        action="append",
        default=[],
        help="what goes wrong: "
        + "; ".join(f"{name}:N {text}" if text else name for name, text in FAULTS.items()),
    )
    parser.add_argument(
        "--memory",
        choices=RELEASES,
        nargs="?",
        const=RELEASES[-1],
        help="a chip's two heaps as that MicroPython release has them (%(const)s if it is not named)",
    )
    parser.add_argument("--heap", help=f"MicroPython's heap (default {SEALED}, with --memory {ROOMY})")
    parser.add_argument("--json", action="store_true", help="print what happens as JSON lines")


def run(args: Namespace) -> int | None:
    host, at = _address(args.listen or LISTEN)
    faults = dict(map(_fault, args.fault))
    mac = parse_mac(args.mac)
    size = _size(args.flash_size, args.chip, Path(args.flash))
    if args.cut_at is not None and args.cut_at < 1:
        raise UserError("--cut-at counts flash operations from 1")
    if args.baud_limit is not None and args.baud_limit < 300:
        raise UserError("--baud-limit is a rate of 300 baud or more")
    if args.cloud and args.play:
        raise UserError("--play starts a cloud of its own; leave --cloud out")
    if args.console and not args.play:
        raise UserError(
            "--console is that of the cloud of --play; 'python -m tools cloud --console' has one, too"
        )
    if args.files and not (args.play or args.cert):
        raise UserError(
            "--files is for the cloud of --play, or with --cert; a cloud of your own has its model in cloud.toml"
        )
    if (args.config or args.ota_key) and not args.cert:
        raise UserError("--config and --ota-key are for a new flash with an identity: say --cert, too")
    if args.control and (args.listen or args.play):
        raise UserError("--control has no port and no cloud of its own; leave --listen and --play out")
    if args.cloud and not Path(args.cloud).is_dir():
        raise UserError(f"--cloud {args.cloud} is no folder: it is the --run-dir of 'python -m tools cloud'")
    if args.heap and not re.fullmatch(r"[1-9]\d*[KM]?", args.heap):
        raise UserError(f"--heap {args.heap} is not a size in bytes, K or M, e.g. 112K")
    model = MODELS[args.chip]
    Path(args.flash).parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        play = stack.enter_context(
            companion_cloud.open_at(args.play, args.mac, args.files, args.console)
            if args.play
            else nullcontext()
        )
        if args.cert:
            _burn(args)
        nor = Nor(args.flash, size, args.cut_at)
        stack.callback(nor.close)
        modules.port()  # compiled now, so that the first reset does not wait for it
        report = _Reporter(args.json or args.control)
        cloud = play.cloud if play else args.cloud
        efuses = Efuses(model, mac, args.efuses)
        software = Software(nor, args.mac, efuses, cloud=cloud, heap=args.heap, memory=args.memory)
        chip = Chip(
            model,
            nor,
            efuses,
            style=args.reset,
            application=software,
            faults=faults,
            log=lambda text: report("event", text),
            boot_blank=args.boot_blank or bool(args.cert),
        )
        if args.control:
            asyncio.run(_controlled(chip, software, report, args.config))
            return None
        server = Server(chip, args.baud_limit, busy="busy" in faults)
        asyncio.run(_serve(chip, server, host, at, lambda port: _ready(report, host, port, args, play)))
    if chip.cut:
        report("cut", "start it again to switch the power on")
        return CUT_STATUS
    return None


def _burn(args):
    """A new flash file out of --cert and what belongs to it."""
    from tools.emulator.chip import new_flash

    names = {"cloud": args.cloud, "settings": args.config, "files": args.files}
    paths = {name: Path(value) for name, value in names.items() if value}
    new_flash.write(Path(args.flash), args.chip, Path(args.cert), **paths, keys=args.ota_key)


async def _controlled(chip, software, report, config):
    from tools.emulator.chip.control import Control
    from tools.image.config import read

    values = read(config) if config else {}
    wifi = values.get("ssid", "emulated"), values.get("password", "")
    stop = _until_stopped()
    report("ready", "on pipes")
    await Control(chip, software, wifi, report).serve(stop)


def _until_stopped():
    """An event that Ctrl-C and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _serve(chip, server, host, at, ready):
    stop = _until_stopped()
    try:
        port = await server.start(host, at)
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{at}: {error.strerror or error}") from None
    ready(port)
    chip.off = stop.set
    chip.power_on()
    try:
        await stop.wait()
    finally:
        chip.power_off()
        await server.stop()


def _ready(report, host, port, args, play):
    url = f"rfc2217://{host}:{port}"
    report("ready", f"an emulated {args.chip} is at {url}; its flash is {args.flash}", url=url)
    if play:
        for line in play.describe(url):
            report("hint", line)


class _Reporter:
    """Lines for a person, or JSON."""

    def __init__(self, as_json):
        self._json = as_json

    def __call__(self, kind, text, **more):
        print(json.dumps({kind: text, **more}) if self._json else text, flush=True)


def _address(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UserError(f"--listen {text} is not HOST:PORT, e.g. 127.0.0.1:4000")
    return host.strip("[]") or "127.0.0.1", int(port)


def _size(megabytes, chip, file):
    """Bytes of flash; None for what an existing file has. A new one has what the generic board of the chip has."""
    if megabytes is None:
        return None if file.exists() and file.stat().st_size else boards.load(CHIPS[chip].board).flash_size
    if megabytes << 20 not in SIZES:
        sizes = ", ".join(str(size >> 20) for size in SIZES)
        raise UserError(f"--flash-size {megabytes} is not one of {sizes}")
    return megabytes << 20


def _fault(text):
    name, colon, number = text.partition(":")
    if name not in FAULTS:
        raise UserError(f"--fault {name} is not known; there are {', '.join(FAULTS)}")
    if (FAULTS[name] is None) == bool(colon) or colon and not (number.isdigit() and int(number) > 0):
        raise UserError(
            f"--fault {text}: it is {name}" + (":N, N being the " + FAULTS[name] if FAULTS[name] else "")
        )
    return name, int(number) if number else True
