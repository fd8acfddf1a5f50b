"""`line gateway`: which products the sub-devices of a gateway have."""

import argparse

from tools.errors import UserError
from tools.image.identity import own
from tools.line.intake import tables
from tools.line.verbs import arguments
from tools.secrets import mask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("product_key", metavar="KEY", help="the gateway's own product")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--sub",
        metavar="CSV",
        help="ProductKey and, for products whose devices register by proxy, ProductSecret of each product; "
        "takes the place of those that were there",
    )
    what.add_argument("--none", action="store_true", help="it is no gateway any more")


def run(args: argparse.Namespace) -> None:
    subs = tables.sub_products(tables.load(args.sub)) if args.sub else ()
    with arguments.open_ledger(args) as ledger:
        if args.sub or args.none:
            if args.sub:
                _check(subs, args.product_key)
            ledger.set_sub_products(args.product_key, subs, arguments.who(args))
        found = ledger.product(args.product_key, with_secret=True).sub_products
    print(
        f"gateway {args.product_key}: {len(found) or 'no'} product{'' if len(found) == 1 else 's'} of sub-devices"
    )
    for key, secret in found:
        print(f"  {key}" + ("" if secret is None else f"  {mask(secret.reveal())}"))
    if args.sub or args.none:
        print("boards that were burned before get this when they come to a station again")


def _check(subs, product_key):
    if not subs:
        raise UserError("there is no product in it, only a header; --none takes all away")
    own.check_products(subs, product_key)
