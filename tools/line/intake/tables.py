"""What comes into the ledger: the console's CSV of created devices, X.509 pairs, ID² identities.

The console's download comes as it is or as a spreadsheet saved it again (tools.spreadsheet); its columns
come in any order and under any of the names that identities are spelled with. One bad row stops the whole
file, unless bad rows are to be skipped. A row that a spreadsheet seems to have changed is reported as a warning.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools import spreadsheet
from tools.errors import UserError
from tools.image.identity import endpoint, id2, spellings
from tools.line import identities
from tools.line.intake import pairs
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger

HEADERS = spellings.SPELLINGS
# kind -> the columns that its identities have beside ProductKey and DeviceName
COLUMNS = {
    "device": ("device_secret",),
    "x509": ("certificate", "private_key"),
    "id2": ("id2", "id2_key", "id2_type"),
}


load = spreadsheet.load


@dataclass
class Sheet:
    """What was read: good rows of one kind, and what is wrong with the others as (place, message).

    A place is a line number, or a file's name in a folder. `warned`: the same of rows that are good but do not
    look as they did before a spreadsheet had them.
    """

    kind: str = "device"
    rows: list["Row"] = field(default_factory=list)
    bad: list[tuple[int | str, str]] = field(default_factory=list)
    encoding: str = ""
    warned: list[tuple[int | str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """`fields`: what is sealed of it, {name: text}."""

    line: int | str
    product_key: str
    device_name: str
    fields: dict[str, str] = field(repr=False)


def read(data: bytes, product_key: str | None = None, folder: str = ".") -> Sheet:
    """The Sheet in a CSV's bytes; files that it names lie relative to `folder`.

    `product_key` stands in for a missing column. UserError when no header row
    is found or a column is missing: then nothing can be said about rows.
    """
    table = spreadsheet.read(data, spellings.field)
    kind, columns = _header(table, product_key)
    rows = list(table.rows)
    at = columns["device_name"]
    width = spreadsheet.width(cells[at] for _, cells in rows if at < len(cells))
    found = (
        (
            number,
            *_row(number, cells, columns, product_key=product_key, kind=kind, folder=folder, width=width),
        )
        for number, cells in rows
    )
    sheet = _gathered(Sheet(kind, encoding=table.encoding), found, "there is no device in it, only a header")
    mangled = ((row.line, row.device_name, spreadsheet.mangled(row.device_name, width)) for row in sheet.rows)
    sheet.warned += [(line, f"DeviceName {name} {message}") for line, name, message in mangled if message]
    return sheet


def read_folder(path: str, product_key: str | None = None) -> Sheet:
    """The Sheet of a folder of certificates and keys."""
    found = (
        (file, None, wrong or f"is of product {key[:20]}, not of {product_key}")
        if wrong or product_key and key != product_key
        else (file, Row(file, key, name, fields or {}), None)
        for file, key, name, fields, wrong in pairs.folder(path)
    )
    return _gathered(Sheet("x509"), found, f"there is no certificate in {path}")


def _gathered(sheet, found, nothing):
    """The sheet with each (place, Row or None, what is wrong or None) that was found."""
    seen = {}
    for place, row, wrong in found:
        wrong = wrong or _again(row, seen)
        if wrong:
            sheet.bad.append((place, wrong))
        else:
            sheet.rows.append(row)
    if not sheet.rows and not sheet.bad:
        raise UserError(nothing)
    return sheet


def _header(table, product_key):
    """(kind, {column: index}) of a table's header."""
    number, cells = table.line, table.header
    places = {}
    for index, cell in enumerate(cells):
        places.setdefault(spellings.field(cell), []).append(index)
    kind = max(COLUMNS, key=lambda one: sum(column in places for column in COLUMNS[one]) / len(COLUMNS[one]))
    needed = ["device_name", *COLUMNS[kind]] + ([] if product_key else ["product_key"])
    for column in {*needed, "product_key"}:
        if len(places.get(column, ())) > 1:
            raise UserError(f"line {number}: two columns are a {HEADERS[column][0]}")
    missing = [HEADERS[column][0] for column in needed if column not in places]
    if missing:
        raise UserError(
            f"line {number}: the header names no {' and no '.join(missing)} "
            f"(it has: {', '.join(spellings.shown(cell)[:20] for cell in cells)[:120]})"
        )
    return kind, {column: places[column][0] for column in {*needed, "product_key"} if column in places}


def _row(number, cells, columns, *, product_key, kind, folder, width=0):
    """(Row, None) or (None, what is wrong)."""

    def cell(column):
        index = columns.get(column)
        return cells[index] if index is not None and index < len(cells) else ""

    if len(cells) <= max(columns.values()):
        return None, f"has {len(cells)} cells, the header has {max(columns.values()) + 1} or more"
    key = cell("product_key") or (product_key if "product_key" not in columns else "")
    if product_key and key != product_key:
        return None, f"is of product {key[:20]}, not of {product_key}"
    name = cell("device_name")
    problem = _wrong("product_key", key)
    if not problem and (problem := _wrong("device_name", name)) and (was := spreadsheet.mangled(name, width)):
        problem = f"DeviceName {name} {was}"
    if problem:
        return None, problem
    values = {column: cell(column) for column in COLUMNS[kind]}
    try:
        return Row(number, key, name, _FIELDS[kind](values, folder)), None
    except UserError as error:
        return None, str(error)


def _own_secret(values, folder):
    wrong = _wrong("device_secret", values["device_secret"])
    if wrong:
        raise UserError(wrong)
    return values


def _pair(values, folder):
    for column, name in values.items():
        if not name:
            raise UserError(f"has no {HEADERS[column][0]}")
    return pairs.load(*(os.path.join(folder, name) for name in values.values()))


def _id2(values, folder):
    values["id2_type"] = values["id2_type"].upper().replace("-", "_")
    for column, value in values.items():
        problem = _wrong(column, value)
        if problem:
            raise UserError(problem)
    return id2.checked_key(values)


_FIELDS = {"device": _own_secret, "x509": _pair, "id2": _id2}


def _wrong(field, text):
    """What is wrong with a cell by the rules of an identity, or None."""
    title = HEADERS[field][0]
    if not text:
        return f"has no {title}"
    problem = endpoint.wrong(field, text, title)
    return f"its {problem}" if problem and field in (*endpoint.SECRETS, "id2") else problem


def _again(row, seen):
    """What is wrong with a row whose name, certificate or ID was there before; the very same row again too."""
    before = seen.setdefault((row.product_key, row.device_name), row)
    if before is not row:
        if before.fields == row.fields:
            return f"is the same device as {_place(before.line)}"
        secret = HEADERS[next(iter(row.fields))][0]
        return f"DeviceName {row.device_name} was in {_place(before.line)} with another {secret}"
    mark = identities.mark(identities.public(row.fields))
    before = seen.setdefault(mark, row) if mark else row
    return None if before is row else f"{mark[0]} {mark[1]} was in {_place(before.line)} already"


def _place(line):
    return f"line {line}" if isinstance(line, int) else line


@dataclass(frozen=True)
class Taken:
    """What one intake did: new, known and renewed identities, and the rows that were skipped."""

    new: int
    known: int
    bad: list[tuple[int | str, str]]
    renewed: int = 0
    warned: list[tuple[int | str, str]] = field(default_factory=list)


def take_csv(
    ledger: Ledger,
    data: bytes,
    who: Who,
    name: str = "",
    product_key: str | None = None,
    skip_bad: bool = False,
) -> Taken:
    """Take a CSV into the ledger, all of it or nothing; with `skip_bad`, its good rows.

    Returns Taken. UserError lists every bad row with its line when any is bad
    and they are not to be skipped.
    """
    return take(ledger, read(data, product_key, os.path.dirname(name)), who, name, skip_bad)


def take(
    ledger: Ledger, sheet: Sheet, who: Who, name: str = "", skip_bad: bool = False, renew: bool = False
) -> Taken:
    """Take what was read into the ledger; as `take_csv`. What is in it then is read back and compared.

    With `renew`, a known device gets the secret, certificate or ID of its row in place of the one it has.
    """
    bad = sheet.bad + _clashes(ledger, sheet, renew)
    if bad and not skip_bad:
        raise BadRows(sorted(bad, key=_order))
    wrong = {line for line, _ in bad}
    rows = [row for row in sheet.rows if row.line not in wrong]
    batches: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for row in rows:
        batches.setdefault(row.product_key, []).append((row.device_name, row.fields))
    note = os.path.basename(os.path.normpath(name))[:200] if name else None
    taken = ledger.add_batches(
        batches, who, note=note, products=[Product(key, sheet.kind) for key in batches], renew=renew
    )
    for key, batch in batches.items():
        if ledger.known_secrets(key, [device for device, _ in batch]) != dict(batch):
            raise UserError(
                f"the ledger gives back other secrets for {key} than it was given; check its disk"
            )
    warned = [(line, message) for line, message in sheet.warned if line not in wrong]
    return Taken(taken.new, taken.known, sorted(bad, key=_order), taken.renewed, warned)


def _order(found):
    return (0, found[0], "") if isinstance(found[0], int) else (1, 0, found[0])


def _clashes(ledger, sheet, renew=False):
    """Rows that are good in themselves but contradict the ledger."""
    names_by_key = {}
    for row in sheet.rows:
        names_by_key.setdefault(row.product_key, []).append(row.device_name)
    known = {key: ledger.known_secrets(key, wanted) for key, wanted in names_by_key.items()}
    columns = [identities.public(row.fields) for row in sheet.rows] if sheet.kind != "device" else []
    taken = ledger.holders(columns) if columns else {}
    bad = []
    for row in sheet.rows:
        stored = known[row.product_key].get(row.device_name)
        holder = taken and taken.get(identities.mark(identities.public(row.fields)))
        if stored is not None and stored != row.fields and not renew:
            bad.append(
                (
                    row.line,
                    f"DeviceName {row.device_name} is in the ledger with another {_SECRET_OF_KIND[sheet.kind]}",
                )
            )
        elif holder and holder != (row.product_key, row.device_name):
            mark = identities.mark(identities.public(row.fields))
            bad.append((row.line, f"{mark[0]} {mark[1]} is {'/'.join(holder)}'s in the ledger"))
    return bad


_SECRET_OF_KIND = {"device": "secret", "x509": "certificate", "id2": "ID or key"}


class BadRows(UserError):
    """Rows that stopped an intake: `rows` is [(place, message)]."""

    SHOWN = 20

    def __init__(self, rows: Sequence[tuple[int | str, str]]) -> None:
        self.rows = rows
        lines = "; ".join(f"{_place(line)}: {message}" for line, message in rows[: self.SHOWN])
        more = f"; and {len(rows) - self.SHOWN} more" if len(rows) > self.SHOWN else ""
        super().__init__(
            f"{len(rows)} bad row{'s' if len(rows) > 1 else ''}, nothing was taken in: {lines}{more}. "
            "Mend them, or take the good ones with --skip-bad"
        )


def sub_products(data: bytes) -> tuple[tuple[str, str | None], ...]:
    """((ProductKey, ProductSecret or None), ...) in a CSV of products of sub-devices."""
    table = spreadsheet.read(data, spellings.field)
    columns = {spellings.field(cell): index for index, cell in enumerate(table.header)}
    if "product_key" not in columns:
        raise UserError(
            "the header names no ProductKey (ProductSecret is for products that register by proxy)"
        )
    found: dict[str, str | None] = {}
    bad: list[tuple[int | str, str]] = []
    for number, cells in table.rows:
        key, secret = (
            cells[at] if (at := columns.get(name, len(cells))) < len(cells) else ""
            for name in ("product_key", "product_secret")
        )
        problem = _wrong("product_key", key) or secret and _wrong("product_secret", secret)
        if problem:
            bad.append((number, problem))
        elif key in found:
            bad.append((number, f"ProductKey {key} was there before"))
        else:
            found[key] = secret or None
    if bad:
        raise BadRows(bad)
    return tuple(found.items())
