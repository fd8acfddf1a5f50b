"""Run the emulated IoT Platform: MQTT, HTTPS registration, SNTP and an admin API on loopback."""

import asyncio
import json
import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tools.emulator.cloud.config import load
from tools.emulator.cloud.server import PORTS, Server, Shortage, raise_file_limit
from tools.errors import UserError

OPTIONS = {
    "mqtt_tls": "MQTT over TLS",
    "mqtt_tcp": "MQTT over plain TCP",
    "https": "HTTPS registration",
    "admin": "the admin API, always on 127.0.0.1",
    "ntp": "SNTP (UDP)",
    "itls": "MQTT over iTLS, for devices with an ID2",
    "x509": "MQTT over TLS with client certificates",
}


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def path(text: str) -> Path:
    """A path; an empty one, as an unset variable leaves it, would mean the current folder."""
    if not text:
        raise ValueError
    return Path(text)


def host(text: str) -> str:
    if not text:
        raise ValueError
    return text


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config", required=True, type=path, metavar="FILE", help="instance, products, devices (TOML)"
    )
    parser.add_argument(
        "--run-dir",
        required=True,
        type=path,
        metavar="DIR",
        help="where ready.json, ca.pem, ca.der and the state are kept",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", type=host, help="address to listen on (default %(default)s)"
    )
    for name in PORTS:
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=port,
            default=0,
            metavar="PORT",
            help=f"{OPTIONS[name]}; 0 takes a free port",
        )
    parser.add_argument(
        "--console",
        nargs="?",
        type=port,
        const=0,
        metavar="PORT",
        help="open the console for a browser of this machine, on a free port or this one, and print its address",
    )
    parser.add_argument(
        "--admin-open",
        action="store_true",
        help="with --console: the admin API takes requests without the token of ready.json, too",
    )
    parser.add_argument(
        "--events",
        type=path,
        metavar="FILE",
        help="append what a business server gets to FILE, one message a line of JSON",
    )
    parser.add_argument("--tls13", action="store_true", help="offer TLS 1.3 too; the chip speaks 1.2 at most")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    parser.add_argument("--json", action="store_true", help="say what is served in one line of JSON")


def run(args: Namespace) -> None:
    config = load(args.config)
    warning = raise_file_limit()
    if warning:
        print(f"note: {warning}", file=sys.stderr)
    ports = {name: getattr(args, name) for name in PORTS}
    if args.console is not None:
        ports["console"] = args.console
    admin_open = args.admin_open or args.console is None
    server = Server(config, args.run_dir, args.host, ports, args.tls13, admin_open)
    if args.events:
        server.instance.server_messages.write_to(args.events)
    asyncio.run(serve(server, args))


async def serve(server: Server, args: Namespace) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(
        Shortage(server.instance.journal, lambda line: print(line, file=sys.stderr, flush=True))
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    if args.until_eof:
        threading.Thread(target=await_end, args=(loop, done), daemon=True).start()
    try:
        await server.start()
        announce(server, args)
        await done.wait()
    finally:
        await server.stop()


def await_end(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    """Sets `done` when standard input ends; on a thread, since a file or /dev/null cannot be polled."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(done.set)


def announce(server: Server, args: Namespace) -> None:
    address = server.console.address() if server.console else None
    if args.json:
        more = {"console": address} if address else {}
        line = json.dumps({"ready": str(args.run_dir), "ports": server.ports, **more})
    else:
        served = ", ".join(f"{name} {number}" for name, number in server.ports.items())
        line = f"ready on {server.host}: {served}; CA in {args.run_dir / 'ca.pem'}; Ctrl-C stops"
        line += f"\nconsole (this address opens it once): {address}" if address else ""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise UserError("nobody reads standard output") from None
