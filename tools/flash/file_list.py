"""The list on a board that names the files which tools wrote; every other file is the user's.

A line of the list is JSON, [path, source, SHA-256]: a tool wrote these bytes there, out of the release, a
folder (FILES) or a root (ROOT). A file that is not in it, or that differs from it, is the user's. While a
flash is under way a file has two lines, of before and after, so that the list is true wherever power goes.
A board without a list was flashed by an older release: all but /aliot and an unchanged boot.py is the user's.
/config.json is the user's, whether settings were merged into it or it was put whole.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools import secrets
from tools.errors import UserError
from tools.image import device_files, updates
from tools.image import flash_image as layouts
from tools.image.application import Application

LIST = "/aliot/files"
RELEASE, FILES, ROOT, KEY = "release", "FILES", "ROOT", "KEY"
CONFIG, MERGED = "CONFIG", "merged"  # /config.json: put whole; with what the board's own held in it
_OURS, _CONFIG = "/aliot/", "/config.json"
# boot.py of releases that kept no list, and MicroPython's own (ports/esp32/modules/inisetup.py)
_BOOTS = (
    "c1e7f3f56daa8f582a1c668a8c381d21cc45c255abcce84699fcdc41530efc61",
    "ccda3adc38b5a15f1e0f8b24a3599544b19691c783b52a55c533207a017187bd",
    hashlib.sha256(
        b"# This file is executed on every boot (including wake-boot from deepsleep)\n"
        b"#import esp\n#esp.osdebug(None)\n#import webrepl\n#webrepl.start()\n"
    ).hexdigest(),
)


@dataclass(frozen=True)
class Wanted:
    """What is to be on a board: `tree` {path: bytes}, `sources` {path: source} of what is not the release's.

    `files`: a folder was named, so what an earlier one brought and this one lacks goes. `reset`: the user's
    files too give way to those of `tree`. `drop`: goes from the board, whoever put it there; without the record of an
    update the golden tree runs.
    """

    tree: dict[str, bytes] = field(repr=False)
    sources: dict[str, str] = field(default_factory=dict)
    files: bool = False
    reset: bool = False
    drop: tuple[str, ...] = updates.RECORDS

    def source(self, path: str) -> str:
        return self.sources.get(path, RELEASE)

    def with_config(self, data: bytes, source: str = CONFIG) -> "Wanted":
        """The same with settings: CONFIG, or MERGED into those of the board."""
        return replace(self, tree={**self.tree, _CONFIG: data}, sources={**self.sources, _CONFIG: source})

    @property
    def speaks_for(self) -> set[str]:
        """The sources whose files are complete here: what else a board has of them is removed."""
        return {RELEASE, FILES} if self.files else {RELEASE}


@dataclass(frozen=True)
class Change:
    """What becomes of a board's files: `put` {path: bytes} is written, `remove` [path] goes.

    `kept`: the user's, that stay where others were to come; `left`: the user's, that stay though their folder
    has them no more; `saved` {path: bytes}: the user's, that are written over. `during` and `after` are the
    bytes of the list, `before` those on the board.
    """

    put: dict[str, bytes] = field(repr=False)
    remove: tuple[str, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    saved: dict[str, bytes] = field(repr=False)
    before: bytes | None = field(repr=False)
    during: bytes = field(repr=False)
    after: bytes = field(repr=False)

    @property
    def nothing(self) -> bool:
        return not self.put and not self.remove and self.before == self.after

    def onto(self, tree: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files of `tree` {path: bytes} after the change, the list among them."""
        stay = {path: data for path, data in tree.items() if path not in self.remove}
        return {**stay, **self.put, LIST: self.after}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what is to be among a board's files."""
    parser.add_argument(
        "--root",
        metavar="FILE",
        action="append",
        default=[],
        help="extra root certificate, DER or PEM; may be given again",
    )
    parser.add_argument(
        "--files", metavar="DIR", help="files of an application, put over those of the release"
    )
    parser.add_argument(
        "--ota-key",
        metavar="FILE",
        action="append",
        default=[],
        help="a public key, ota.pub: its packages are taken as updates; may be given again",
    )
    parser.add_argument(
        "--platform-key",
        metavar="FILE",
        help="the public key of the product's secure upgrade, from the console: what the platform has not signed is "
        "no update",
    )


def wanted(
    application: Application | None = None,
    roots: Iterable[Path | str] = (),
    reset: bool = False,
    keys: Iterable[Path | str] = (),
    platform_key: Path | str | None = None,
) -> Wanted:
    """The `Wanted` of the release, an `application.Application` over it, extra roots, and keys for updates (files)."""
    own = application.compiled() if application else {}
    tree = {**device_files.compile_tree(), **own}
    extra = layouts.root_files(roots, tree)
    public = updates.key_files(keys, platform_key)
    sources = {**dict.fromkeys(own, FILES), **dict.fromkeys(extra, ROOT), **dict.fromkeys(public, KEY)}
    return Wanted({**tree, **extra, **public}, sources, application is not None, reset)


def decide(
    wanted: Wanted, file: Callable[[str], bytes | None], below: Callable[[], Iterable[str]] = lambda: ()
) -> Change:
    """The `Change` of a board on which `file(path)` gives bytes or None, and `below()` the paths in /aliot."""
    before = file(LIST)
    listed = parse(before)
    kept: list[str] = []
    put: dict[str, bytes] = {}
    saved: dict[str, bytes] = {}
    after: dict[str, dict[str, str]] = {}
    old: dict[str, dict[str, str]] = {}
    for path, data in sorted(wanted.tree.items()):
        held, source = file(path), wanted.source(path)
        was = None if held is None else _source(listed, path, held)
        stays = was == FILES and source == RELEASE and not wanted.files
        if source in (CONFIG, MERGED):
            put.update({path: data} if held != data else {})
            saved.update({path: held} if source == CONFIG and held not in (None, data) else {})
        elif held == data:
            after[path] = {sha(data): was if stays and was else source}
        elif stays and held is not None and not wanted.reset:
            after[path] = {sha(held): FILES}
        elif held is not None and was is None and not _asked(wanted, path, source):
            kept.append(path)
        else:
            put[path], after[path] = data, {sha(data): source}
            if held is not None and (was is None or stays):
                saved[path] = held
            elif held is not None and was is not None:
                old[path] = {sha(held): was}
    remove, left = _gone(wanted, listed, file, below, after, old)
    remove += tuple(path for path in wanted.drop if file(path) is not None)
    _refuse_hidden(put, remove, file)
    return Change(put, remove, tuple(kept), left, saved, before, encode(_united(after, old)), encode(after))


def _refuse_hidden(put, remove, file):
    """UserError when a file of the user's lies where a folder has to be."""
    for path in put:
        parts = path.split("/")[1:-1]
        for folder in ("/" + "/".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
            if folder not in remove and file(folder) is not None:
                raise UserError(
                    f"{folder} on the board is a file, but {path} needs a folder there: take it off the board first "
                    f"('make repl ARGS=\"rm :{folder[1:]}\"')"
                )


def _asked(wanted, path, source):
    """Whether it was said that this file is to give way: it was named, or /aliot is where it lies."""
    return source != RELEASE or wanted.reset or path.startswith(_OURS)


def _gone(wanted, listed, file, below, after, old):
    """([path] to remove, [path] that were changed on the board) of what is no longer wanted."""
    remove, left = [], []
    for path, lines in (listed or {}).items():
        if path in wanted.tree:
            continue
        if not wanted.speaks_for & set(lines.values()):
            after[path] = lines
            continue
        held = file(path)
        was = None if held is None else lines.get(sha(held))
        if was in wanted.speaks_for:
            remove.append(path)
            old[path] = {sha(held): was}
        elif was:
            after[path] = {sha(held): was}
        elif held is not None:
            left.append(path)
    if listed is None:
        for path in below():
            if path.endswith(".mpy") and path not in wanted.tree:
                remove.append(path)
                old[path] = {sha(file(path) or b""): RELEASE}
    return tuple(remove), tuple(left)


def _source(listed, path, data):
    """What brought a file's bytes, or None: they are the user's."""
    if listed is not None:
        return listed.get(path, {}).get(sha(data))
    unchanged = path == "/boot.py" and sha(data) in _BOOTS
    return RELEASE if path.startswith(_OURS) or unchanged else None


def _united(one, other):
    return {path: {**other.get(path, {}), **one.get(path, {})} for path in one.keys() | other.keys()}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode(listed: Mapping[str, Mapping[str, str]]) -> bytes:
    """The bytes of a list {path: {SHA-256: source}}."""
    rows = [
        [path, lines[digest], digest] for path, lines in sorted(listed.items()) for digest in sorted(lines)
    ]
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def parse(data: bytes | None) -> dict[str, dict[str, str]] | None:
    """{path: {SHA-256: source}} of a list's bytes; None where there is none, or none that can be read."""
    if data is None:
        return None
    listed: dict[str, dict[str, str]] = {}
    try:
        for line in data.decode().splitlines():
            path, source, digest = map(str, json.loads(line))
            listed.setdefault(path, {})[digest] = source
    except (ValueError, TypeError):
        return None
    return listed


def united(one: bytes | None, other: bytes | None) -> bytes:
    """The bytes of one list with the lines of two lists, each bytes or None."""
    return encode(_united(parse(one) or {}, parse(other) or {}))


def save(mac: str, tree: Mapping[str, bytes], folder: Path | str) -> str:
    """Keep the user's files in a folder of their own, mode 0600, to be named as FILES= again; its path."""
    stamp = f"{mac.replace(':', '')}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    folder = secrets.folder(folder)
    place = folder / f"{stamp}.files"
    number = 1
    while place.exists():
        number += 1
        place = folder / f"{stamp}-{number}.files"
    secrets.folder(place)
    for path, data in tree.items():
        secrets.write(place / path[1:], data)
    return str(place)
