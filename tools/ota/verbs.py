"""Releases over the air: keys, packages of files and firmware, their signatures."""

import argparse
import os
from pathlib import Path

from tools import actions, boards, files, passphrase
from tools.errors import UserError
from tools.flash import leaks
from tools.image import application, device_files, updates
from tools.ota import app_image, keys, package
from tools.ota.manifest import Manifest

LEAST = "1.24"  # of MicroPython, that aliot runs on
# what stays on the board as it is, and is no part of a release
STAYS = ("boot.py", "config.json")
STAYS_BELOW = ("roots/", "aliot/keys/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions.add_arguments(parser, _ACTIONS)


run = actions.run


def _passphrase(args, new=False):
    return passphrase.read(
        args.passphrase_file, new=new, variable=keys.VARIABLE, key="the key that signs packages"
    )


def _key_arguments(parser):
    parser.add_argument("folder", metavar="FOLDER", help="where the key goes")
    parser.add_argument(
        "--bits", type=actions.whole_number, default=2048, help="size of the RSA key: 2048 (default), 3072"
    )
    passphrase.add_argument(parser, keys.VARIABLE)


def _key(args):
    folder = Path(args.folder)
    keys.refuse_bad_request(folder, args.bits)
    public = keys.create(folder, _passphrase(args, new=True), args.bits)
    actions.report(
        args,
        {"folder": str(folder), "key": updates.key_id(public), "bits": args.bits},
        [
            f"key {updates.key_id(public)}: RSA {args.bits}, in {folder}",
            f"  keep   {folder} and the passphrase, with a copy elsewhere: boards take no package without them",
            f"  next   make flash ARGS='--ota-key {folder / keys.PUBLIC}' puts {keys.PUBLIC} on a board",
        ],
    )


def _pack_arguments(parser):
    parser.add_argument(
        "--files", metavar="DIR", help="the application's folder, as make flash FILES=DIR has it"
    )
    parser.add_argument(
        "--firmware",
        metavar="IMAGE",
        help="the image of an application, for boards with OTA partitions; without --files it comes alone",
    )
    parser.add_argument(
        "--release", required=True, metavar="NAME", help="version that devices publish, e.g. 1.2.0"
    )
    parser.add_argument(
        "--number",
        required=True,
        type=actions.whole_number,
        help="number of the release; a board takes none lower",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the package to write")
    parser.add_argument(
        "--product",
        metavar="PRODUCT_KEY",
        action="append",
        default=[],
        help="for this product; may be repeated",
    )
    parser.add_argument(
        "--board",
        help="only for boards with the chip of this board; with --firmware, whose slots it goes into",
    )
    parser.add_argument(
        "--without",
        metavar="PATH",
        action="append",
        default=[],
        help="leave out a file or folder of the tree, e.g. aliot/id2; may be repeated",
    )
    parser.add_argument(
        "--delete",
        metavar="PATH",
        action="append",
        default=[],
        help="a file of the board, outside of all releases, that goes once this one is good; may be repeated",
    )
    parser.add_argument("--rollback", action="store_true", help="it may replace a release of a higher number")
    parser.add_argument(
        "--least", default=LEAST, metavar="VERSION", help="least release of MicroPython (default %(default)s)"
    )
    parser.add_argument(
        "--store",
        type=actions.whole_number,
        default=1,
        help="format of what the release stores (default %(default)s)",
    )


def _pack(args):
    target = _target(args.out, args.files, "the application's folder")
    image = _image(args)
    tree, stays = _tree(args.files, args.without)
    manifest = Manifest(
        args.release,
        args.number,
        package.mpy_version(tree),  # of firmware alone: what it has to run
        args.store,
        args.least,
        tuple(args.product),
        boards.load(args.board).chip.upper() if args.board else "",
        args.rollback,
        tuple(args.delete),
        image.version if image else "",
    )
    alone = image and not args.files
    if alone and args.without:
        raise UserError("a package of firmware alone leaves out nothing: --without goes with --files")
    made = package.pack({} if alone else tree, manifest, image.data if image else b"")
    data = made.encode()
    files.write(target, data)
    actions.report(
        args,
        {**_plain(made), "path": args.out, "bytes": len(data), "stays": stays},
        [
            f"{args.out}: release {args.release}, number {args.number}, {_amount(made)}",
            *(f"  {path} of the board stays as it is: no part of a release" for path in stays),
            f"  next   python -m tools ota sign {args.out} --key FOLDER",
        ],
    )


def _image(args):
    """The `AppImage` that --firmware names, or None."""
    if not args.firmware:
        return None
    if not args.board:
        raise UserError("--firmware needs --board, the board whose slots it goes into")
    return app_image.read(args.firmware, boards.load(args.board))


def _tree(folder, without):
    """({path in the tree: bytes} of a release, [path] of the application that stays out of it)."""
    own = application.read(folder) if folder else None
    leaks.refuse({**application.release(), **(own.sources if own else {})})
    compiled = own.compiled() if own else {}
    leaks.refuse(compiled)
    tree = {_place(path): data for path, data in {**device_files.compile_tree(), **compiled}.items()}
    stays = sorted(path for path in tree if path in STAYS or path.startswith(STAYS_BELOW))
    for path in without:
        gone = [name for name in tree if name == path or name.startswith(path.rstrip("/") + "/")]
        if not gone:
            raise UserError(f"--without {path}: the release has no such file or folder")
        stays += gone
    shown = [path for path in stays if "/" + path in compiled and path != "boot.py"]
    return {path: data for path, data in tree.items() if path not in stays}, shown


def _place(path):
    """Where a file of a board lies in a tree: what is in /lib is found at the top, where alone a board looks."""
    return path[1:].removeprefix("lib/")


def _sign_arguments(parser):
    parser.add_argument("package", metavar="PACKAGE", help="what 'ota pack' wrote")
    parser.add_argument("--key", required=True, metavar="FOLDER", help="the folder that 'ota key' made")
    parser.add_argument(
        "--out", metavar="FILE", help="where the signed package goes; in its place by default"
    )
    passphrase.add_argument(parser, keys.VARIABLE)


def _sign(args):
    found = package.read(args.package)
    out = args.out or args.package
    target = _target(out, args.key, "the folder of the key")
    signed = found.signed(keys.unlock(args.key, _passphrase(args)))
    files.write(target, signed.encode())
    actions.report(
        args,
        {**_plain(signed), "path": out},
        [f"{out}: release {signed.manifest.release} signed by {signed.key}"],
    )


def _target(out, folder, what):
    """The file that becomes a package, behind symbolic links. UserError when something else would be lost."""
    target = Path(os.path.realpath(out))
    if folder and target.is_relative_to(os.path.realpath(folder)):
        raise UserError(f"{out} lies in {folder}, {what}: name a place outside of it")
    if target.exists() and not (target.is_file() and package.is_one(target)):
        raise UserError(
            f"{out} is there already and is no package; nothing is overwritten, name another file"
        )
    return target


def _inspect_arguments(parser):
    parser.add_argument("package", metavar="PACKAGE")


def _inspect(args):
    found = package.read(args.package)
    one = found.manifest
    lines = [f"release {one.release}, number {one.number}, {_amount(found)}"]
    lines.append(f"  signed by   {found.key or 'nobody'}")
    lines.append(f"  for         {', '.join((*one.products, *([one.board] if one.board else ())))}")
    lines.append(f"  needs       MicroPython {one.least}, .mpy {one.mpy}, store {one.store}")
    if one.firmware:
        lines.append(f"  firmware    {one.firmware}, an image of {one.image_size} bytes")
    if one.rollback:
        lines.append("  rollback    it may replace a release of a higher number")
    lines += [f"  deletes     {path}" for path in one.delete]
    lines += [f"  {file.size:>9}   {file.path}" for file in one.files]
    actions.report(args, {**_plain(found), "files": {file.path: file.size for file in one.files}}, lines)


def _verify_arguments(parser):
    parser.add_argument("package", metavar="PACKAGE")
    parser.add_argument("--key", required=True, metavar="FILE", help="the public key, ota.pub")


def _verify(args):
    public = updates.read_public(args.key)
    found = package.read(args.package)
    found.check(public)
    actions.report(args, _plain(found), [f"{args.package}: good, signed by {found.key}, {_amount(found)}"])


def _amount(found):
    one = found.manifest
    parts = [f"firmware {one.firmware}"] if one.firmware else []
    parts += [f"{len(one.files)} files"] if one.files else []
    return f"{', '.join(parts)}, {one.size} bytes"


def _plain(found):
    one = found.manifest
    return {
        "release": one.release,
        "number": one.number,
        "products": list(one.products),
        "board": one.board,
        "mpy": one.mpy,
        "store": one.store,
        "least": one.least,
        "rollback": one.rollback,
        "delete": list(one.delete),
        "firmware": one.firmware,
        "key": found.key,
        "size": one.size,
    }


_ACTIONS = {
    "key": (_key, "make a key that signs packages, its private half encrypted", _key_arguments),
    "pack": (_pack, "make a package of the files that make flash writes, or of firmware", _pack_arguments),
    "sign": (_sign, "sign a package", _sign_arguments),
    "inspect": (_inspect, "show what a package holds", _inspect_arguments),
    "verify": (_verify, "check a package's signature and every file of it", _verify_arguments),
}
