"""The device package as a board holds it: units of joined modules, constants folded, names short.

UNITS says what is joined. `aliot` is what a device that is online needs; `aliot.start` and `aliot.store` serve a
start and a registration and are dropped; the others are loaded by boards, or at moments, that need them.

A traceback of a board names a unit and a line in it: `Release.where` and `Release.translate` lead back to the
sources.
"""

import ast
import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools import cache, files
from tools.errors import UserError
from tools.firmware import FOLDER
from tools.image import folding, joining, shortening
from tools.image.folding import fold
from tools.image.joining import Joined, Joiner, JoinError, Module, replaced

PACKAGE = "aliot"
LONGEST = 16  # characters of a text that is folded
UNITS = {
    "aliot": "aliot ticks errors log clock sign login endpoint roots transport.tls credentials session "
    "incoming mqtt wifi device",
    "aliot.id2": "id2.codes id2 transport.itls.records transport.itls",
    "aliot.start": "names objects identities settings start",
    "aliot.store": "record store",
    # a normal boot loads none of these, and each name more in /aliot would make each of its looks there longer
    "aliot.rare.advice": "escapes advice",
    "aliot.rare.crash": "crash",
    "aliot.rare.efuse": "efuse",
    "aliot.rare.faults": "transport.faults",
    "aliot.rare.https": "http https ota.request",
    "aliot.rare.retry": "wifi_problem retry",
    "aliot.rare.rules": "rules",
    "aliot.rare.topics": "topics",
    "aliot.registration.https": "http registration registration.https",
    # what a registration needs of a start, and no more: it has the least memory left
    "aliot.registration.kept": "names objects identities registration.kept",
    "aliot.registration.mqtt": "registration registration.mqtt",
    "aliot.gateway": "gateway.errors gateway.rows gateway.upkeep gateway",
    "aliot.thing": "alink pace thing.errors thing.requests thing.outbox thing.delivery thing",
    "aliot.thing.backlog": "thing.entries thing.backlog",
    "aliot.services.config": "http https services.download services.service services.config",
    "aliot.services.jobs": "http https services.download services.service services.jobs",
    "aliot.services.log": "services.service services.log",
    "aliot.ota.choice": "ota.record ota.choice",  # by itself: boot.py imports it without the package
    "aliot.ota.writer": "ota.trees ota.writer",
    "aliot.ota.terms": "ota.record ota.lines ota.terms",
    "aliot.ota.room": "ota.record ota.lines ota.room",
    "aliot.ota.image": "ota.lines ota.image",
    "aliot.ota.updates": "alink ota.updates",
    "aliot.ota.report": "ota.record ota.trees ota.report",
    "aliot.ota.blocks": "services.crc16 ota.blocks",
    "aliot.ota.place": "ota.record ota.lines ota.pairs ota.place",
    "aliot.ota.pairs": "ota.pairs",
    "aliot.ota.trial": "ota.record ota.lines ota.trial",
    "aliot.ota.slots": "ota.pairs ota.slots",  # by itself too: boot.py's choice imports it
    "aliot.services.ntp": "alink services services.ntp",
    "aliot.services.raw": "services services.raw",
    "aliot.services.shadow": "alink services services.shadow",
    "aliot.services.upload": "services.crc16 services.crc services.service services.upload",
    # loaded for a moment, each with all that it needs: a file more would be some hundred reads, and two names more
    "aliot.gateway.reading": "gateway.room gateway.records gateway.reading",
    "aliot.gateway.records": "gateway.room gateway.records",
    "aliot.gateway.compacting": "gateway.room gateway.records gateway.reading gateway.compacting",
    "aliot.gateway.register": "gateway.pack gateway.names gateway.text gateway.newcomers gateway.room gateway.register",
    "aliot.gateway.proxy": "gateway.pack gateway.items gateway.names gateway.text gateway.newcomers gateway.room "
    "gateway.proxy",
    "aliot.gateway.attach": "gateway.pack gateway.items gateway.names gateway.attach",
    "aliot.gateway.detach": "gateway.pack gateway.names gateway.detach",
    "aliot.gateway.login": "gateway.rates gateway.pack gateway.items gateway.names gateway.login",
    "aliot.gateway.logout": "gateway.pack gateway.names gateway.logout",
    "aliot.gateway.found": "gateway.pack gateway.names gateway.found",
    "aliot.gateway.forget": "gateway.names gateway.forget",
    "aliot.gateway.request": "alink pace gateway.rates gateway.request",
    "aliot.gateway.answer": "alink gateway.rates gateway.replies gateway.text gateway.answer",
    "aliot.gateway.notices": "alink gateway.rates gateway.replies gateway.notices",
    "aliot.gateway.topology": "alink gateway.replies gateway.topology",
    "aliot.x509.pairs": "x509.der x509.pairs",
    "aliot.x509.learning": "names x509.learning",
    "aliot.x509.keygen": "x509.der x509.keygen",
    "aliot.bootstrap.cache": "bootstrap.settings bootstrap.cache",
    "aliot.bootstrap.exchange": "names bootstrap.messages bootstrap.exchange",
}
# what boards with the least memory left, gateways and those with a certificate, do without: its names come last, those
# of updates after the others
ROOMY = ("aliot.thing", "aliot.services"), ("aliot.ota",)
KEPT = cache.FOLDER / "release"
RELEASES = 16  # that stay there: each state of the firmware that was built, on each branch
UMQTT = Path(__file__).with_name("umqtt_names.txt")
# modules of `aliot` that go by their own names too: what applications import
NAMED = ("device", "errors", "wifi", "log", "clock", "sign", "login")
_CALLS = ("load", "unload", "drop")  # of aliot
_PLACE = re.compile(r'File (\\?")(aliot[\w.]*)\\?", line (\d+)(?:, in (\w+|<\w+>))?')


@dataclass(frozen=True)
class Release:
    """`units` {name: Joined} as they are compiled; `names` {name in the sources: name on the board}, where more than
    one unit speaks of it.

    `version` is what the boot line says: that of the sources and a digest of the units.
    """

    units: dict[str, Joined]
    names: dict[str, str]
    version: str

    def where(self, unit: str, line: int) -> tuple[str, int] | None:
        """(path in firmware/, line) of a unit's line, or None."""
        joined = self.units.get(unit)
        origin = joined.lines[line - 1] if joined and 0 < line <= len(joined.lines) else None
        return origin and (_path(origin[0]), origin[1])

    def translate(self, text: str) -> str:
        """The text of a console with each traceback's place as a place in the sources, and short names in full."""
        found = _PLACE.sub(self._place, text)
        if found != text:
            return found
        back = {short: name for name, short in self.names.items()}
        return re.sub(
            r"'(\w+)' object has no attribute '(\w+)'",
            lambda match: (
                "'%s' object has no attribute '%s'"
                % (back.get(match[1], match[1]), back.get(match[2], match[2]))
            ),
            text,
        )

    def shortened(self, text: str) -> str:
        """A program written against the sources, with the package's attributes under their names on a board."""
        return shortening.attributes(text, self.names)

    def _place(self, match):
        place = self.where(match[2], int(match[3]))
        if not place:
            return match[0]
        path, line = place
        function = _function(path, line) if match[4] else ""
        return f"File {match[1]}firmware/{path}{match[1]}, line {line}" + (
            f", in {function}" if function else ""
        )


def sources(folder: Path | str = FOLDER, ending: str = ".py") -> dict[str, str]:
    """{dotted name: text} of the package, or of its stubs."""
    found = {}
    for path in sorted((Path(folder) / PACKAGE).rglob("*" + ending)):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def units(names: Iterable[str]) -> dict[str, list[str]]:
    """{unit: [module]}: the units of UNITS, and one unit for each module that is in none of them."""
    made = {unit: [_full(name) for name in text.split()] for unit, text in UNITS.items()}
    members = {name for members in made.values() for name in members}
    made.update({name: [name] for name in sorted(names) if name not in members})
    return {unit: [name for name in members if name in names] for unit, members in made.items()}


def file(unit: str) -> str:
    """The path of a unit on the board, without the slash before and the ending."""
    return unit.replace(".", "/") + ("/__init__" if unit in _PACKAGES else "")


def public(stubs: Iterable[str]) -> set[str]:
    """The names that stubs (.pyi), given as texts, declare: the public ones."""
    nodes = [node for stub in stubs for node in ast.parse(stub).body]
    own = [node for node in nodes if not isinstance(node, ast.ImportFrom)]  # a module's name is no argument's
    return set().union(*map(shortening.identifiers, own))


def build(folder: Path | str = FOLDER) -> Release:
    """The Release of the package in `folder`: made once, then out of .cache, where it lies by content."""
    return _once(tuple(sources(folder).items()), tuple(sources(folder, ".pyi").items()))


@functools.lru_cache(maxsize=4)
def _once(texts, stubs):
    path = KEPT / f"{_digest(texts, stubs)}.json"
    found = _read(path)
    if found:
        return found
    try:
        with cache.locked(KEPT / "lock"):  # four processes that start at once need it all
            return _read(path) or _keep(path, _build(texts, stubs))
    except (OSError, UserError):  # a checkout that nobody may write to
        return _build(texts, stubs)


def _digest(texts, stubs):
    """What a Release is made of: sources, stubs, lists of names, and the code that makes it."""
    made_by = [module.__file__ for module in (folding, joining, shortening)]
    own = [Path(path).read_text(encoding="utf-8") for path in (__file__, *made_by, shortening.HELD, UMQTT)]
    return hashlib.sha256(json.dumps([sys.version, texts, stubs, own]).encode()).hexdigest()[:32]


def _read(path):
    """The Release in a file, or None."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        os.utime(path)
    except (OSError, ValueError):
        return None
    units = {
        name: Joined(text, [place and tuple(place) for place in lines])
        for name, (text, lines) in kept["units"].items()
    }
    return Release(units, kept["names"], kept["version"])


def _keep(path, release):
    """`release`, in a file from here on; of the others the newest stay."""
    units = {name: [unit.text, unit.lines] for name, unit in release.units.items()}
    kept = {"units": units, "names": release.names, "version": release.version}
    files.write(path, json.dumps(kept).encode())
    oldest_last = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in oldest_last[RELEASES:]:
        old.unlink()
    return release


def _build(texts, stubs):
    keep, documented = public(text for _, text in stubs), {name for name, _ in stubs}
    texts = dict(texts)
    joined = _joined(texts)
    for name in documented - set(joined) - {_full(name) for name in NAMED}:
        raise JoinError(f"{name} has a stub and cannot be imported by its name: no unit is called so")
    foreign = shortening.listed(UMQTT)
    modules = {part for name in (*joined, *NAMED) for part in name.split(".")}
    order = sorted(joined, key=lambda unit: unit not in UNITS)
    own = dict(zip(order, shortening.own([joined[unit].text for unit in order], keep | modules)))
    owned = set().union(*own.values())
    spoken = {unit: shortening.identifiers(ast.parse(joined[unit].text)) for unit in order}
    last = {}
    for rank in range(1, len(ROOMY) + 1):
        others = set().union(
            *(spoken[unit] for unit in order if not unit.startswith(sum(ROOMY[rank - 1 :], ())))
        )
        last.update((name, rank) for name in set().union(*spoken.values()) - others)
    names = shortening.table(
        [joined[unit].text for unit in order],
        keep | modules,
        foreign,
        owned,
        last,
    )
    by_name = set().union(*(shortening.keywords(ast.parse(unit.text)) for unit in joined.values()))
    digest = hashlib.sha256()
    for name, unit in joined.items():
        here = {**names, **shortening.own_table(unit.text, own[name], names, foreign)}
        unit.text = shortening.shorten(unit.text, here, keep, by_name)
        digest.update(unit.text.encode())
    _check_names_of_units(joined)
    core = joined[PACKAGE]
    plain = re.search(r'__version__ = "(.*?)"', core.text)[1]
    version = f"{plain}+{digest.hexdigest()[:6]}"
    core.text = core.text.replace(f'__version__ = "{plain}"', f'__version__ = "{version}"')
    return Release(joined, names, version)


def _joined(texts):
    """{unit: Joined} of the sources {name: text}."""
    folded = fold(texts, set(texts), LONGEST)
    made = units(texts)
    homes = {}
    for unit, members in made.items():
        for name in members:
            homes.setdefault(name, unit)
        if unit in members:
            homes[unit] = unit
    joined = {}
    for unit, members in made.items():
        if any(_has_code(folded[name]) for name in members):
            modules = [
                Module(name, _loads(folded[name], homes, name.startswith("aliot.ota."))) for name in members
            ]
            joined[unit] = Joiner(unit, modules, homes, PACKAGE).join()
    _name_modules(joined[PACKAGE])
    return joined


def _check_names_of_units(joined):
    """An import makes a unit an attribute of the one above it, in place of what had that name there."""
    for unit in joined:
        above, _, name = unit.rpartition(".")
        if above in joined and name in _bound(ast.parse(joined[above].text)):
            raise JoinError(f"{above} has a global '{name}', which an import of {unit} would replace")


def _bound(tree):
    """The globals of a source, what it imports included."""
    imported = (node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
    return {item.asname or item.name for node in imported for item in node.names} | set(
        shortening.top_level(tree)
    )


def _has_code(text):
    return any(
        not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ast.parse(text).body
    )


def _loads(text, homes, split=False):
    """`text` whose load("x"), unload("x", ...) and drop("x", ...) name units.

    `split`: short ones in two parts, since MicroPython keeps every text of ten characters as a name for ever.
    """
    changes = []
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS):
            continue
        if node.func.id != "load" and all(isinstance(word, ast.Constant) for word in node.args):
            places = dict.fromkeys(homes.get(_full(word.value), _full(word.value)) for word in node.args)
            kept = [place.partition(".")[2] for place in places if place != PACKAGE]
            changes.append(
                (node, "%s(%s)" % (node.func.id, ", ".join(_split(place, split) for place in kept)))
            )
            continue
        for argument in node.args:
            for word in _results(argument):
                if (
                    isinstance(word, ast.Constant)
                    and isinstance(word.value, str)
                    and _full(word.value) in homes
                ):
                    home = homes[_full(word.value)].partition(".")[2]
                    new = _split(home, split)
                    if new != repr(word.value):
                        changes.append((word, new))
    return replaced(text, changes)


def _split(place, split):
    """The text of a place, in two parts where it is short and `split`."""
    first, dot, rest = place.rpartition(".")
    return f"{first + dot!r} + {rest!r}" if split and first and len(place) <= 10 else repr(place)


def _results(node):
    """The expressions whose value `node` may have: of a conditional its two branches, not its condition."""
    return [*_results(node.body), *_results(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _name_modules(joined):
    """Let `import aliot.device` and its like find the unit that has the module."""
    lines = [
        f"_me = sys.modules[{PACKAGE!r}]",
        f"for _name in {NAMED!r}:",
        f"    sys.modules[{PACKAGE + '.'!r} + _name] = _me",
        "    globals().setdefault(_name, _me)",
        "del _me, _name",
    ]
    joined.text += "\n".join(lines) + "\n"
    joined.lines += [None] * len(lines)


def _full(name):
    return name if name == PACKAGE else f"{PACKAGE}.{name}"


def _path(module):
    """Where a module's source lies in firmware/."""
    path = module.replace(".", "/")
    return path + "/__init__.py" if (FOLDER / path).is_dir() else path + ".py"


def _function(path, line):
    """The function of the source around a line."""
    found = "<module>"
    for node in ast.walk(ast.parse((FOLDER / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= node.end_lineno:
            found = node.name
    return found


# units that are folders on the board, since other units lie below them
_NAMES = units(sources())
_PACKAGES = {PACKAGE} | {name for name in _NAMES for other in _NAMES if other.startswith(name + ".")}
