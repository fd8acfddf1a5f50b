"""The verb `repl`: mpremote on a board's port, whatever pyserial URL that is."""

import argparse
import select
import sys

import serial

from tools.errors import UserError
from tools.flash import port

_LOOK = 0.02  # seconds between looks at a port that cannot be waited for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", metavar="PORT", help="a serial port or a pyserial URL; by default the only one there is"
    )
    parser.add_argument(
        "commands", nargs=argparse.REMAINDER, metavar="COMMAND", help="mpremote's commands (default repl)"
    )


def run(args: argparse.Namespace) -> int:
    name = port.choose(None if args.port == "auto" else args.port)
    commands = args.commands or ["repl"]
    if commands[0] == "repl" and not sys.stdin.isatty():
        raise UserError("a REPL needs a terminal; say ARGS=\"exec 'print(1)'\" for one command")
    return _mpremote(name, commands)


def _mpremote(name, commands):
    """mpremote's exit status."""
    from mpremote import console, main

    wait = console.Console.waitchar

    def waitchar(self, line):
        """mpremote waits for the port by its descriptor, which the port of a URL does not have."""
        if hasattr(line, "fd") or not hasattr(self, "infd"):
            return wait(self, line)
        while not line.in_waiting and not select.select([self.infd], [], [], _LOOK)[0]:
            pass
        return None

    before, sys.argv = sys.argv, ["mpremote", "connect", name, *commands]
    console.Console.waitchar = waitchar
    try:
        return main.main()
    except (serial.SerialException, OSError) as error:
        raise port.PortError(f"the port {name} went away: {port.reason(error)}") from None
    finally:
        sys.argv, console.Console.waitchar = before, wait
