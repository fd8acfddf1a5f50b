"""The verb `flash`: a board from blank to running, or up to date with nothing lost."""

import json
import time
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tools import boards, burn
from tools.errors import UserError
from tools.flash import backup, console, contents, files, leaks, plan, session, settings, steps, stock
from tools.flash.erase import add_consent, erase
from tools.image import application, identity, journal


def add_arguments(parser):
    session.add_arguments(parser)
    add_consent(parser)
    parser.add_argument(
        "--firmware", metavar="FILE", help="a stock MicroPython .bin; by default the pinned release"
    )
    parser.add_argument(
        "--root",
        metavar="FILE",
        action="append",
        default=[],
        help="extra root certificate, DER or PEM; may be given again",
    )
    parser.add_argument("--cert", metavar="FILE", help="burn this identity too, as 'burn' does")
    parser.add_argument(
        "--config", metavar="FILE", help="settings that go into the board's config.json, as JSON"
    )
    parser.add_argument("--wifi", action="store_true", help="ask for the Wi-Fi's name and password")
    parser.add_argument(
        "--files", metavar="DIR", help="files of an application, put over those of the release"
    )
    parser.add_argument(
        "--app", action="store_true", help="only the files: leave bootloader and application alone"
    )
    parser.add_argument(
        "--reset-files",
        action="store_true",
        help="write the release's files over those that you changed or put on the board, after saving yours",
    )
    parser.add_argument("--relayout", action="store_true", help="go on when NVS or files have to move")
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
    parser.add_argument("--journal", metavar="DIR", default=journal.FOLDER, help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")


def run(args):
    say = _Voice(args.json)
    if args.app and args.erase:
        raise UserError("ARGS=--erase takes MicroPython away too, which 'make app' does not bring: say 'make flash'")
    own = application.read(args.files) if args.files else None
    leaks.refuse({**application.release(), **(own.sources if own else {})})
    image = stock.load(boards.load(args.board), args.firmware) if args.board and not args.app else None
    chosen = settings.given(args.config, args.wifi)
    tree = files.wanted(own, args.root, args.reset_files)
    who = identity.load(args.cert) if args.cert else None
    warning = identity.check_availability(who, args.anyway) if who else None

    with session.opened(args) as (loader, board):
        started = time.monotonic()
        image = image or (None if args.app else stock.load(board, args.firmware))
        loader.start()
        plan.refuse(board, loader.chip, loader.size, loader.security)
        say(f"{loader.title} {loader.mac}, {loader.size >> 20} MB of flash, at {loader.name}")
        if own and own.left_out:
            say(f"  {'left out of FILES':28} {', '.join(own.left_out)}")
        report = _flash(args, say, loader, board, image, tree, chosen, who)
        seconds = time.monotonic() - started
        loader.reset()
        open_port = loader.release()
    if warning:
        say(f"warning: {warning}")
    report.update(
        port=loader.name, board=board.name, chip=loader.chip, mac=loader.mac, seconds=round(seconds, 3)
    )
    report["state"] = _follow(args, say, loader.name, open_port, report)
    if args.json:
        print(json.dumps(report))
    state = report["state"]
    if state and state["aliot"] in console.FAILS and report["identity"]:
        raise UserError(f"the board was flashed, but says: {state['aliot']}: {_reason(state)}")


def _flash(args, say, loader, board, image, tree, chosen, who):
    """Look, plan, do; what was done as a dict."""
    if args.erase:
        erase(loader, board, say, args.backups, args.confirm)
    rescue = backup.load_rescue(loader.mac, args.journal)
    held = contents.look(loader, board, {**tree.tree, settings.PATH: b""})
    if args.app and not held.runs(loader):
        more = f" FILES={args.files}" if args.files else ""
        raise UserError(
            f"there is no MicroPython on this board: 'make flash PORT={loader.name}{more}' brings it, and the files"
        )
    if journal.load(args.journal, loader.mac):
        burn.finish(loader, held.layout, loader.mac, args.journal)
        say("an interrupted burn of this board was finished")
        held = contents.look(loader, board, {**tree.tree, settings.PATH: b""})
    leaks.refuse(tree.tree, held.copies)
    if who:
        burn.decide(held.copies, who.fields(), loader.mac)  # refused before anything is written
    before = held.files.get(settings.PATH) or (rescue.tree.get(settings.PATH) if rescue else None)
    config = settings.merged(before, chosen)
    wanted = tree if config is None else tree.with_config(config)
    image = image or stock.Stock("", (), held.layout)
    differing = [part for part in image.parts if loader.md5(part.offset, len(part.data)) != part.digest]
    if rescue is not None:
        say("an interrupted flash of this board is finished: what it held comes back from the journal")
        todo = plan.Plan(tuple(differing), wanted.tree, plan.WHOLE, move=True)
    else:
        todo = plan.decide(held, image, wanted, differing, loader.mac, args.relayout, args.fresh)
    with _bar(args.json) as tell:
        done = steps.Flasher(loader, held, image, wanted, tell, args.journal, args.backups).carry_out(todo, rescue)
    _say_done(say, todo, done, image, wanted)
    held_by = held.who(loader.mac) or (rescue.who(loader.mac) if rescue else None)
    burned = _burn(args, say, loader, image, who) if who else None
    nothing = todo.nothing and not (burned and burned.written)
    say("Nothing to do: no file and no region differs." if nothing else "verified")
    return {
        "nothing": nothing,
        "parts": list(done.parts),
        "files": list(done.files),
        "removed": list(done.change.remove),
        "kept": list(done.change.kept),
        "saved": done.saved,
        "written": loader.bytes_written,
        "read": loader.bytes_read,
        "identity": "/".join(burn.owner(who.fields(), loader.mac)) if who else held_by,
    }


def _burn(args, say, loader, image, who):
    report = burn.burn(loader, image.layout, who.fields(), loader.mac, args.journal)
    for line in burn.words(report, who, loader.mac):
        say(line)
    return report


def _say_done(say, todo, done, image, wanted):
    for part in image.parts:
        say(
            f"  {part.name:28} "
            + (f"{len(part.data)} bytes written" if part.name in done.parts else "unchanged")
        )
    changed = len(done.files)
    if todo.files == plan.WHOLE and changed:
        say(f"  {'file system':28} new, {changed} files")
    else:
        removed = f", {len(done.change.remove)} removed" if done.change.remove else ""
        unchanged = len(wanted.tree) - changed - len(done.change.kept)
        say(
            f"  {'files':28} {changed} written{removed}, {unchanged} unchanged"
            if changed or removed
            else f"  {'files':28} unchanged"
        )
        for path in done.files:
            say(f"    {path}")
        for path in done.change.remove:
            say(f"    {path} (removed)")
    _say_whose(say, done)
    for note in done.notes:
        say(note)


def _say_whose(say, done):
    """What became of files that no tool wrote, or that were changed since."""
    for path in done.change.kept:
        say(f"  {path} on the board is yours and stays: ARGS=--reset-files saves it and writes the release's")
    for path in done.change.left:
        say(f"  {path} was changed on the board and stays, though what brought it has it no more")
    if done.saved:
        say(f"  yours were saved before they were written over, to {done.saved}: {', '.join(sorted(done.change.saved))}")


def _follow(args, say, name, open_port, report):
    if args.wait <= 0:
        open_port.close()
        return None

    def until(state):
        return console.final(state) or not report["identity"] and state["aliot"] == "boot"

    began = time.monotonic()
    report["console_seconds"] = None
    state = console.follow(
        name, open_port, args.wait, lambda state: say(f"  console: {console.words(state)}"), until
    )
    if state is None:
        raise UserError(
            f"the board was flashed, but did not say within {args.wait:g} s that it runs: "
            f"'make monitor PORT={name}' shows its console"
        )
    report["console_seconds"] = round(time.monotonic() - began, 1)
    if state["aliot"] in console.RUNS:
        say(f"{state['aliot']} {report['console_seconds']} s after the reset")
    elif not report["identity"]:
        say(f"it runs, but no identity is burned: 'make burn PORT={name} CERT=cert.json'")
    return state


def _reason(state):
    return next(
        (str(state[key]) for key in ("advice", "error", "reason", "text") if state.get(key)),
        console.words(state),
    )


class _Voice:
    """Lines for a person; none where a program reads."""

    def __init__(self, silent):
        self._silent = silent

    def __call__(self, line):
        if not self._silent:
            print(line, flush=True)


@contextmanager
def _bar(silent):
    """Gives `tell(words, done, total)`, which draws a bar on a terminal."""
    screen = Console(stderr=True)
    if silent or not screen.is_terminal:
        yield lambda words, done, total: None
        return
    with Progress(
        TextColumn("{task.description:28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        console=screen,
        transient=True,
    ) as progress:
        task = progress.add_task("")
        yield lambda words, done, total: progress.update(
            task, description=words, completed=done, total=total or 1
        )
