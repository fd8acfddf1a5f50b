"""Each citation of a protocol page has its heading, and no file names a document that is not there."""

import re
import subprocess
from pathlib import Path

import pytest

from tools.emulator.cloud.gateway import switches as of_gateways
from tools.emulator.cloud.id2 import switches as of_id2
from tools.emulator.cloud.ota import switches as of_ota
from tools.emulator.cloud.services import switches as of_services
from tools.emulator.cloud.switches import LIMITS, SWITCHES, TIMING
from tools.emulator.cloud.thing import switches as of_thing
from tools.emulator.cloud.x509 import switches as of_x509

SELF = Path(__file__).resolve()  # its examples are wrong on purpose
ROOT = SELF.parent.parent.parent
PROTOCOL = ROOT / "firmware/protocol"
PAGES = {path.name: path.read_text("utf-8") for path in PROTOCOL.glob("*.md") if path.name != "README.md"}
HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", re.M)
HEADINGS = {name: HEADING.findall(text) for name, text in PAGES.items()}

NAME = "|".join(re.escape(name) for name in PAGES)
NUMBER = r"\d+(?:\.\d+)*"
LIST = rf"{NUMBER}(?:(?:,? (?:and|to|or) |, ){NUMBER})*(?![\d.]*\d)"
CITED = re.compile(rf"(?<![\w/.-])({NAME})`? ({LIST})")
SECTIONS = re.compile(rf"\bsections? ({LIST})")
DOCUMENT = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.md\b")

# a file of a test's own; two documents in repositories of others, which are sources of a page
ELSEWHERE = {"aliot__notes.md", "cn.zh-CN/设备接入/设备安全认证/使用ID²认证.md", "OTA安全升级.md"}
# the tables of the emulated cloud, and the page that a number counts from which stands there alone
OTHERS = (
    ("gateway.md", of_gateways),
    ("id2.md", of_id2),
    ("x509.md", of_x509),
    ("application.md", of_thing),
    ("application.md", of_ota),
    ("application.md", of_services),
)
TABLES = {}
for name, module in OTHERS:
    rows = module.SWITCHES | getattr(module, "TIMING", {}) | module.LIMITS
    TABLES[name] = TABLES.get(name, {}) | rows
TABLES["direct.md"] = {
    name: entry
    for name, entry in (SWITCHES | TIMING | LIMITS).items()
    if not any(name in table for table in TABLES.values())
}


def tracked():
    """{path from the root: text} of the repository's sources and documents."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    found = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        read = path.is_file() and path != SELF and path.suffix not in (".der", ".png")
        if read and path.parent.name != "vectors":
            found[name] = path.read_text("utf-8")
    return found


FILES = tracked()


def unwrapped(text):
    """The text with one blank where a line ends, comment signs of the next line included."""
    return re.sub(r"\s*\n[ \t]*(?:#+ )?\s*", " ", text)


def sections(page, cited):
    """The numbers of a list such as "2.1, 4 to 6 and 8" that are no heading of `page`."""
    return [f"{page} {number}" for number in re.findall(NUMBER, cited) if number not in HEADINGS[page]]


def wrong(text):
    """Each citation in `text` that has no heading."""
    return [each for page, cited in CITED.findall(unwrapped(text)) for each in sections(page, cited)]


def columns(text):
    """(page, cell) of each table in `text` that has a column named by a page."""
    page = column = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]] if line.startswith("|") else []
        if not cells:
            page = None
        elif set(cells) & set(PAGES):
            (page,) = set(cells) & set(PAGES)
            column = cells.index(page)
        elif page and not set(cells[column]) <= set("-: "):
            yield page, cells[column]


def place(page, cell):
    """(page, numbers) of a cell that holds numbers of `page`, or names another page before them."""
    named = CITED.fullmatch(cell)
    assert named or re.fullmatch(LIST, cell), cell
    return named.groups() if named else (page, cell)


def known(name, near):
    """Whether a document called `name` in the file `near` is one of the repository's."""
    paths = [(ROOT / near).parent / name, ROOT / name]
    if any(path.resolve().is_relative_to(ROOT) and path.is_file() for path in paths):
        return True
    if name in PAGES or name in ELSEWHERE:
        return True
    return "/" in name and any(each.endswith("/" + name) for each in FILES)


def test_the_pages_are_there_and_number_no_section_twice():
    assert set(PAGES) == {
        "direct.md",
        "gateway.md",
        "x509.md",
        "id2.md",
        "application.md",
        "hardware_hmac.md",
    }
    for page, numbers in HEADINGS.items():
        assert len(numbers) == len(set(numbers)) and len(numbers) > 5, page
        chapters = [int(number) for number in numbers if "." not in number]
        assert chapters == list(range(chapters[0], chapters[0] + len(chapters))), page
        assert all(number.partition(".")[0] in numbers for number in numbers), page
        assert re.findall(r"^## (?!\d)|^### (?!\d)", PAGES[page], re.M) == [], page


def test_each_citation_has_a_heading():
    faults = {name: found for name, text in FILES.items() if (found := wrong(text))}
    assert faults == {}
    cited = sum(len(CITED.findall(unwrapped(text))) for text in FILES.values())
    assert cited > 300


def test_each_table_of_sections_has_headings():
    rows = [(name, *row) for name, text in FILES.items() for row in columns(text)]
    assert len(rows) > 140
    for name, page, cell in rows:
        where, cited = place(page, cell)
        assert sections(where, cited) == [], (name, cell)


@pytest.mark.parametrize("page", TABLES)
def test_each_switch_and_figure_names_headings(page):
    for name, entry in TABLES[page].items():
        if entry.source != "-":
            where, cited = place(page, entry.source)
            assert sections(where, cited) == [], name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_refers_to_its_own_sections(page):
    text = re.sub(r"RFC \d+ section \d+", "", unwrapped(PAGES[page]))
    assert [each for cited in SECTIONS.findall(text) for each in sections(page, cited)] == []


def test_no_file_names_a_document_that_is_not_there():
    faults = {}
    for name, text in FILES.items():
        missing = sorted({each for each in DOCUMENT.findall(text) if not known(each, name)})
        if missing:
            faults[name] = missing
    assert faults == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("direct.md 5.1 and 5.2. Pure.", []),
        ("`direct.md` 99", ["direct.md 99"]),
        ("(gateway.md 6.1)", []),
        ("(gateway.md 6.9)", ["gateway.md 6.9"]),
        ("direct.md 2 to 40", ["direct.md 40"]),
        ("x509.md 2, 3 and 88; 4 of them", ["x509.md 88"]),
        ("id2.md\n    1.4, 2.9).", ["id2.md 2.9"]),
        ("# direct.md 2.1, 4 and\n# 77 (8)", ["direct.md 77"]),
        ("direct.md 1.1.1", ["direct.md 1.1.1"]),
        ("id2.md 6, 7000 of them", ["id2.md 7000"]),
        ("guides/gateway.md 99", []),
    ],
)
def test_a_wrong_number_is_found_however_it_is_written(text, found):
    assert wrong(text) == found


def test_a_table_and_a_missing_page_are_found_too():
    table = "| what | direct.md |\n|---|---|\n| a | 1.1, 99 |\n| b | x509.md 2 |\n\n| a | 1 |"
    assert list(columns(table)) == [("direct.md", "1.1, 99"), ("direct.md", "x509.md 2")]
    assert sections("direct.md", "1.1, 99") == ["direct.md 99"]
    assert known("direct.md", "tools/emulator/regions.py") and known("README.md", "tools/ca/README.md")
    assert known("aliot/id2/README.md", "host_tests/system/id2/test_variants.py")
    assert not known("nowhere.md", "README.md") and not known("tools/README.md/nowhere.md", "README.md")
