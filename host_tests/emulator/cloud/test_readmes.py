"""The READMEs beside the cloud's sources: their tables are those of `switches.py`, and they name all else there is.

`ALIOT_GOLDEN=write` writes the tables anew.
"""

import json
import os

import pytest

from host_tests.support.paths import ROOT
from host_tests.support.readme_table import replaced
from tools.emulator.cloud import admin, faults, switches
from tools.emulator.cloud.centres import switches as of_centres
from tools.emulator.cloud.gateway import switches as of_gateways
from tools.emulator.cloud.id2 import switches as of_id2
from tools.emulator.cloud.itls.faults import SPOILS, framings
from tools.emulator.cloud.ota import switches as of_ota
from tools.emulator.cloud.services import switches as of_services
from tools.emulator.cloud.setting import OrderOf, SomeOf, Switch
from tools.emulator.cloud.thing import switches as of_thing
from tools.emulator.cloud.x509 import switches as of_x509

FOLDER = ROOT / "tools" / "emulator" / "cloud"
ADMIN = ROOT / "tools/emulator/cloud/admin.md"
WRITE = os.environ.get("ALIOT_GOLDEN") == "write"
BYTES = 15 * 1024
KINDS = ("SWITCHES", "TIMING", "LIMITS")
# folder -> (the module with its tables, the page that a number counts from which stands there alone)
MODULES = {
    "centres": (of_centres, "direct.md"),
    "gateway": (of_gateways, "gateway.md"),
    "id2": (of_id2, "id2.md"),
    "ota": (of_ota, "application.md"),
    "services": (of_services, "application.md"),
    "thing": (of_thing, "application.md"),
    "x509": (of_x509, "x509.md"),
}
ROOMS = {
    (folder, kind): (getattr(module, kind), page)
    for folder, (module, page) in MODULES.items()
    for kind in KINDS
    if getattr(module, kind, None)
}
OWN = {
    (".", kind): (
        {
            name: entry
            for name, entry in getattr(switches, kind).items()
            if not any(name in table for (_, other), (table, _) in ROOMS.items() if other == kind)
        },
        "direct.md",
    )
    for kind in KINDS
}
TABLES = OWN | ROOMS
PAGES = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.md")}


def code(value):
    """A value as cloud.toml writes it."""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def others(switch):
    """What a switch may be beside its default."""
    allowed = switch.allowed
    if isinstance(allowed, range):
        return f"{allowed[0]} to {allowed[-1]}"
    if isinstance(allowed, OrderOf):
        return f"the same {len(allowed.names)} names in any order"
    if isinstance(allowed, SomeOf) and allowed.names == switches.REGIONS:
        return "any list of regions"
    if isinstance(allowed, SomeOf):
        return "any list of " + ", ".join(map(code, allowed.names))
    return ", ".join(code(value) for value in allowed)


def markdown(table, page):
    """The table of a README, one row for each switch or figure."""
    if isinstance(next(iter(table.values())), Switch):
        lines = [f"| switch | default | or | {page} | what it decides |", "|---|---|---|---|---|"]
    else:
        lines = [f"| figure | default | at least | {page} | what it bounds |", "|---|---|---|---|---|"]
    for name, entry in table.items():
        bound = others(entry) if isinstance(entry, Switch) else entry.low
        lines.append(f"| `{name}` | {code(entry.default)} | {bound} | {entry.source} | {entry.meaning} |")
    return "\n".join(lines)


@pytest.mark.parametrize(("folder", "kind"), TABLES)
def test_a_table_of_a_readme_is_that_of_its_switches(folder, kind):
    path = FOLDER / folder / "README.md"
    text = path.read_text()
    expected = replaced(text, kind.lower(), markdown(*TABLES[folder, kind]))
    if WRITE:
        path.write_text(expected)
    assert WRITE or text == expected


@pytest.mark.parametrize("kind", KINDS)
def test_each_switch_and_figure_has_its_row_in_one_readme(kind):
    for name, entry in getattr(switches, kind).items():
        rows = [table[name] for (_, other), (table, _) in TABLES.items() if other == kind and name in table]
        assert rows == [entry], name
        beginning = f"| `{name}` | {code(entry.default)} |"
        assert sum(text.count(beginning) for text in PAGES.values()) == 1, name


def test_each_route_stands_in_the_page_beside_it():
    for method, pattern, _, function in admin.ROUTES:
        *folders, _ = function.__module__.removeprefix("tools.emulator.cloud.").split(".")
        page = "/".join([*folders, "README.md"]) if folders else ADMIN.name
        assert f"`{method} {pattern}`" in PAGES[page], pattern


def test_each_fault_and_stage_stands_in_a_page():
    text = "\n".join(PAGES.values())
    for kind, (_, parameters) in faults.KINDS.items():
        assert text.count(f"\n| `{kind}` |") == 1, kind
        for name in parameters:
            assert f"`{name}`" in text, name
    for stages in faults.STAGES.values():
        for stage in stages:
            assert f"`{stage}`" in text, stage
    for stage, spoils in SPOILS.items():
        for what in (*spoils, *framings(stage)):
            assert f"`{what}`" in PAGES["itls/README.md"], what


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_in_one_sitting(name):
    assert len(PAGES[name].encode()) <= BYTES
