"""The list of devices to issue for: a CSV with ProductKey and DeviceName, or only DeviceName."""

import csv
import io

from tools.ca import disk, names
from tools.errors import UserError

_LIMIT = 64 << 20


def table(path):
    """The rows of a CSV file as [(line, [cell, ...])] without empty lines; UserError if it is not text."""
    data = disk.read(path, _LIMIT)
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


def column(header, name):
    """The place of a column in a header row, spaces and case aside; None if it is not there."""
    wanted = name.lower()
    plain = [cell.replace(" ", "").lower() for cell in header]
    return plain.index(wanted) if wanted in plain else None


def read(path, product_key=None):
    """([(product_key, device_name), ...], [fault line, ...]) of the CSV file at `path`.

    Without a column ProductKey (the console's own list of names has none)
    `product_key` is the product of all; with one it must agree.
    """
    rows = table(path)
    if not rows:
        raise UserError(f"{path} is empty; its first line is ProductKey,DeviceName")
    header, body = rows[0][1], rows[1:]
    name_at, product_at = column(header, "DeviceName"), column(header, "ProductKey")
    if name_at is None:
        raise UserError(f"{path} has no column DeviceName in its first line; it is ProductKey,DeviceName")
    if product_at is None and product_key is None:
        raise UserError(f"{path} has no column ProductKey; name the product with --product")
    if not body:
        raise UserError(f"{path} has a header but no devices")
    devices, faults, seen = [], [], {}
    for line, cells in body:
        name = cells[name_at] if name_at < len(cells) else ""
        product = product_key if product_at is None else cells[product_at] if product_at < len(cells) else ""
        fault = _fault(product, name, product_key, seen)
        seen.setdefault((product, name), line)
        if fault:
            faults.append(f"{path}, line {line}: {fault}")
        else:
            devices.append((product, name))
    return devices, faults


def _fault(product, name, wanted, seen):
    if wanted and product != wanted:
        return f"ProductKey {product!r} is not {wanted}, which --product names"
    if (product, name) in seen:
        return f"{product},{name} stands in line {seen[product, name]} already"
    return names.product_key_fault(product) or names.device_name_fault(name)
