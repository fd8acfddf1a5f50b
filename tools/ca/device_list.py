"""The list of devices to issue for: a CSV with ProductKey and DeviceName, or only DeviceName."""

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import files, spreadsheet
from tools.ca import names
from tools.errors import UserError
from tools.image.identity import spellings

_LIMIT = 64 << 20


def table(path: Path | str) -> list[tuple[int, list[str]]]:
    """The rows of an association file as [(line, [cell, ...])] without empty lines; UserError if it is not text.

    It is read as the console reads it, which takes UTF-8 and commas.
    """
    data = files.read(path, _LIMIT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8; save it as 'CSV UTF-8'") from None
    if "\0" in text:
        raise UserError(f"{path} is not a CSV file: it holds zero bytes")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    return rows


def column(header: Sequence[str], name: str) -> int | None:
    """The place of a column in a header row, spaces and case aside; None if it is not there."""
    wanted = name.lower()
    plain = [cell.replace(" ", "").lower() for cell in header]
    return plain.index(wanted) if wanted in plain else None


def read(
    path: Path | str, product_key: str | None = None, warn: Callable[[str], object] = lambda line: None
) -> tuple[list[tuple[str, str]], list[str]]:
    """([(product_key, device_name), ...], [fault line, ...]) of the CSV file at `path`.

    It is read as `line intake` reads it (tools.spreadsheet). Without a column ProductKey (the console's own list of
    names has none) `product_key` is the product of all; with one it must agree. `warn` hears a line for each name
    that a spreadsheet seems to have changed.
    """
    with _named(path):
        sheet = spreadsheet.read(files.read(path, _LIMIT), spellings.field)
        rows = list(sheet.rows)
    columns = {spellings.field(cell): index for index, cell in reversed(list(enumerate(sheet.header)))}
    if "device_name" not in columns:
        raise UserError(f"{path} has no column DeviceName in line {sheet.line}; it is ProductKey,DeviceName")
    if "product_key" not in columns and product_key is None:
        raise UserError(f"{path} has no column ProductKey; name the product with --product")
    if not rows:
        raise UserError(f"{path} has a header but no devices")
    return _devices(path, rows, columns, product_key, warn)


def _devices(path, rows, columns, product_key, warn):
    def cell(cells, column):
        return cells[columns[column]] if columns[column] < len(cells) else ""

    width = spreadsheet.width(cell(cells, "device_name") for _, cells in rows)
    devices, faults, seen = [], [], {}
    for line, cells in rows:
        name = cell(cells, "device_name")
        product = cell(cells, "product_key") if "product_key" in columns else product_key
        fault = _fault(product, name, product_key, seen)
        was = spreadsheet.mangled(name, width)
        seen.setdefault((product, name), line)
        if fault:
            fault_text = f"DeviceName {name} {was}" if was and names.device_name_fault(name) else fault
            faults.append(f"{path}, line {line}: {fault_text}")
        else:
            devices.append((product, name))
            if was:
                warn(f"{path}, line {line}: DeviceName {name} {was}")
    return devices, faults


@contextmanager
def _named(path):
    """Puts the file's name before what is wrong with its content."""
    try:
        yield
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from None


def _fault(product, name, wanted, seen):
    if wanted and product != wanted:
        return f"ProductKey {product!r} is not {wanted}, which --product names"
    if (product, name) in seen:
        return f"{product},{name} stands in line {seen[product, name]} already"
    return names.product_key_fault(product) or names.device_name_fault(name)
