"""The arguments that all sub-verbs share: the station file, the ledger and its key, and the operator."""

import argparse
import getpass
import os

import sqlalchemy as sa

from tools.errors import UserError
from tools.line import job_signature
from tools.line.job import Job
from tools.line.ledger import connection, seal
from tools.line.ledger.connection import URL_VARIABLE, Patience
from tools.line.ledger.entries import Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Key
from tools.line.station import bays, station_file
from tools.line.station.station_file import Bay, Station


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which ledger, and who."""
    group = parser.add_argument_group("ledger")
    group.add_argument(
        "--ledger",
        metavar="URL",
        help="sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE; "
        f"otherwise the job's, the station file's, {URL_VARIABLE}, or a file in the home folder; "
        "on a station only the station file's, or the job's",
    )
    group.add_argument(
        "--key-file",
        metavar="FILE",
        help=f"the ledger's key (mode 0600); otherwise the station "
        f"file's, {seal.KEY_FILE_VARIABLE} or {seal.KEY_VARIABLE}",
    )
    group.add_argument(
        "--operator", metavar="NAME", help="who is at work (ALIOT_OPERATOR, or the login name)"
    )
    group.add_argument("--station-file", metavar="FILE", help=f"on a machine without {station_file.PLACE}")


def station(args: argparse.Namespace) -> Station:
    return station_file.find(args.station_file, station_file.PLACE)


def load_job(path: str, at: Station) -> Job:
    """The job in a file, signed with the key that the station pins; on a desk, where none is, any job."""
    return job_signature.load_unsigned(path) if at.job_key is None else job_signature.load(path, at.job_key)


def who(args: argparse.Namespace, at: Station | None = None) -> Who:
    name = args.operator or os.environ.get("ALIOT_OPERATOR") or _login()
    return Who((at or station(args)).name, name[:64])


def _login():
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def url(args: argparse.Namespace, at: Station, job: Job | None = None) -> sa.URL:
    """The ledger's URL by the order of the help text; a password may not come from the command line.

    On a station its file decides, and where that names none, the job, whose signature was checked.
    """
    if at.fixed:
        _fixed(at, args.ledger, "--ledger", 'ledger = "URL"')
        found = at.ledger or (job and not at.desk and job.ledger)
        if not found:
            raise UserError(
                f'station file {at.path} names no ledger, and nothing else counts here: add ledger = "URL" to it'
            )
        return connection.parse_url(found)
    if args.ledger:
        return connection.parse_url(args.ledger, from_command_line=True)
    found = (job and job.ledger) or at.ledger or os.environ.get(URL_VARIABLE) or connection.default_url()
    return connection.parse_url(found)


def key(args: argparse.Namespace, at: Station) -> Key | None:
    if at.fixed:
        _fixed(at, args.key_file, "--key-file", 'key_file = "FILE"')
        return seal.find_key(at.key_file, environ={})
    return seal.find_key(args.key_file or at.key_file)


def places(args: argparse.Namespace, at: Station) -> tuple[Bay, ...]:
    """The bays that the command line or the station file names; () for every USB port."""
    if at.fixed:
        _fixed(at, args.bay, "--bay", "bays = [ ... ]")
        return at.bays
    return bays.parse(args.bay) or at.bays


def _fixed(at, given, option, setting):
    """UserError when the command line says what only the station file says."""
    if given:
        raise UserError(
            f"{option} does not count on a station: leave it away, and say {setting} in {at.path}"
        )


def open_ledger(
    args: argparse.Namespace, job: Job | None = None, with_key: bool = True, patience: Patience = Patience()
) -> Ledger:
    """The open Ledger that the arguments, the job and the station file say."""
    at = station(args)
    return Ledger.open(url(args, at, job), key(args, at) if with_key else None, patience)
