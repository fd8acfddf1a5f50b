"""The association file: ProductKey, DeviceName and CertSN by row, and its checks (x509.md 3.2). Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools import serials

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.turns import Steps

HEADER = ("ProductKey", "DeviceName", "CertSN")


class Unusable(Exception):
    """The file as a whole cannot be taken; `rows` are the bad ones, as (line, what is wrong)."""

    def __init__(self, text, rows=()):
        super().__init__(text)
        self.rows = list(rows)


@dataclass(frozen=True)
class Row:
    line: int
    product_key: str
    device_name: str
    serial: str


def rows(text: str, most: int) -> Steps[list[tuple[int, list[str]]]]:
    """[(line, fields)] after the header; raises `Unusable` for no header, no rows or more than `most`."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    found = []
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if any(fields):
                found.append((reader.line_num, fields))
            yield
    except csv.Error as error:
        raise Unusable(f"line {reader.line_num} is not CSV: {error}") from None
    if not found or tuple(found[0][1]) != HEADER:
        raise Unusable(f"the first line must be {','.join(HEADER)}")
    if len(found) == 1:
        raise Unusable("the file has no rows")
    if len(found) - 1 > most:
        raise Unusable(f"the file has {len(found) - 1} rows, which is more than {most}")
    return found[1:]


def check(
    text: str,
    most: int,
    product_of: Callable[[str], Product],
    refusal: Callable[[str, str, str], str | None],
) -> Steps[list[Row]]:
    """The `Row`s of a file that is good in all its rows; raises `Unusable` with all that are not.

    `product_of(pk)` gives a product that may have X.509 devices, or raises
    ValueError; `refusal(product_key, device_name, serial)` says why a serial
    may not be bound to a device, or None.
    """
    found = yield from rows(text, most)
    first = found[0][1][0]
    try:
        product = product_of(first)
    except ValueError as error:
        raise Unusable(str(error)) from None
    good, bad = [], []
    seen: dict[tuple[str, str], int] = {}
    for line, fields in found:
        try:
            row = read(line, fields, first, product)
            repeated(row, seen)
            reason = refusal(row.product_key, row.device_name, row.serial)
            if reason:
                raise ValueError(reason)
            good.append(row)
        except ValueError as error:
            bad.append((line, str(error)))
        yield
    if bad:
        raise Unusable(f"{len(bad)} of {len(found)} rows are bad; none was applied", bad)
    return good


def read(line: int, fields: list[str], product_key: str, product: Product) -> Row:
    if len(fields) != len(HEADER):
        raise ValueError(f"there are {len(fields)} fields, not {len(HEADER)}")
    if fields[0] != product_key:
        raise ValueError(f"ProductKey {fields[0]!r} is another than in the first row")
    if fields[1] not in product.devices:
        raise ValueError(f"there is no device {fields[1]!r} in this product")
    return Row(line, product_key, fields[1], serials.normal(fields[2]))


def repeated(row: Row, seen: dict[tuple[str, str], int]) -> None:
    """Notes a row in `seen`; raises ValueError if its serial or its device was there before."""
    for value, text in (
        (("serial", row.serial), f"CertSN {row.serial}"),
        (("device", row.device_name), f"DeviceName {row.device_name}"),
    ):
        earlier = seen.setdefault(value, row.line)
        if earlier != row.line:
            raise ValueError(f"{text} stands in line {earlier} already")
