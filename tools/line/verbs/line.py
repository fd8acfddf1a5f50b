"""The production line: identities in a ledger, boards at a station, labels and reports after it.

line init | intake | product | gateway | names  before the boards
line burn                                     the station
line status | report | labels | inspect       around it
line void | release | restore                 returns and rework
line job keygen | sign | show                 what the line makes, signed
line backup | restore-ledger | replay | rekey the ledger's own life
line security plan | show | burn | verify     eFuses
line doctor | demo                            what is wrong with this station; a line without hardware
"""

import argparse
import importlib

# sub-verb -> (module or module:verb, help); the module has add_arguments(parser) and run(args), one of several verbs
# add_VERB(parser) and run_VERB(args)
SUBVERBS = {
    "init": ("tools.line.verbs.init", "make a ledger, and the key that seals its secrets"),
    "intake": (
        "tools.line.verbs.intake",
        "take in devices: the console's CSV, X.509 certificates, ID² identities",
    ),
    "product": ("tools.line.verbs.product", "take in a product whose devices register themselves"),
    "gateway": ("tools.line.verbs.gateway", "say which products a gateway's sub-devices have"),
    "names": ("tools.line.verbs.names", "make DeviceNames, and the CSVs that pre-register them"),
    "burn": ("tools.line.verbs.burn", "the station: burn every board that is plugged in"),
    "status": ("tools.line.verbs.results:status", "how many identities are where"),
    "report": ("tools.line.verbs.results:report", "what the line did, as CSV, JSON or one HTML page"),
    "labels": ("tools.line.verbs.results:labels", "labels with QR codes for finished boards"),
    "inspect": ("tools.line.verbs.one_identity:inspect", "everything the ledger knows of one board or name"),
    "void": ("tools.line.verbs.one_identity:void", "take an identity out of use, or undo that"),
    "release": (
        "tools.line.verbs.one_identity:release",
        "give back an identity that never began to be written",
    ),
    "restore": ("tools.line.verbs.restore", "put a board's own identity back onto it"),
    "job": ("tools.line.verbs.job", "keys for jobs, signing and showing them"),
    "backup": ("tools.line.verbs.upkeep:backup", "copy the ledger while stations work"),
    "restore-ledger": ("tools.line.verbs.upkeep:restore_ledger", "bring a backup back to an empty place"),
    "replay": ("tools.line.verbs.upkeep:replay", "tell a ledger from a backup what was burned since"),
    "rekey": ("tools.line.verbs.upkeep:rekey", "seal every secret with a new key"),
    "security": ("tools.line.verbs.security", "eFuses and flash encryption: plan, show, burn, verify"),
    "demo": (
        "tools.demo.line",
        "a whole line without hardware: eight emulated boards, two faults, a dead station",
    ),
    "doctor": ("tools.line.verbs.doctor", "what is wrong with this station, and what to do"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(dest="subverb", metavar="SUBVERB", required=True)
    for name, (place, text) in SUBVERBS.items():
        sub = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        module, _, verb = place.partition(":")
        loaded = importlib.import_module(module)
        getattr(loaded, f"add_{verb or 'arguments'}")(sub)
        sub.set_defaults(run_subverb=getattr(loaded, f"run_{verb}" if verb else "run"))


def run(args: argparse.Namespace) -> int | None:
    return args.run_subverb(args)
