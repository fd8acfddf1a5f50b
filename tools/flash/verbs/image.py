"""The verb `image`: a flash image from an identity, roots and settings, for factories and emulated boards."""

import argparse
import json
from pathlib import Path

from tools import boards, secrets
from tools.flash import file_list, leaks, settings
from tools.image import application, flash_image, identity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--board", default="ESP32_GENERIC", help="a folder of boards/ (default %(default)s)")
    parser.add_argument("--cert", metavar="FILE", help="identity to burn, as JSON")
    file_list.add_arguments(parser)
    parser.add_argument("--config", metavar="FILE", help="config.json for the board (Wi-Fi, endpoint)")
    parser.add_argument(
        "--firmware",
        metavar="FILE",
        help="put this stock MicroPython .bin in too, or the pinned one with 'pinned'",
    )
    parser.add_argument("--out", metavar="FILE", default="build/flash.bin", help="default %(default)s")
    parser.add_argument(
        "--anyway", action="store_true", help="go on outside the documented regions and editions"
    )
    parser.add_argument("--json", action="store_true", help="say what was built as JSON")


def run(args: argparse.Namespace) -> None:
    who = identity.load(args.cert) if args.cert else None
    warned = identity.check_availability(who, args.anyway) if who else None
    own = application.read(args.files) if args.files else None
    wanted = _wanted(own, args)
    image = flash_image.build(
        args.board, who, files=file_list.decide(wanted, lambda path: None).onto({}), with_firmware=False
    )
    pinned = args.firmware == "pinned"
    if args.firmware:
        image = with_firmware(image, args.board, None if pinned else args.firmware)
    secrets.write(args.out, image)
    report = {
        "file": args.out,
        "board": args.board,
        "size": len(image),
        "identity": who.masked() if who else None,
        "roots": [
            path.rpartition("/")[2] for path, source in wanted.sources.items() if source == file_list.ROOT
        ],
        "files": len(own.sources) if own else 0,
        "models": own.models() if own else {},
        "left_out": list(own.left_out) if own else [],
        "firmware": list(boards.load(args.board).origin) if pinned else args.firmware,
        "warning": warned,
        "not_in_it": None
        if args.firmware
        else "bootloader and application: flash a stock MicroPython image for those",
    }
    print(json.dumps(report) if args.json else _described(report))


def _wanted(own, args):
    """What `flash` would have on a board, a `files.Wanted`; `own`: an `application.Application` or None."""
    leaks.refuse({**application.release(), **(own.sources if own else {})})
    wanted = file_list.wanted(own, args.root, keys=args.ota_key, platform_key=args.platform_key)
    chosen = settings.merged(None, settings.given(args.config), whole=bool(args.config))
    wanted = wanted if chosen is None else wanted.with_config(chosen)
    leaks.refuse(wanted.tree)
    return wanted


def with_firmware(image: bytes, board: str, path: Path | str | None = None) -> bytes:
    """The image with the parts of a stock one in their places: all that a factory has to write, at offset 0.

    `path` is the stock .bin, None the pinned one.
    """
    from tools.flash import micropython_images

    whole = bytearray(image)
    for part in micropython_images.load(boards.load(board), path).parts:
        whole[part.offset : part.offset + len(part.data)] = part.data
    return bytes(whole)


def _described(report):
    lines = [f"{report['file']}: {report['size'] // 1024} KB for {report['board']}"]
    for name, value in (report["identity"] or {"identity": "none"}).items():
        lines.append(f"  {name}: {value}")
    if report["files"]:
        lines.append(f"  files of FILES: {report['files']}")
    lines += [f"  {name}: a TSL: {described}" for name, described in report["models"].items()]
    if report["left_out"]:
        lines.append(f"  left out of FILES: {', '.join(report['left_out'])}")
    if report["roots"]:
        lines.append(f"  extra roots: {', '.join(report['roots'])}")
    if isinstance(report["firmware"], list):
        lines += [f"  {line}" for line in report["firmware"]]
    if report["warning"]:
        lines.append(f"  warning: {report['warning']}")
    if report["not_in_it"]:
        lines.append(f"  not in it: {report['not_in_it']}")
    return "\n".join(lines)
