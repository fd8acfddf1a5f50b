"""The verb `explain`: what a board with this certificate signs and sends, to hold against the console or a log."""

import argparse
import json
import re
from typing import Any

from tools.diagnosis import signing
from tools.errors import UserError
from tools.image import identity

SHOWN = 8  # digits of a signature that are shown; the whole of it would let anybody connect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cert", metavar="CERT.json", help="the identity, as for `burn`")
    parser.add_argument("--mac", help="the board's MAC, where it takes the place of a DeviceName")
    parser.add_argument(
        "--timestamp", type=int, metavar="MS", help="the timestamp of the CONNECT to compare with"
    )
    parser.add_argument("--random", metavar="TEXT", help="the random of the registration to compare with")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="show signatures whole: whoever sees a CONNECT's password can connect as this device",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> None:
    if args.mac and not re.fullmatch(r"(?:[0-9A-Fa-f]{2}:?){5}[0-9A-Fa-f]{2}", args.mac):
        raise UserError(f"--mac {args.mac} is not six bytes in hex, like 24:0a:c4:00:00:01")
    if args.timestamp is not None and args.timestamp < 0:
        raise UserError("--timestamp is in milliseconds since 1970")
    who = identity.load(args.cert)
    found = [plain(step, args.whole) for step in signing.steps(who, args.mac, args.timestamp, args.random)]
    report = {"identity": who.masked(), "requests": found, "warning": who.warning()}
    print(json.dumps(report) if args.json else describe(report))


def plain(step: signing.Step, whole: bool = False) -> dict[str, Any]:
    """A step as a dict that may be shown: its signature is cut to eight digits unless `whole`."""
    fields = dict(step.fields)
    if step.signature and not whole:
        signature = fields[step.signature]
        fields[step.signature] = f"{signature[:SHOWN]}... ({len(signature)} hex digits)"
    return {
        "request": step.title,
        "host": step.host,
        "port": step.port,
        "roots": list(step.roots),
        "signed": step.text,
        "key": step.key,
        "method": step.method,
        "fields": fields,
        "then": step.then,
    }


def describe(report: dict[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in report["identity"].items()]
    if report["warning"]:
        lines.append(f"warning: {report['warning']}")
    for step in report["requests"]:
        where = (
            f"{step['host']}:{step['port']}, TLS by {' or '.join(step['roots'])}"
            if step["host"]
            else "where the answer says"
        )
        lines += ["", f"{step['request']} to {where}"]
        if step["key"]:
            lines += [
                f"  signed text   {step['signed']}",
                f"  key           the {step['key']}, as text",
                f"  method        {step['method']}",
            ]
        else:
            lines.append("  signed text   none: this request is not signed")
        lines += [f"  {name:<18}{value}" for name, value in step["fields"].items()]
        if step["then"]:
            lines.append(f"  then          {step['then']}")
    return "\n".join(lines)
