"""`line inspect | void | release`: one identity, which `--mac` or `--name` means."""

import argparse
import json
import sys
from dataclasses import fields

from tools.errors import UserError
from tools.line import device_names, identities
from tools.line.ledger.entries import Identity
from tools.line.ledger.ledger import Ledger
from tools.line.verbs import arguments

WIDTH = 80  # columns; a note that does not fit has a line of its own


def _add_which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--mac", help="the board's MAC")
    which.add_argument("--name", help="the DeviceName")
    parser.add_argument(
        "--product", metavar="KEY", help="the product of --name, where several have that name"
    )


def _find(ledger: Ledger, args: argparse.Namespace, void_too: bool = False) -> Identity:
    """The Identity. UserError when there is none, or more than one. `void_too`: also by the MAC it once
    had.
    """
    if args.mac:
        mac = device_names.mac(args.mac)
        found = ledger.find(mac=mac)
        if found is None and void_too:
            found = next((row for row in reversed(ledger.list(states=["void"])) if row.last_mac == mac), None)
        if found is None:
            raise UserError(f"no identity is bound to board {device_names.colons(mac)}")
        return found
    keys = [args.product] if args.product else [product.product_key for product in ledger.products()]
    rows = [row for row in (ledger.find(product_key=key, device_name=args.name) for key in keys) if row]
    if not rows:
        raise UserError(f"the ledger has no DeviceName {args.name}")
    if len(rows) > 1:
        raise UserError(
            f"several products have a {args.name}: say which with --product "
            + " or ".join(row.product_key for row in rows)
        )
    return rows[0]


def add_inspect(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    _add_which(parser)
    parser.add_argument("--json", action="store_true")


def run_inspect(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args) as ledger:
        found = _find(ledger, args, void_too=True)
        if ledger.seal.key or ledger.plain:
            key, name = found.product_key, found.device_name
            found = ledger.find(product_key=key, device_name=name, with_secrets=True) or found
        events = [
            event
            for event in ledger.history(device_name=found.device_name)
            if event["product_key"] == found.product_key
        ]
        kept = ledger.has_issued(found)
    facts = {
        field.name: getattr(found, field.name)
        for field in fields(found)
        if field.name not in ("secrets", "id")
    }
    facts |= identities.shown(found.secrets) | {"issued_backup": kept}
    for name in ("mac", "last_mac"):
        facts[name] = facts[name] and device_names.colons(facts[name])
    if args.json:
        print(json.dumps(facts | {"events": events}))
        return
    for name, value in facts.items():
        if value not in (None, ""):
            print(f"{name.replace('_', ' '):<16}{_plain(value)}")
    for event in events:
        step = f"{event['from_state']} -> {event['to_state']}" if event["to_state"] else ""
        line = f"  {event['at']}  {event['action']:<8} {step:<22} {event['station']}/{event['operator']}"
        note = device_names.printable(event["note"] or "")
        print(
            line
            + (
                f"  {note}"
                if note and len(line) + len(note) < WIDTH - 1
                else f"\n      {note}"
                if note
                else ""
            )
        )


def _plain(value):
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def add_void(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    _add_which(parser)
    parser.add_argument("--undo", action="store_true", help="take it back into use for the board that had it")
    parser.add_argument("--why", metavar="TEXT", help="goes into the ledger's events")
    parser.add_argument("--yes", action="store_true", help="do not ask for the DeviceName to be typed")


def run_void(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args, with_key=False) as ledger:
        found = _find(ledger, args, void_too=args.undo)
        if args.undo:
            changed = ledger.reopen(found, arguments.who(args), args.why)
            print(f"{changed.device_name} is {changed.state} again")
            return
        _confirm(args, f"{found.device_name} ({found.state}) will never be burned again", found.device_name)
        ledger.void(found, arguments.who(args), args.why)
        print(f"{found.device_name} is void")


def _confirm(args: argparse.Namespace, what: str, word: str) -> None:
    """Ask for `word` to be typed; UserError when it is not, or when nobody can be asked."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{what}; say --yes to do it without a question")
    if input(f"{what}. Type {word} to go on: ").strip() != word:
        raise UserError("not confirmed, nothing was changed")


def add_release(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    _add_which(parser)
    parser.add_argument("--why", metavar="TEXT", help="goes into the ledger's events")


def run_release(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args, with_key=False) as ledger:
        found = ledger.release(_find(ledger, args), arguments.who(args), args.why)
    print(f"{found.device_name} is free")
