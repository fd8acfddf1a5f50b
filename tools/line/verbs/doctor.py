"""`line doctor`."""

import argparse
import json
import os
from dataclasses import asdict

from tools.errors import UserError
from tools.line.station import bays, checks
from tools.line.verbs import arguments
from tools.line.verbs.burn import journal

MARKS = {True: "ok  ", False: "BAD ", None: "note"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("job", nargs="?", help="look at this job's files and product too")
    parser.add_argument("--bay", action="append", metavar="NAME=PORT", default=[])
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    findings = list(_findings(args))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(
                f"{MARKS[finding.good]} {finding.what:<11} {finding.found}"
                + (f": {finding.advice}" if finding.advice else "")
            )
    return int(any(finding.good is False for finding in findings))


def _findings(args):
    try:
        at = arguments.station(args)
        yield checks.Finding(
            "station",
            True if not at.desk else None,
            at.name + ("" if not at.desk else ", a desk"),
            "" if not at.desk else "no job key is pinned here",
        )
    except UserError as error:
        yield checks.Finding("station", False, str(error), "mend the station file")
        return
    try:
        places = arguments.places(args, at)
    except UserError as error:
        yield checks.Finding("bay", False, str(error), "")
        return
    yield from checks.ports(bays.plugged(), places)
    yield from checks.modes(at, args.job)
    wanted = None
    if args.job:
        try:
            wanted = arguments.load_job(args.job, at)
            yield from checks.firmware(wanted)
        except UserError as error:
            yield checks.Finding("job", False, str(error), "no board is burned with it")
    try:
        url, key = arguments.url(args, at, wanted), arguments.key(args, at)
    except UserError as error:
        yield checks.Finding("ledger", False, str(error), "")
        return
    yield from checks.ledger(url, key, wanted)
    yield from checks.room(journal(at))
    if url.drivername == "sqlite" and os.path.exists(url.database):
        yield from checks.room(url.database)
