"""`line burn`: the station."""

import argparse
import json
import os

from tools import boards
from tools.errors import UserError
from tools.flash.settings import PASSWORD, SSID
from tools.image.journal import state
from tools.line import identities, job_contents
from tools.line.job import Job
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import utc_now
from tools.line.reports import labels
from tools.line.station import bays, screen
from tools.line.station.station_file import Station
from tools.line.verbs import arguments

WIFI_VARIABLES = (SSID, PASSWORD)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("job", help="the signed job file; on a desk without a station file, unsigned too")
    parser.add_argument(
        "--bay",
        action="append",
        metavar="NAME=PORT",
        default=[],
        help="a bay: NAME=USB-LOCATION, NAME=/dev/..., NAME=rfc2217://...; none takes the station "
        "file's, and without those every USB port",
    )
    parser.add_argument("--once", action="store_true", help="one board in each bay, then end")
    parser.add_argument("--json", action="store_true", help="one JSON object for each event")
    parser.add_argument("--plain", action="store_true", help="plain lines on a terminal too")
    parser.add_argument(
        "--wifi",
        metavar="FILE",
        help='the line\'s Wi-Fi, {"ssid": ..., "password": ...}; otherwise ' + " and ".join(WIFI_VARIABLES),
    )
    parser.add_argument("--labels", metavar="FOLDER", help="write a label there for each finished board")
    parser.add_argument(
        "--journal", metavar="FILE", help="the station's own record (default: beside the ledger's place)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a board waits for a ledger that went away (default 60)",
    )


def run(args: argparse.Namespace) -> int:
    from tools.line.station import station, worker

    at = arguments.station(args)
    wanted = arguments.load_job(args.job, at)
    places = arguments.places(args, at) or None
    url, key, who = arguments.url(args, at, wanted), arguments.key(args, at), arguments.who(args, at)
    wanted.check_time(utc_now())
    check_roots(wanted)
    wanted = job_contents.with_tree(wanted)
    chosen = labels.settings(wanted.label) if args.labels else None
    board = boards.load(wanted.board)
    with Ledger.open(url, key) as ledger:
        if key is None and not ledger.plain:
            raise UserError(
                "the station needs the ledger's key to burn secrets: "
                + (f"key_file in {at.path}" if at.fixed else "--key-file, or the station file")
            )
        identities.check_job(wanted, ledger.product(wanted.product_key))
        ledger.start_job(wanted, who)
    settings = worker.Settings(
        job=wanted,
        url=url,
        key=key,
        who=who,
        chip=board.chip,
        flash_size=board.flash_size,
        wifi=wifi(args, wanted),
        once=args.once,
        patience=args.patience,
    )
    if places is None and args.once:
        places = bays.found(bays.plugged())
        if not places:
            raise UserError("no board is plugged in; plug one in, or name bays with --bay")

    def label(device_name, mac):
        with Ledger.open(url) as ledger:
            labels.write(ledger.list(macs=[mac]), args.labels, chosen)

    view = screen.Lines() if args.plain and not args.json else screen.choose(args.json, title(wanted, at))
    return station.Station(
        places,
        settings,
        view,
        journal=args.journal or journal(at),
        after=label if args.labels else None,
    ).run()


def title(wanted: Job, at: Station) -> str:
    return f"{wanted.name}: {wanted.product_key} on {wanted.board}, station {at.name}" + (
        "" if wanted.checked else f" (signed by {wanted.signature})" if wanted.signer else " (UNSIGNED JOB)"
    )


def check_roots(wanted: Job) -> None:
    """UserError for a root in the job's file tree that the job does not name: it would stay on every
    board.
    """
    named = {digest for name, digest in wanted.pinned.items() if name.startswith("root ")}
    for name, digest in wanted.pinned.items():
        if name.startswith("file roots/") and name.endswith(".der") and digest not in named:
            raise UserError(
                f"{name[5:]} in the job's files is an extra root that the job does not name; "
                "name it under roots, or take it out"
            )


def wifi(args: argparse.Namespace, wanted: Job) -> tuple[str, str] | None:
    """(name, password) for the self-test, or None. From a file or the environment; never an argument."""
    if not wanted.wifi:
        return None
    if args.wifi:
        try:
            with open(args.wifi, encoding="utf-8-sig") as file:
                table = json.load(file)
            found = table["ssid"], table.get("password", "")
        except OSError as error:
            raise UserError(f"{args.wifi} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f'{args.wifi} is not {{"ssid": "...", "password": "..."}}') from None
    else:
        found = os.environ.get(WIFI_VARIABLES[0]), os.environ.get(WIFI_VARIABLES[1], "")
    if not found[0] or not all(isinstance(text, str) for text in found):
        raise UserError(
            f"the job's self-test needs the line's Wi-Fi: --wifi FILE, or {' and '.join(WIFI_VARIABLES)}"
        )
    return found


def journal(at: Station) -> str:
    folder = state()
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made ({error.strerror}): name another place with --journal"
        ) from None
    return os.path.join(folder, f"line-{at.name.replace('/', '-')}.jsonl")
