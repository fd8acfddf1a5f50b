"""Bytes of .mpy of each module, when it is imported, and what a first boot takes in all.

The same table stands in firmware/README.md between two markers; a test keeps it true, `python -m tools bench
--write` writes it anew. What a boot imports is what an emulated board was seen to import.
"""

import ast
import re

from host_tests.bench import services
from host_tests.bench.boards import KINDS, BenchFleet
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support.readme_table import replaced
from tools.firmware import FOLDER
from tools.image import device_files, release

README = FOLDER / "README.md"
PLAIN = FOLDER / "examples/minimal.py"  # the plain device
BEFORE = 22884  # bytes of a first boot with a unique certificate, before there was a thing model
CORE_LIMIT = 25 * 1024  # 24 were aimed at; every setting, answer and flood that is checked costs some
# code of aliot.start, alone: a registration needs no more of it, and has 4 KB more heap
AGAIN = {"aliot/registration/kept"}
EVERY, LATE = "every kind", "when it is needed"
# in front of /boot.py: notes every module of aliot that is ever imported, dropped ones too
WATCH = b"""
import builtins, sys
_seen = {}
def _import(*arguments):
    try:
        return _whole(*arguments)
    finally:
        for name in sys.modules:
            if name[:5] == "aliot" and name not in _seen:
                _seen[name] = True
                print("imported", name)
_whole = builtins.__import__
builtins.__import__ = _import
"""


def report(scale=1.0):
    sizes, seen = device_files.sizes(), imported()
    table = Table("Bytes of .mpy", [Column("module"), Column("bytes"), Column("imported at a first boot")])
    for row in rows(sizes, seen):
        table.add(*row)
    totals = Table(
        "A first boot, up to connected, umqtt.simple apart",
        [Column("kind"), Column("modules"), Column("bytes")],
    )
    for kind, modules in seen.items():
        totals.add(KINDS[kind], len(modules), sum(sizes[name] for name in modules))
    totals.add(f"{KINDS['unique']}, before the thing model", None, BEFORE)
    core = max(sum(sizes[name] for name in modules - AGAIN) for modules in seen.values())
    return Report(
        [table, totals],
        [
            Bound(
                "all that a first boot imports, each module once, the largest kind",
                core,
                CORE_LIMIT,
                " bytes",
            )
        ],
        []
        if up_to_date(sizes, seen)
        else ["The table in firmware/README.md is out of date: python -m tools bench --write"],
    )


def imported():
    """{kind: the modules, named as by `firmware.sizes`, that its first boot imports up to "connected"}."""
    with BenchFleet.started() as fleet:
        return {kind: of_boot(fleet, kind) for kind in KINDS}


def of_boot(fleet, kind):
    """The modules that one first boot of that kind was seen to import."""
    files = {"/boot.py": WATCH + (FOLDER / "boot.py").read_bytes(), "/main.py": PLAIN.read_bytes()}
    boot = fleet.board(kind, files, heap="112K").boot(until="connected")
    if not boot.state("connected"):
        raise RuntimeError("\n".join(boot.lines))
    named = {line.split()[1].replace(".", "/") for line in boot.lines if line.startswith("imported ")}
    named |= {f"{name}/__init__" for name in named}
    return named & set(device_files.sizes())  # names that are another's module are left out


def rows(sizes, seen):
    """(module, bytes, when it is imported), what every first boot imports first, larger ones first."""
    found = [(module, size, when(module, seen)) for module, size in sizes.items()]
    order = {EVERY: 0, LATE: 2}
    return sorted(found, key=lambda row: (order.get(row[2], 1), -row[1], row[0]))


def when(module, seen):
    """At which first boots a module is imported."""
    kinds = [KINDS[kind] for kind, modules in seen.items() if module in modules]
    return EVERY if len(kinds) == len(seen) else ", ".join(kinds) or LATE


def markdown(sizes, seen):
    """The table between the markers, with a total for each kind."""
    lines = ["| module | bytes | imported at a first boot | |", "|---|---:|---|---|"]
    lines += [f"| `{module}` | {size} | {at} | {purpose(module)} |" for module, size, at in rows(sizes, seen)]
    lines += [
        f"| **{KINDS[kind]}** | **{sum(sizes[name] for name in modules)}** | in all | |"
        for kind, modules in seen.items()
    ]
    return "\n".join(lines)


def purpose(module):
    """The first sentence of a module's docstring."""
    named = release.UNITS.get(module.replace("/", "."))  # a unit is called like the last of its modules
    path = f"aliot/{named.split()[-1].replace('.', '/')}" if named else module
    path = path if (FOLDER / f"{path}.py").is_file() else module
    text = ast.get_docstring(ast.parse((FOLDER / f"{path}.py").read_text())).partition("\n")[0]
    return re.split(r"[.:;] |[.:;]$", text)[0]


_KB = re.compile(r"\b\d+\.\d\b")


def up_to_date(sizes, seen):
    """Does firmware/README.md say the same? The heap of an import differs by bytes from one folder to another."""
    text = README.read_text()
    return same(_written(text, sizes, seen), text)


def same(one, other):
    """Whether two texts differ in figures with one decimal at most, and in these by 0.2 at most."""
    figures = [[float(figure) for figure in _KB.findall(text)] for text in (one, other)]
    return _KB.sub("", one) == _KB.sub("", other) and all(abs(a - b) < 0.25 for a, b in zip(*figures))


def _written(text, sizes, seen):
    """The text with both tables anew."""
    with BenchFleet.started() as fleet:
        heaps = services.heaps(fleet)
    text = replaced(text, "services", services.markdown(sizes, heaps))
    return replaced(text, "sizes", markdown(sizes, seen))


def write():
    """Write the table of firmware/README.md anew; whether that changed it."""
    sizes, seen = device_files.sizes(), imported()
    before = README.read_text()
    after = _written(before, sizes, seen)
    README.write_text(after)
    return before != after
