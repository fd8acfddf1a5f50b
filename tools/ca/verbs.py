"""A private CA for X.509 products: make it, prove it, issue, associate, list, check."""

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tools import actions, certificates, files, passphrase
from tools.ca import (
    association,
    authority,
    check,
    delivery,
    device_list,
    issue,
    keys,
    names,
    rules,
)
from tools.ca.authority import Authority
from tools.errors import UserError

_SHOWN = 20  # faulty rows printed of a list of devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions.add_arguments(parser, _ACTIONS)


run = actions.run


def _folder(parser):
    parser.add_argument("folder", metavar="FOLDER", help="the CA's folder")


def _init_arguments(parser):
    _folder(parser)
    passphrase.add_argument(parser)
    parser.add_argument(
        "--name", required=True, help="name of the CA, 4 to 30 letters, digits and underscores"
    )
    parser.add_argument(
        "--bits",
        type=actions.whole_number,
        default=2048,
        help="size of its RSA key: 2048 (default), 3072, 4096",
    )
    parser.add_argument(
        "--days",
        type=actions.whole_number,
        default=authority.DAYS,
        help=f"its life, {authority.DAYS} by default",
    )
    parser.add_argument("--organization", metavar="O", help="organization in its subject")
    parser.add_argument("--country", metavar="C", help="country in its subject, two letters")


def _init(args):
    folder = Path(args.folder)
    authority.refuse_bad_request(folder, args.name, args.bits, args.days, args.country)
    secret = passphrase.read(args.passphrase_file, new=True)
    ca = authority.create(
        folder,
        args.name,
        secret,
        bits=args.bits,
        days=args.days,
        organization=args.organization,
        country=args.country,
    )
    actions.report(
        args,
        {"folder": str(folder), "name": ca.name, "serial": ca.serial, "not_after": ca.not_after},
        [
            f"CA {ca.name}: serial {ca.serial}, RSA {args.bits}, good until {_date(ca.not_after)}",
            f"  upload {folder}/ca.cer to the console under the name {ca.name}",
            f"  keep   {folder} and the passphrase, with a copy elsewhere; nothing is issued without them",
            f"  next   python -m tools ca verify {folder} --code CODE --out verify.cer",
        ],
    )


def _verify_arguments(parser):
    _folder(parser)
    passphrase.add_argument(parser)
    parser.add_argument("--code", required=True, help="the registration code that the console shows")
    parser.add_argument("--out", metavar="FILE", default="verify.cer", help="verify.cer by default")
    parser.add_argument(
        "--days", type=actions.whole_number, help=f"its life, {authority.VERIFICATION_DAYS} by default"
    )


def _verify(args):
    ca = Authority(args.folder)
    out = Path(args.out)
    fault = names.code_fault(args.code.strip())
    refused = rules.file_ending(out.suffix) + (certificates.error(fault) if fault else [])
    if refused:
        raise UserError(refused[0].text)
    if out.exists():
        raise UserError(f"{out} is there already; name another file with --out")
    ca.unlock(passphrase.read(args.passphrase_file))
    certificate = ca.verification(args.code, args.days)
    files.write(out, certificates.pem("CERTIFICATE", certificate))
    actions.report(
        args,
        {"path": str(out), "code": args.code.strip()},
        [
            f"{out}: the verification certificate of CA {ca.name}, SHA-512",
            f"  upload it beside {args.folder}/ca.cer while the console still shows this code",
        ],
    )


def _issue_arguments(parser):
    _folder(parser)
    passphrase.add_argument(parser)
    parser.add_argument(
        "--product", metavar="PRODUCT_KEY", help="ProductKey of the device, or of all in the CSV"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--device", metavar="DEVICE_NAME", help="issue to one device")
    what.add_argument(
        "--csv", metavar="FILE", help="issue to all devices of a CSV with ProductKey, DeviceName"
    )
    parser.add_argument(
        "--csr", metavar="FILE", help="certify the key of this signing request (with --device)"
    )
    parser.add_argument(
        "--out", metavar="DIR", default="issued", help="where the pairs go, 'issued' by default"
    )
    parser.add_argument(
        "--bits",
        type=actions.whole_number,
        default=2048,
        choices=keys.SIZES,
        help="size of the keys made here",
    )
    parser.add_argument(
        "--days", type=actions.whole_number, help=f"life, {authority.DEVICE_DAYS} or the CA's rest by default"
    )
    parser.add_argument("--renew", action="store_true", help="issue another one to a device that has one")
    parser.add_argument(
        "--workers", type=actions.whole_number, help="processes that make keys, one per core by default"
    )


def _issue(args):
    wanted = _wanted(args)
    key = keys.from_request(files.read(args.csr, 1 << 20), args.csr) if args.csr else None
    if args.bits > 2048:
        print(
            f"warning: {args.bits}-bit keys need more memory and time on a board than 2048", file=sys.stderr
        )
    ca = Authority(args.folder)
    with delivery.open_folder(args.out, ca) as folder:
        new, here, elsewhere = folder.sort(wanted, args.renew)
        if args.device and elsewhere:
            row = elsewhere[0]
            raise UserError(
                f"{row.product_key},{row.device_name} already has certificate {row.serial}, which is not "
                f"in {args.out}; --renew issues another one beside it"
            )
        folder.refuse_taken(new)
        paths = _issue_new(args, ca, folder, new, key) if new else []
    actions.report(
        args,
        {"issued": paths, "already_here": len(here), "already_elsewhere": len(elsewhere)},
        _issue_lines(args, paths, here, elsewhere, folder.finished),
    )


def _wanted(args):
    if args.csr and not args.device:
        raise UserError("--csr is for one device; name it with --device")
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers is 1 or more, not {args.workers}")
    if args.device is not None:
        fault = names.product_key_fault(args.product) if args.product else "--device needs --product"
        fault = fault or names.device_name_fault(args.device)
        if fault:
            raise UserError(fault)
        return [(args.product, args.device)]
    warned = []
    wanted, faults = device_list.read(args.csv, args.product, warned.append)
    for line in warned[:_SHOWN]:
        print(f"warning: {line}", file=sys.stderr)
    for fault in faults[:_SHOWN]:
        print(fault, file=sys.stderr)
    if faults:
        more = f" ({len(faults) - _SHOWN} not shown)" if len(faults) > _SHOWN else ""
        raise UserError(f"{len(faults)} bad rows in {args.csv}{more}; nothing was issued")
    return wanted


def _issue_new(args, ca, folder, new, key):
    ca.unlock(passphrase.read(args.passphrase_file))
    paths = []
    console = Console(stderr=True)
    with (
        keys.KeySource(0 if key else len(new), args.bits, args.workers) as source,
        Progress(console=console, disable=not console.is_terminal, transient=True) as progress,
    ):
        task = progress.add_task("issuing", total=len(new))
        for issued in issue.issue_many(
            ca, new, iter([key]) if key else source, days=args.days, renew=args.renew, keep=folder.stage
        ):
            delivered = folder.deliver(issued.stem, issued.serial)
            paths.append(
                {
                    "product_key": issued.product_key,
                    "device_name": issued.device_name,
                    "serial": issued.serial,
                    "not_after": issued.not_after,
                    "files": [str(path) for path in delivered],
                }
            )
            progress.advance(task)
    return paths


def _issue_lines(args, paths, here, elsewhere, finished):
    if finished:
        yield f"finished {finished} of a run that was stopped"
    if args.device and paths:
        one = paths[0]
        device, until = f"{one['product_key']},{one['device_name']}", _date(one["not_after"])
        yield f"{device}: serial {one['serial']}, good until {until}"
        yield from (f"  {file}" for file in one["files"])
        return
    if args.device and here:
        yield f"{args.product},{args.device} has certificate {here[0].serial} in {args.out} already"
        yield "  another one beside it: --renew with another --out"
        return
    yield f"issued {len(paths)} into {args.out}"
    if here:
        yield f"  {len(here)} were there already"
    if elsewhere:
        yield f"  {len(elsewhere)} have a certificate elsewhere; --renew issues another one beside it"


def _associate_arguments(parser):
    _folder(parser)
    parser.add_argument("--out", metavar="DIR", default=".", help="where the files go, here by default")
    parser.add_argument("--product", metavar="PRODUCT_KEY", help="only this product")
    parser.add_argument("--all", action="store_true", help="also what an earlier association file holds")
    parser.add_argument(
        "--rows", type=actions.whole_number, default=association.MOST, help="rows in a file, 10000 at most"
    )


def _associate(args):
    ca = Authority(args.folder)
    written = association.write(ca, args.out, args.product, args.all, args.rows)
    lines = [f"{path}: {_rows(count)}" for path, count in written]
    lines += (
        ["  upload each under X.509 of its product in the console"]
        if written
        else ["nothing new since the last association file; --all writes everything again"]
    )
    actions.report(args, [{"path": str(path), "rows": count} for path, count in written], lines)


def _list_arguments(parser):
    _folder(parser)
    parser.add_argument("--product", metavar="PRODUCT_KEY", help="only this product")
    parser.add_argument(
        "--within", metavar="DAYS", type=actions.whole_number, help="only what ends within so many days"
    )
    parser.add_argument(
        "--all", action="store_true", help="also certificates that a newer one of the device replaced"
    )


def _list(args):
    ca = Authority(args.folder)
    now = ca.clock()
    rows = [
        row
        for row in ca.ledger.rows(product_key=args.product, newest_only=not args.all)
        if args.within is None or certificates.days_left(row.not_after, now) <= args.within
    ]
    held = [
        {
            "product_key": row.product_key,
            "device_name": row.device_name,
            "serial": row.serial,
            "not_after": row.not_after,
            "days_left": certificates.days_left(row.not_after, now),
            "key": row.key_origin,
            "associated": row.association is not None,
        }
        for row in rows
    ]
    about = {
        "name": ca.name,
        "serial": ca.serial,
        "not_after": ca.not_after,
        "days_left": certificates.days_left(ca.not_after, now),
        "ledger": ca.ledger.counts(),
    }
    if args.json:
        print(json.dumps({"ca": about, "certificates": held}))
        return
    print(f"CA {ca.name}, serial {ca.serial}: {_left(about['days_left'])}")
    if held:
        print("\n".join(_table(held)))


def _table(held):
    """The lines of a table of certificates, each column as wide as it must be."""
    rows = [("ProductKey", "DeviceName", "CertSN", "good until", "days left", "key", "associated")]
    for one in held:
        left = str(one["days_left"]) if one["days_left"] >= 0 else "ended"
        uploaded = "yes" if one["associated"] else "no"
        names_of = one["product_key"], one["device_name"], one["serial"]
        rows.append((*names_of, _date(one["not_after"]), left, one["key"], uploaded))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rows(count):
    return "1 row" if count == 1 else f"{count} rows"


def _left(days):
    return f"{days} days left" if days >= 0 else "ended"


def _check_arguments(parser):
    parser.add_argument("files", metavar="FILE", nargs="+", help="certificates, keys, association files")
    parser.add_argument(
        "--as", dest="kind", choices=check.KINDS, help="what they are, else it is seen from each"
    )
    parser.add_argument(
        "--ca", metavar="CA", help="the CA's folder or certificate, to check signatures and serials"
    )
    parser.add_argument("--code", help="the registration code that a verification certificate must carry")
    parser.add_argument("--name", help="the name for the CA in the console")


def _check(args):
    ca, ledger = check.read_ca(args.ca, time.time) if args.ca else (None, None)
    checker = check.Checker(time.time(), ca, ledger, args.code, args.name)
    reports = [checker.check(path, args.kind) for path in args.files]
    actions.report(
        args, [report.plain() for report in reports], (line for report in reports for line in report.lines())
    )
    bad = sum(not report.good for report in reports)
    if bad:
        raise UserError(
            f"{bad} of {len(reports)} files would be refused"
            if len(reports) > 1
            else f"{reports[0].path} would be refused"
        )


def _date(seconds):
    return f"{certificates.moment(seconds):%Y-%m-%d}"


_ACTIONS = {
    "init": (_init, "make a private CA, its key encrypted", _init_arguments),
    "verify": (_verify, "make the verification certificate for a registration code", _verify_arguments),
    "issue": (_issue, "issue certificates to one device or to all of a CSV", _issue_arguments),
    "associate": (_associate, "write the association files to upload", _associate_arguments),
    "list": (_list, "list certificates with the days they have left", _list_arguments),
    "check": (_check, "check files by the rules of the console before they are uploaded", _check_arguments),
}
