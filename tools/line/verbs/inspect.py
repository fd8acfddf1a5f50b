"""`line inspect`: everything the ledger knows of one board or name; secrets masked."""

import argparse
import json
from dataclasses import fields

from tools.line import device_names, identities
from tools.line.verbs import arguments, board

WIDTH = 80  # columns; a note that does not fit has a line of its own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    board.add_arguments(parser)
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> None:
    with arguments.open_ledger(args) as ledger:
        found = board.find(ledger, args, void_too=True)
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
