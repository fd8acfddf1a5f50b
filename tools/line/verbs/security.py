"""`line security plan | show | burn | verify`."""

import argparse
import json
import os
import sys

from tools.chips import CHIPS
from tools.errors import UserError
from tools.image import identity
from tools.line import efuses, security, signature
from tools.line.ledger.connection import URL_VARIABLE
from tools.line.verbs import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(
        dest="security_verb", metavar="plan | show | burn | verify", required=True
    )
    plan = subparsers.add_parser("plan", help="make a plan for one chip; nothing is burned")
    _chip(plan)
    plan.add_argument("--measure", action="append", choices=security.MEASURES, required=True, dest="measures")
    plan.add_argument(
        "--own-build", action="store_true", help="the firmware is an own build with flash encryption"
    )
    plan.add_argument("--image", help="bootloader or application that is signed for secure boot v2")
    _keys(plan)
    plan.add_argument(
        "--block", type=int, choices=range(6), help="key block of a secret (default the last that is blank)"
    )
    plan.add_argument(
        "--encrypt",
        nargs=3,
        action="append",
        default=[],
        metavar=("OFFSET", "IMAGE", "OUT"),
        help="also encrypt an image for its flash offset with --flash-key",
    )
    plan.add_argument("--out", required=True, help="the plan, a JSON file")
    show = subparsers.add_parser("show", help="the plan in words")
    show.add_argument("plan")
    show.add_argument("--json", action="store_true")
    burn = subparsers.add_parser(
        "burn", help="say what would be burned; with --really, burn it after a typed confirmation"
    )
    burn.add_argument("plan")
    _chip(burn)
    _keys(burn)
    arguments.add_arguments(burn)
    burn.add_argument("--really", action="store_true", help="burn; it can never be undone")
    verify = subparsers.add_parser(
        "verify", help="compare a chip with the plan; exit 1 when something is missing"
    )
    verify.add_argument("plan")
    _chip(verify)
    _cert(verify)


def _chip(parser):
    parser.add_argument("--port", help="serial port or pyserial URL")
    parser.add_argument("--virt", metavar="FILE", help="virtual eFuses in a file (with --chip)")
    parser.add_argument("--chip", choices=CHIPS, default="auto")


def _keys(parser):
    _cert(parser)
    parser.add_argument("--flash-key", metavar="FILE", help="32 random bytes, made for this one chip")
    parser.add_argument("--signing-key", metavar="FILE", help="public key (PEM) of the image's signature")


def _cert(parser):
    parser.add_argument(
        "--cert", metavar="FILE", help="the identity (JSON) whose secret goes, or went, into a key block"
    )


def _secret(args, measures):
    """The key of --cert for a plan with a secret, else None."""
    if "secret" not in measures or not args.cert:
        return None
    return security.key_of(identity.load(args.cert))


def run(args: argparse.Namespace) -> None:
    return {"plan": _plan, "show": _show, "burn": _burn, "verify": _verify}[args.security_verb](args)


def _fuses(args, made=None):
    chip = made.chip if made and args.chip == "auto" else args.chip
    if args.virt and chip == "auto":
        raise UserError("virtual eFuses are of no chip by themselves: say --chip")
    return efuses.Fuses(chip, args.port, args.virt)


def _plan(args):
    secret = _secret(args, args.measures)
    with _fuses(args) as fuses:
        block = args.block
        if secret is not None and block is None and "secret" in CHIPS[fuses.chip].security:
            block = fuses.free_block()
        made = security.plan(
            fuses.chip,
            fuses.mac,
            args.measures,
            own_build=args.own_build,
            flash_key=args.flash_key,
            signing_key=args.signing_key,
            signed_image=args.image,
            secret=secret,
            block=block,
        )
        efuses.check(fuses, made, secret)
    for offset, image, out in args.encrypt:
        if not args.flash_key:
            raise UserError("--encrypt needs --flash-key")
        security.encrypt(image, _number(offset), args.flash_key, out, made.chip)
        print(f"encrypted {image} for {offset}: {out}")
    security.save(made, args.out)
    _print(made)
    print(f"wrote {args.out}; nothing was burned")


def _number(text):
    try:
        return int(text, 0)
    except ValueError:
        raise UserError(f"'{text}' is no flash offset such as 0x10000") from None


def _print(made):
    print(f"plan for {made.chip} {made.mac}: {', '.join(made.measures)}")
    for number, line in enumerate(made.lines(), 1):
        print(f"  {number}. {line}")
    for warning in made.warnings:
        print(f"  ! {warning}")


def _show(args):
    made = security.load(args.plan)
    if args.json:
        print(
            json.dumps(
                {
                    "chip": made.chip,
                    "mac": made.mac,
                    "measures": made.measures,
                    "steps": list(made.lines()),
                    "warnings": made.warnings,
                    "confirm": made.word,
                }
            )
        )
    else:
        _print(made)


def _burn(args):
    made = security.load(args.plan)
    secret = _secret(args, made.measures)
    with _fuses(args, made) as fuses:
        efuses.check(fuses, made, secret)
        _print(made)
        if not args.really:
            print("dry run: nothing was burned; --really burns it, for ever")
            return
        print(f"None of this can ever be undone. Type '{made.word}' to burn it: ", end="", flush=True)
        if sys.stdin.readline().strip() != made.word:
            raise UserError("not confirmed, nothing was burned")
        efuses.burn(fuses, made, args.flash_key, args.signing_key, secret)
    with _fuses(args, made) as fuses:
        _report(efuses.verify(fuses, made))
    for kind, block, *_ in made.steps:
        if kind == "secret":
            _note(args, made, block)
            print(
                f'burn the identity with "key_block": {block[-1]} in place of its secret; when the board has its '
                "firmware, 'line security verify' with --port and --cert has it sign"
            )


def _note(args, made, block):
    """The ledger, where one is named, says from now on where the secret of this board is."""
    if not (args.ledger or os.environ.get(URL_VARIABLE)):
        return
    with arguments.open_ledger(args, with_key=False) as ledger:
        row = ledger.find(mac=made.mac)
        if row is None:
            raise UserError(f"the key is burned; the ledger knows no board {made.mac}, and has nothing of it")
        why = f"its secret is in KEY{block[-1]} and cannot be read: what else has it is this ledger and the console"
        ledger.note(row, "seal", arguments.who(args), why)


def _verify(args):
    made = security.load(args.plan)
    secret = _secret(args, made.measures)
    with _fuses(args, made) as fuses:
        _report(efuses.verify(fuses, made))
    for kind, block, *_ in made.steps:
        if kind == "secret" and secret is not None and args.port:
            signature.check(args.port, int(block[-1]), secret)
            print(f"verified: the board signs with KEY{block[-1]} as the secret does")


def _report(missing):
    if missing:
        raise UserError(f"the chip is not as planned: {'; '.join(missing)}")
    print("verified: the chip is as planned")
