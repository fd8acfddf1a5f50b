"""The association file: which certificate serial is which device, for the console (x509.md 3.2)."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools import files
from tools.errors import UserError

if TYPE_CHECKING:
    from tools.ca.authority import Authority


HEADER = ("ProductKey", "DeviceName", "CertSN")
MOST = 10_000  # records in a file, all of one product (x509.md 1)


@dataclass(frozen=True)
class Piece:
    """One file to upload: its number within the product, and its rows (product_key, device_name, serial)."""

    product_key: str
    number: int
    rows: tuple[tuple[str, str, str], ...]

    def file_name(self, ca_serial: str) -> str:
        return f"association_{self.product_key}_{ca_serial}_{self.number:03}.csv"


def cut(
    rows: Iterable[tuple[str, str, str]], first: Mapping[str, int] | None = None, most: int = MOST
) -> list[Piece]:
    """Cut rows (product_key, device_name, serial) into pieces of one product and at most `most` rows each.

    `first` gives the number of a product's first piece ({product_key:
    number}, 1 where it is silent). Pure; rows keep their order.
    """
    products: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        products.setdefault(row[0], []).append(row)
    pieces = []
    for product_key, held in products.items():
        number = (first or {}).get(product_key, 1)
        for start in range(0, len(held), most):
            pieces.append(Piece(product_key, number, tuple(held[start : start + most])))
            number += 1
    return pieces


def render(piece: Piece) -> bytes:
    """The bytes of a piece: UTF-8 CSV with its header, lines ended by CR LF (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(piece.rows)
    return text.getvalue().encode()


def write(
    ca: "Authority",
    out: Path | str,
    product_key: str | None = None,
    everything: bool = False,
    most: int = MOST,
) -> list[tuple[Path, int]]:
    """Write the files for the newest certificate of each device and note them in the ledger.

    Returns [(path, rows), ...]. Certificates that an earlier file holds are
    left out unless `everything`: the platform refuses a serial that is bound
    already (inferred). A killed run writes the same files again.
    """
    if not 1 <= most <= MOST:
        raise UserError(f"--rows is 1 to {MOST}, which is what the console takes, not {most}")
    held = ca.ledger.rows(product_key=product_key)
    if not held:
        raise UserError(
            f"CA {ca.name} has issued nothing" + (f" for product {product_key}" if product_key else "")
        )
    rows = [
        (row.product_key, row.device_name, row.serial)
        for row in held
        if everything or row.association is None
    ]
    first = {product: ca.ledger.last_association(product) + 1 for product in {row[0] for row in rows}}
    pieces = cut(rows, first, most)
    out = Path(out)
    with files.as_user_error(f"make {out}"):
        out.mkdir(parents=True, exist_ok=True)
    written = []
    for piece in pieces:
        path = out / piece.file_name(ca.serial)
        files.write(path, render(piece))
        written.append((path, len(piece.rows)))
    for piece in pieces:
        ca.ledger.associated({piece.number: [row[2] for row in piece.rows]})
    return written
