"""`line product`: a product certificate, whose devices register themselves."""

import argparse
import getpass
import os
import sys

from tools.errors import UserError
from tools.image.identity import endpoint, id2
from tools.line import device_names
from tools.line.ledger.entries import Product
from tools.line.ledger.seal import Secret
from tools.line.verbs import arguments

VARIABLE = "ALIOT_PRODUCT_SECRET"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("product_key", metavar="KEY")
    parser.add_argument(
        "--rule",
        choices=[*device_names.MAC_RULES, device_names.SERIAL_RULE],
        default="mac",
        help="how a board gets its DeviceName (default: mac, such as 240ac4000001)",
    )
    parser.add_argument(
        "--listed",
        action="store_true",
        help="use only DeviceNames that 'line names' took in (the product pre-registers)",
    )
    parser.add_argument(
        "--id2",
        action="store_true",
        help="an ID² product: its ProductSecret is the token with which its devices are provisioned",
    )


def run(args: argparse.Namespace) -> None:
    secret = read_secret()
    if args.id2:
        id2.check_token(secret.reveal())
    with arguments.open_ledger(args) as ledger:
        new = ledger.add_product(
            Product(args.product_key, "id2" if args.id2 else "product", args.rule, args.listed, secret),
            arguments.who(args),
        )
    print(f"product {args.product_key}: {'taken in' if new else 'known already'}, named by rule {args.rule}")


def read_secret() -> Secret:
    """The ProductSecret from the environment, a prompt, or a line on standard input; never an argument."""
    text = os.environ.get(VARIABLE)
    if not text:
        text = getpass.getpass("ProductSecret: ") if sys.stdin.isatty() else sys.stdin.readline()
    text = text.strip().removeprefix("\ufeff")
    problem = (
        endpoint.wrong("product_secret", text, "the ProductSecret") if text else "no ProductSecret was given"
    )
    if problem:
        raise UserError(f"{problem}: type it, pipe it in, or set {VARIABLE}")
    return Secret(text)
