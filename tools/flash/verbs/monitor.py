"""The verb `monitor`: a board's console, its state lines in words, until Ctrl-C. Nothing is sent."""

import argparse
import sys
from typing import TextIO

import serial

from tools.flash import console, port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", metavar="PORT", help="a serial port or a pyserial URL; by default the only one there is"
    )
    parser.add_argument("--baud", type=int, default=115200, help="default %(default)s")
    parser.add_argument("--until", metavar="STATE", help="end when the board says this state")
    parser.add_argument(
        "--reset", action="store_true", help="reset the board first, to see it from its start"
    )
    parser.add_argument("--raw", action="store_true", help="as it comes, state lines too")


def run(args: argparse.Namespace) -> None:
    name = port.choose(args.port)
    line = port.open_port(name, args.baud, timeout=0.2)
    if args.reset:
        line = console.restart(name, line)
    with line:
        show(line, name, sys.stdout, args.until, args.raw)


def show(line: port.Port, name: str, out: TextIO, until: str | None = None, raw: bool = False) -> None:
    """Print what comes until the state `until`; UserError when the port goes away."""
    rest = b""
    while True:
        try:
            data = line.read(max(1, line.in_waiting))
        except (serial.SerialException, OSError, TypeError) as error:
            raise port.PortError(f"the port {name} went away: {port.reason(error)}") from None
        *lines, rest = (rest + data).split(b"\n")
        for text in lines:
            state = console.state_of(text)
            shown = console.printable(console.readable(text.decode("utf-8", "replace").rstrip("\r")))
            print(shown if raw or not state else console.describe(state), file=out, flush=True)
            if state and state["aliot"] == until:
                return
