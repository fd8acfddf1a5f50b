"""The verb `flash`: a board from blank to running, or up to date with nothing lost."""

import argparse
import json
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tools import boards
from tools.errors import UserError
from tools.flash import (
    backup,
    console,
    file_list,
    leaks,
    micropython_images,
    open_board,
    plan,
    settings,
)
from tools.flash.flash_board import flash_board, look
from tools.flash.verbs.erase import add_consent, erase
from tools.image import application, burn, identity, journal, littlefs, owner, updates
from tools.image.config import PATH as CONFIG_PATH


def add_arguments(parser: argparse.ArgumentParser) -> None:
    open_board.add_arguments(parser)
    add_consent(parser)
    parser.add_argument(
        "--firmware", metavar="FILE", help="a stock MicroPython .bin; by default the pinned release"
    )
    file_list.add_arguments(parser)
    parser.add_argument("--cert", metavar="FILE", help="burn this identity too, as 'burn' does")
    parser.add_argument("--config", metavar="FILE", help="the board's config.json: all that is to be in it")
    parser.add_argument("--wifi", action="store_true", help="ask for the Wi-Fi's name and password")
    parser.add_argument(
        "--app", action="store_true", help="only the files: leave bootloader and application alone"
    )
    parser.add_argument(
        "--reset-files",
        action="store_true",
        help="write the release's files over those that you changed or put on the board, after saving yours",
    )
    parser.add_argument(
        "--keep-ota", action="store_true", help="let an update over the air that the board runs go on to run"
    )
    parser.add_argument("--relayout", action="store_true", help="go on when NVS or files have to move")
    parser.add_argument(
        "--drop-nvs",
        action="store_true",
        help="leave out NVS entries of other firmware, which are saved, when there is no room for them",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="make a new file system in place of an unreadable one"
    )
    parser.add_argument(
        "--erase", action="store_true", help="erase the whole chip first; the identity is saved"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="burn outside the documented regions and editions too"
    )
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=90.0,
        help="how long to follow the console, 0 for not at all (default %(default)g)",
    )
    parser.add_argument("--journal", metavar="DIR", help=journal.HELP)
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")


def run(args: argparse.Namespace) -> None:
    report = _Lines(args.json)
    if args.app and args.erase:
        raise UserError(
            "ARGS=--erase takes MicroPython away too, which 'make app' does not bring: say 'make flash'"
        )
    own = application.read(args.files) if args.files else None
    leaks.refuse({**application.release(), **(own.sources if own else {})})
    image = (
        micropython_images.load(boards.load(args.board), args.firmware)
        if args.board and not args.app
        else None
    )
    chosen = settings.given(args.config, args.wifi)
    tree = file_list.wanted(own, args.root, args.reset_files, args.ota_key, args.platform_key)
    tree = replace(tree, drop=()) if args.keep_ota else tree
    who = identity.load(args.cert) if args.cert else None
    warning = identity.check_availability(who, args.anyway) if who else None

    with open_board.opened(args) as (loader, board):
        started = time.monotonic()
        image = image or (None if args.app else micropython_images.load(board, args.firmware))
        loader.start()
        plan.refuse(board, loader.chip, loader.size, loader.security)
        report(f"{loader.title} {loader.mac}, {loader.size >> 20} MB of flash, at {loader.name}")
        for line in image.origin if image else ():
            report(line)
        if own and own.left_out:
            report(f"  {'left out of FILES':28} {', '.join(own.left_out)}")
        for name, described in own.models().items() if own else ():
            report(f"  {name:28} a TSL: {described}")
        result = _flash(args, report, loader, board, image=image, tree=tree, chosen=chosen, who=who)
        seconds = time.monotonic() - started
        loader.reset()
        open_port = loader.release()
    if warning:
        report(f"warning: {warning}")
    result.update(
        port=loader.name, board=board.name, chip=loader.chip, mac=loader.mac, seconds=round(seconds, 3)
    )
    ended = _follow(args, report, loader.name, open_port, result)
    if args.json:
        print(json.dumps(result))
    if ended:
        again = f"'make monitor PORT={loader.name} ARGS=--reset' shows it again"
        raise UserError(f"the board was flashed, but {ended}; {again}")
    state = result["state"]
    if state and state["aliot"] in console.FAILS and result["identity"]:
        reason = backup.advice(state.get("code"), loader.mac, loader.name, args.backups) or _reason(state)
        raise UserError(f"the board was flashed, but says: {console.printable(state['aliot'])}: {reason}")


def _flash(args, report, loader, board, *, image, tree, chosen, who):
    """Inspect the board, plan, write; what was done as a dict."""
    if args.erase:
        whole = file_list.decide(tree, lambda path: None).onto({})
        littlefs.build(whole, (image or board).layout.vfs.size)  # or it is refused now
        erase(loader, board, report, backups=args.backups, confirm=args.confirm, folder=args.journal)
    given = settings.merged(None, chosen, whole=bool(args.config))
    expected = tree if given is None else tree.with_config(given)
    seen = look(loader, board, expected, args.journal)
    if args.app and not seen.held.runs(loader):
        more = f" FILES={args.files}" if args.files else ""
        raise UserError(
            f"there is no MicroPython on this board: 'make flash PORT={loader.name}{more}' brings it, and the files"
        )
    if journal.load(args.journal, loader.mac):
        burn.finish(loader, seen.held.layout, loader.mac, args.journal)
        report("an interrupted burn of this board was finished")
        seen = look(loader, board, expected, args.journal)
    leaks.refuse(tree.tree, seen.held.copies)
    records = _records(seen.held, who, loader.mac)  # refused before anything is written
    before = seen.file(CONFIG_PATH)
    config = settings.merged(before, chosen, whole=bool(args.config))
    for note in settings.notes(before, before if config is None else config):
        report(console.printable(note))
    for note in updates.at_flash(seen.held.file, args.keep_ota, seen.held.slots(loader)):
        report(console.printable(note))
    if not updates.trusted((*tree.tree, *seen.held.below())):
        report(
            "no key for updates: the board takes none over the air; ARGS='--ota-key ota.pub' puts one there"
        )
    held_by = seen.identity(loader.mac)
    if not who and not held_by:
        report("the board will have no identity: CERT=cert.json burns one")
    wanted = (
        tree
        if config is None
        else tree.with_config(config, file_list.CONFIG if args.config else file_list.MERGED)
    )
    image = image or micropython_images.Stock("", (), seen.held.layout)
    if seen.rescue is not None:
        report("an interrupted flash of this board is finished: what it held comes back from the journal")
    with ExitStack() as bar:
        todo, done = flash_board(
            loader,
            seen,
            image,
            wanted,
            records=records,
            relayout=args.relayout,
            fresh=args.fresh,
            keep_firmware=args.keep_ota and updates.brought_firmware(seen.held.file),
            may_drop=lambda full: _drop(args, report, full, loader),
            on_plan=lambda todo: bar.enter_context(_bar(args.json)),
            folder=args.journal,
            backups=args.backups,
        )
    _report_written(report, todo, done, image, wanted)
    burned = _burn(args, report, loader, image, who) if who else None
    nothing = todo.nothing and not (burned and burned.written)
    report("Nothing to do: no file and no region differs." if nothing else "verified")
    return {
        "nothing": nothing,
        "parts": list(done.parts),
        "files": list(done.files),
        "removed": list(done.change.remove),
        "kept": list(done.change.kept),
        "saved": done.saved,
        "written": loader.bytes_written,
        "read": loader.bytes_read,
        "identity": "/".join(owner.owner(who.fields(), loader.mac)) if who else held_by,
    }


def _records(held, who, mac):
    """{name: bytes} that burning `who` leaves on the board; UserError when it must not be burned."""
    if not who:
        return {}
    decision = burn.decide(held.copies, who.fields(), mac)
    return {name: decision.record(name) for name in burn.NAMES if decision.record(name) is not None}


def _drop(args, report, full, loader):
    """Ask whether the entries of other firmware may go, and save them; UserError when they may not."""
    if not full.foreign:
        raise full
    cure = "ARGS=--drop-nvs saves those entries to a file and leaves them out"
    if not args.drop_nvs:
        if args.json or not sys.stdin.isatty():
            raise UserError(f"{full}; {cure}")
        if input(f"{full}. Type drop to save them to a file and leave them out: ").strip() != "drop":
            raise UserError(f"{full}; {cure}")
    report(
        f"{len(full.foreign)} NVS entries of other firmware were saved to "
        f"{backup.save_entries(loader.mac, full.foreign, args.backups)} and are left out"
    )


def _burn(args, report, loader, image, who):
    burned = burn.burn(loader, image.layout, who.fields(), loader.mac, args.journal)
    for line in burn.messages(burned, who, loader.mac):
        report(line)
    return burned


def _report_written(report, todo, done, image, wanted):
    for part in image.parts:
        report(
            f"  {part.name:28} "
            + (f"{len(part.data)} bytes written" if part.name in done.parts else "unchanged")
        )
    changed = len(done.files)
    if todo.files == plan.WHOLE and changed:
        report(f"  {'file system':28} new, {changed} files")
    else:
        removed = f", {len(done.change.remove)} removed" if done.change.remove else ""
        unchanged = len(wanted.tree) - changed - len(done.change.kept)
        report(
            f"  {'files':28} {changed} written{removed}, {unchanged} unchanged"
            if changed or removed
            else f"  {'files':28} unchanged"
        )
        for path in done.files:
            report(f"    {path}")
        for path in done.change.remove:
            report(f"    {path} (removed)")
    _report_yours(report, done)
    for note in done.notes:
        report(note)


def _report_yours(report, done):
    """What became of files that no tool wrote, or that were changed since."""
    for path in done.change.kept:
        report(
            f"  {path} on the board is yours and stays: ARGS=--reset-files saves it and writes the release's"
        )
    for path in done.change.left:
        report(f"  {path} was changed on the board and stays, though what brought it has it no more")
    if done.saved:
        saved = ", ".join(sorted(done.change.saved))
        report(f"  yours were saved before they were written over, to {done.saved}: {saved}")


def _follow(args, report, name, open_port, result):
    """Put what the console says into the report; what ended the application, or None."""
    result.update(state=None, traceback=[], console_seconds=None)
    if args.wait <= 0:
        open_port.close()
        return None

    def until(state):
        return console.final(state) or not result["identity"] and state["aliot"] == "boot"

    def report_state(state):
        report(f"  console: {console.describe(state)}")

    began = time.monotonic()
    try:
        state = console.follow(
            name, open_port, args.wait, report_state, until, lambda text: report(f"  console: {text}")
        )
    except console.Ended as ended:
        result["traceback"] = list(ended.traceback)
        return ended
    if state is None:
        raise UserError(
            f"the board was flashed, but did not say within {args.wait:g} s that it runs: "
            f"'make monitor PORT={name} ARGS=--reset' shows its console from the start"
        )
    result.update(state=state, console_seconds=round(time.monotonic() - began, 1))
    if state["aliot"] in console.RUNS:
        report(f"{state['aliot']} {result['console_seconds']} s after the reset")
    elif not result["identity"]:
        saved = backup.lying(result["mac"], args.backups)
        cure = (
            f"'make restore PORT={name} BACKUP={saved}'"
            if saved
            else f"'make burn PORT={name} CERT=cert.json'"
        )
        report(f"it runs, but no identity is burned: {cure}")
    return None


def _reason(state):
    found = (str(state[key]) for key in ("advice", "error", "reason", "text") if state.get(key))
    return console.printable(next(found, console.describe(state)))


class _Lines:
    """Lines for a person; none where a program reads."""

    def __init__(self, silent):
        self._silent = silent

    def __call__(self, line):
        if not self._silent:
            print(line, flush=True)


@contextmanager
def _bar(silent):
    """Gives `progress(what, done, total)`, which draws a bar on a terminal."""
    screen = Console(stderr=True)
    if silent or not screen.is_terminal:
        yield lambda message, done, total: None
        return
    with Progress(
        TextColumn("{task.description:28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        console=screen,
        transient=True,
    ) as progress:
        task = progress.add_task("")
        yield lambda message, done, total: progress.update(
            task, description=message, completed=done, total=total or 1
        )
