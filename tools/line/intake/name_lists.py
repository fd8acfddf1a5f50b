"""Lists of MACs and of DeviceNames, for products whose devices register: in, and out again for the console."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools import spreadsheet
from tools.errors import UserError
from tools.image.identity import spellings
from tools.line.device_names import check as check_name
from tools.line.device_names import mac as mac_of
from tools.line.intake.tables import BadRows, Taken
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger

# one upload of the console takes what one BatchCheckDeviceNames call takes: 10,000 names, 1,000 for
# products that authenticate with X.509, and drops the rest without a word (Cloud API page of
# BatchCheckDeviceNames: documented for the call; inferred for the console's upload)
PIECE = 10_000


PIECE_X509 = 1_000


_MAC_HEADERS = (
    "mac",
    "macaddress",
    "macaddr",
    "basemac",
    "wifimac",
    "wlanmac",
    "stamac",
    "mac地址",
    "物理地址",
)


def macs(data: bytes) -> list[str]:
    """The MACs in a list, one a line or in the column of a CSV that is headed MAC or holds them; UserError
    names every bad line.
    """
    rows = [
        (line, cells) for line, cells in spreadsheet.records(data, _is_mac) if not cells[0].startswith("#")
    ]
    head, at = _mac_column(rows)
    found: dict[str, int] = {}
    bad: list[tuple[int | str, str]] = []
    for number, cells in rows[head:]:
        cell = cells[at] if at < len(cells) else ""
        try:
            mac = mac_of(cell)
        except UserError as error:
            was = spreadsheet.mangled(cell, 12)
            bad.append((number, f"'{spellings.shown(cell)}' {was}" if was else str(error)))
            continue
        if mac in found:
            bad.append((number, f"is the same MAC as line {found[mac]}"))
        found.setdefault(mac, number)
    if bad:
        raise BadRows(bad)
    if not found:
        raise UserError("there is no MAC in it: one a line, or a CSV with a column MAC")
    return list(found)


def _mac_column(rows):
    """(how many rows stand above the list, index of the column) of the MACs; UserError for two columns of them."""
    for number, (line, cells) in enumerate(rows[:20]):
        heads = [index for index, cell in enumerate(cells) if spellings.plain(cell) in _MAC_HEADERS]
        if len(heads) > 1:
            raise UserError(f"line {line}: two columns are MACs; leave one in the file")
        if heads:
            return number + 1, heads[0]
    wide = max((len(cells) for _, cells in rows), default=0)
    counts = [sum(_is_mac(cells[at]) for _, cells in rows if at < len(cells)) for at in range(wide)]
    return 0, counts.index(max(counts)) if counts else 0


def _is_mac(cell):
    try:
        return bool(mac_of(cell))
    except UserError:
        return False


def take_names(ledger: Ledger, product: Product, device_names: Sequence[str], who: Who) -> Taken:
    """Take DeviceNames without secrets in, for a product whose devices register; returns Taken."""
    for name in device_names:
        check_name(name)
    rows: list[tuple[str, dict[str, str]]] = [(name, {}) for name in device_names]
    taken = ledger.add_batches({product.product_key: rows}, who, products=[product])
    return Taken(taken.new, taken.known, [])


def pieces(device_names: Sequence[str], size: int = PIECE) -> Iterator[str]:
    """Texts of the CSVs to upload for pre-registration: at most `size` names each, header in the
    first row.
    """
    for start in range(0, len(device_names), size):
        yield "DeviceName\r\n" + "".join(f"{name}\r\n" for name in device_names[start : start + size])


def write_pieces(device_names: Sequence[str], folder: Path | str, stem: str, size: int = PIECE) -> list[str]:
    """Write the pieces into a folder; returns their paths. Existing files are never overwritten."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for number, text in enumerate(pieces(device_names, size), 1):
        path = os.path.join(folder, f"{stem}-{number:03d}.csv")
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            raise UserError(f"{path} is there already; give another folder with --out") from None
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from None
        paths.append(path)
    return paths
