"""`line job keygen | sign | show`."""

import argparse
import json
import os

from tools import files
from tools.errors import UserError
from tools.line import job, job_signature
from tools.line.station import station_file
from tools.line.verbs import arguments

PASSPHRASE = "ALIOT_JOB_PASSPHRASE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(dest="job_verb", metavar="keygen | sign | show", required=True)
    keygen = subparsers.add_parser(
        "keygen", help="make a signing key; its public half goes into station files"
    )
    keygen.add_argument(
        "key", help=f"file of the private key (0600); {PASSPHRASE} shuts it with a passphrase"
    )
    sign = subparsers.add_parser("sign", help="sign a job, with the hash of every file it names")
    sign.add_argument("job")
    sign.add_argument("--key", required=True, help="file of the private key")
    sign.add_argument("--out", help="default: the job's name with .signed before its suffix")
    show = subparsers.add_parser("show", help="show a job as the station would take it")
    show.add_argument("job")
    show.add_argument("--key", help="public key to believe (default: the one that this station pins)")
    show.add_argument("--station-file", metavar="FILE", help=f"on a machine without {station_file.PLACE}")
    show.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> None:
    return {"keygen": _keygen, "sign": _sign, "show": _show}[args.job_verb](args)


def _keygen(args):
    name = job_signature.keygen(args.key, os.environ.get(PASSPHRASE))
    print(
        f"made key {name}: {args.key} (private, keep it off the stations), "
        f"{args.key}.pub (into station files)"
    )


def _sign(args):
    stem, suffix = os.path.splitext(args.job)
    out = args.out or f"{stem}.signed{suffix}"
    if os.path.abspath(out) == os.path.abspath(args.job):
        raise UserError("--out is the job itself; the signed job is another file")
    key = job_signature.private_key(args.key, os.environ.get(PASSPHRASE))
    files.write(out, job_signature.sign(args.job, key), job.mode(job_signature.load_unsigned(args.job)))
    print(f"signed {out} with key {job_signature.fingerprint(key.public_key())}")


def _show(args):
    if args.key:
        try:
            with open(args.key) as file:
                public = job_signature.public_key(file.read(), args.key)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{args.key} cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        found = job_signature.load(args.job, public)
    else:
        at = arguments.station(args)
        found = arguments.load_job(args.job, at)
    table = job.shown(found)
    if args.json:
        print(json.dumps(table))
        return
    for name, value in table.items():
        shown = (
            ", ".join(value)
            if isinstance(value, list)
            else (", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value)
        )
        print(f"{name:<12} {shown}")
