"""Lists out of spreadsheets: one reader of CSV for all verbs, and what a spreadsheet does to names.

A list is UTF-8 with or without a BOM, UTF-16, GBK or a Western code page; its cells stand between commas, semicolons,
tabs or bars, as a line `sep=;` or the header says; titles may stand above the header.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.errors import UserError

LIMIT = 64 << 20  # bytes: more is no list of devices
_DELIMITERS = ",;\t|"
_ABOVE = 20  # records in which the header is looked for


@dataclass(frozen=True)
class Table:
    """`header`: the cells of the line `line`; `rows`: (line, cells) of what follows and is not empty."""

    line: int
    header: list[str]
    rows: Iterator[tuple[int, list[str]]] = field(repr=False)
    encoding: str = ""


def load(path: Path | str) -> bytes:
    """A file's bytes. UserError when it cannot be read, or is far too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise UserError(f"{path} is larger than {LIMIT >> 20} MB; that is no list of devices")
    return data


def decode(data: bytes) -> tuple[str, str]:
    """(text, encoding) of a CSV's bytes; UserError when they are no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        tries: tuple[str, ...] = ("utf-16",)
    else:
        tries = ("utf-8-sig", "gb18030", "cp1252")
    for encoding in tries:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.lstrip("\ufeff"), encoding
    raise UserError("it is no CSV text (neither UTF-8 nor GBK); a spreadsheet must be saved as CSV first")


def read(data: bytes, known: Callable[[str], object]) -> Table:
    """The `Table` in a CSV's bytes; `known(cell)` is true for a cell that heads a column.

    The header is the record near the top with most such cells; where there is none, the first record.
    """
    text, encoding = decode(data)
    first, declared, text = _declared(text)
    delimiter = max(declared + _DELIMITERS, key=lambda one: _score(text, one, known))
    above = 0
    heads = [_heads(cells, known) for _, cells in _top(text, delimiter)]
    if heads and max(heads):
        above = heads.index(max(heads))
    rows = (row for row in _records(text, delimiter, first) if any(row[1]))
    for number, (line, cells) in enumerate(rows):
        if number == above:
            return Table(line, cells, rows, encoding)
    raise UserError("the file is empty")


def records(data: bytes, fits: Callable[[str], object]) -> list[tuple[int, list[str]]]:
    """(line, cells) of a CSV without a header that can be relied on: those delimiters whose cells `fits` most often."""
    first, declared, text = _declared(decode(data)[0])

    def score(delimiter):
        return sum(bool(fits(cell)) for _, cells in _top(text, delimiter) for cell in cells)

    delimiter = max(declared + _DELIMITERS, key=score)
    return [row for row in _records(text, delimiter, first) if any(row[1])]


def _declared(text):
    """(number of the first line, delimiter or "", rest) of a text that may begin with the line `sep=;` of Excel."""
    found = re.match(r'"?sep=(.)"?[;,\t ]*\r?\n', text, re.IGNORECASE)
    return (2, found[1], text[found.end() :]) if found else (1, "", text)


def _score(text, delimiter, known):
    """How well a delimiter fits: cells of the best header, then how often it stands in the first line."""
    heads = max((_heads(cells, known) for _, cells in _top(text, delimiter)), default=0)
    return heads, text.lstrip().split("\n", 1)[0].count(delimiter)


def _heads(cells, known):
    return sum(bool(known(cell)) for cell in cells)


def _top(text, delimiter):
    """The first records that are not empty, as far as they are CSV."""
    found = []
    try:
        for row in _records(text[: 1 << 16], delimiter):
            if any(row[1]):
                found.append(row)
            if len(found) == _ABOVE:
                break
    except UserError:
        pass
    return found


def _records(text, delimiter, first=1):
    """(line, cells) of each record; the line is the one where the record begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = first
    try:
        for cells in reader:
            yield line, [_clean(cell) for cell in cells]
            line = first + reader.line_num
    except csv.Error as error:
        raise UserError(f"line {line}: it is no CSV from here on ({error})") from None


def _clean(cell):
    """A cell without blanks around it and without the ="..." by which spreadsheets are told to leave it alone."""
    cell = cell.strip()
    guarded = re.fullmatch(r'="([^"]*)"', cell)
    return guarded[1] if guarded else cell


# -- what a spreadsheet makes of names ------------------------------------------------------------------

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb",
            "mar mrz mär",
            "apr",
            "may mai",
            "jun",
            "jul",
            "aug",
            "sep sept",
            "oct okt",
            "nov",
            "dec dez",
        ),
        1,
    )
    for name in names.split()
}
_EXACT = 15  # digits of a number that a spreadsheet keeps


def mangled(name: str, width: int = 0) -> str | None:
    """What a spreadsheet seems to have made of a name, with what it may have been; None when nothing shows.

    `width`: how many digits names of the same list have, where they are numbers.
    """
    return _date(name) or _number(name, width)


def _date(name):
    day = re.fullmatch(r"([0-9]{1,2})[-. ]+([^\W\d_]{3,4})\.?", name)
    if day and (month := _MONTHS.get(day[2].lower())):
        short = day[2].upper()
        return _was(
            "a date",
            f"{month:02d}-{int(day[1]):02d}",
            f"{int(day[1]):02d}-{month:02d}",
            f"{short}{int(day[1])}",
        )
    year = re.fullmatch(r"([^\W\d_]{3,4})\.?[-. ]+([0-9]{2})", name)
    if year and year[1].lower() in _MONTHS:
        return _was("a date", f"{year[1].upper()}{year[2]}", f"{year[1].upper()}-20{year[2]}")
    day = re.fullmatch(r"([0-9]{1,2})月([0-9]{1,2})日", name)
    if day:
        return _was("a date", f"{day[1]}-{day[2]}", f"{int(day[1]):02d}-{int(day[2]):02d}")
    day = re.fullmatch(r"(?:20|19)[0-9]{2}([-/.])([0-9]{1,2})\1([0-9]{1,2})(?: 0?0:00(:00)?)?", name)
    if day:
        return _was("a date", f"{day[2]}-{day[3]}", f"{int(day[2]):02d}-{int(day[3]):02d}")
    if re.fullmatch(r"[0-9]{1,2}([/.])[0-9]{1,2}\1(19|20)?[0-9]{2}", name):
        return _was("a date", re.sub("[/.]", "-", name))
    return None


def _number(name, width):
    found = re.fullmatch(r"([0-9])(?:[.,]([0-9]+))?E([+-]?)([0-9]+)", name)
    if found and (found[2] or found[3]):
        digits = (found[1] + (found[2] or "")).rstrip("0")
        rest = int(found[3] + found[4]) - len(digits) + 1
        plain = (
            [f"a number of {int(found[4]) + 1} digits that begins with {digits}"]
            if 4 <= int(found[4]) < 32
            else []
        )
        return _was("a number", f"{digits}E{rest}", *plain)
    if re.fullmatch(r"[0-9]+", name):
        if len(name) > _EXACT and not name[_EXACT:].strip("0"):
            return f"looks like a number whose digits after the {_EXACT}th a spreadsheet made zeros"
        if len(name) < max(width, 4):
            return _was("a number without its zeros", name.zfill(max(width, 4)))
    if re.fullmatch(r"#[A-Z/0]+[?!]?", name):
        return "is what a spreadsheet writes for a formula that is wrong; it may have begun with -, @ or ="
    return None


def _was(kind, *likely):
    long = dict.fromkeys(text for text in likely if len(text) >= 4)  # of a DeviceName
    return f"looks like {kind} that a spreadsheet made; it may have been {' or '.join(long or likely)}"


def width(names: Iterable[str]) -> int:
    """How many digits the longest of the names has that are numbers; 0 when none is."""
    return max((len(name) for name in names if re.fullmatch(r"[0-9]+", name)), default=0)
