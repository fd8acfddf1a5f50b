"""The folder that issued pairs go to: `[ProductKey]_[DeviceName]_[CA_SN].cer` and `.key` (x509.md 3).

A pair is stored under hidden names that carry its serial; then the ledger calls it issued; then both files get their
names, the key first. The next run repairs what a killed one left: issued pairs get their names, the rest is removed.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa
from cryptography import x509

from tools import certificates, files, serials
from tools.ca.authority import Authority
from tools.ca.issue import Issued
from tools.errors import UserError
from tools.image.identity import pair

_STAGED = re.compile(r"\.(?P<stem>.+)\.(?P<serial>[0-9A-F]+)(?P<ending>\.key|\.cer)")
_PARTIAL = re.compile(r"\..+\.(key|cer)\.[0-9]+\.partial")
_LIMIT = 1 << 20


class Delivery:
    """An output folder held by one run; made by `open_folder`."""

    def __init__(self, folder: Path, ca: Authority) -> None:
        self.folder = folder
        self._ca = ca
        self.finished = 0  # pairs of a run that was killed

    def holds(self, row: sa.Row) -> bool:
        """True if the certificate of this ledger row lies here under its name."""
        path = self.folder / (self._stem(row.product_key, row.device_name) + ".cer")
        if not path.is_file():
            return False
        with contextlib.suppress(*certificates.UNREADABLE):
            certificate = x509.load_pem_x509_certificate(files.read(path, _LIMIT))
            return serials.text(certificate.serial_number) == row.serial
        return False

    def sort(
        self, wanted: Iterable[tuple[str, str]], renew: bool
    ) -> tuple[list[tuple[str, str]], list[sa.Row], list[sa.Row]]:
        """Devices to issue to, rows of those whose newest certificate lies here, rows of others that have one."""
        new: list[tuple[str, str]] = []
        here: list[sa.Row] = []
        elsewhere: list[sa.Row] = []
        newest = {(row.product_key, row.device_name): row for row in self._ca.ledger.rows()}
        for device in wanted:
            row = newest.get(device)
            if row is not None and self.holds(row):
                here.append(row)
            elif row is None or renew:
                new.append(device)
            else:
                elsewhere.append(row)
        return new, here, elsewhere

    def refuse_taken(self, devices: Iterable[tuple[str, str]]) -> None:
        """UserError if a file of one of these devices is here already: no pair is ever overwritten."""
        for product_key, device_name in devices:
            stem = self._stem(product_key, device_name)
            for path in (self.folder / (stem + ".key"), self.folder / (stem + ".cer")):
                if path.exists():
                    raise UserError(
                        f"{path} is there already and is never overwritten; name another folder with --out"
                    )

    def stage(self, issued: Issued) -> None:
        """Store a pair durably under its hidden names."""
        if issued.key_pem:
            files.write(self._staged(issued.stem, issued.serial, ".key"), issued.key_pem, files.PRIVATE)
        files.write(self._staged(issued.stem, issued.serial, ".cer"), issued.certificate_pem)

    def deliver(self, stem: str, serial: str) -> list[Path]:
        """Give a staged pair its names; returns the paths, certificate first."""
        final = [self._name(stem, serial, ending) for ending in (".key", ".cer")]
        with files.as_user_error(f"write {self.folder}"):
            files.sync_folder(self.folder)
        return [path for path in reversed(final) if path]

    def _name(self, stem, serial, ending):
        staged, final = self._staged(stem, serial, ending), self.folder / (stem + ending)
        if not staged.exists():
            return None
        if final.exists():
            raise UserError(
                f"{final} is there already and is never overwritten; move it away and run this again"
            )
        with files.as_user_error(f"write {final}"):
            os.rename(staged, final)
        return final

    def put_right(self) -> int:
        """Finish or remove what a killed run left behind; returns how many pairs were finished."""
        finished = set()
        for path in sorted(self.folder.iterdir()):
            match = _STAGED.fullmatch(path.name)
            if match and not match["stem"].endswith(f"_{self._ca.serial}"):
                continue
            if match and self._is_issued(match["serial"]):
                finished.add((match["stem"], match["serial"]))
            elif match or _PARTIAL.fullmatch(path.name):
                path.unlink()
        faults = []
        for stem, serial in sorted(finished):
            try:
                self.deliver(stem, serial)
            except UserError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
        return len(finished)

    def _is_issued(self, serial):
        row = self._ca.ledger.find(serial)
        return row is not None and row.state == "issued"

    def _stem(self, product_key, device_name):
        return str(pair.Stem(product_key, device_name, self._ca.serial))

    def _staged(self, stem, serial, ending):
        return self.folder / f".{stem}.{serial}{ending}"


@contextlib.contextmanager
def open_folder(path: Path | str, ca: Authority) -> Iterator[Delivery]:
    """A `Delivery` into the folder `path`, made if needed; UserError if another run writes there."""
    folder = Path(path)
    with files.as_user_error(f"make {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    with files.locked(
        folder / ".issuing", f"another 'ca issue' writes into {folder}; wait for it or name another --out"
    ):
        delivery = Delivery(folder, ca)
        with files.as_user_error(f"write {folder}"):
            delivery.finished = delivery.put_right()
        try:
            yield delivery
        except BaseException:
            with contextlib.suppress(UserError, OSError):
                delivery.put_right()
            raise
