"""`ca check` reads files as the console and a board would, and reports everything that is wrong with each."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools import certificates, files, serials
from tools.ca import device_list, rules
from tools.certificates import Facts, Finding
from tools.errors import UserError
from tools.image.identity import pair

if TYPE_CHECKING:
    from tools.ca.ledger import Ledger


KINDS = ("ca", "verification", "device", "key", "association")
_LIMIT = 1 << 16


@dataclass(frozen=True)
class Report:
    """What was found in one file."""

    path: str
    kind: str
    about: str
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        return all(finding.level != "error" for finding in self.findings)

    def lines(self) -> Iterator[str]:
        """This report for a person."""
        yield f"{self.path}: {self.kind}" + (f", {self.about}" if self.about else "")
        yield from (f"  {finding.level}: {finding.text}" for finding in self.findings)
        if not self.findings:
            yield "  good"

    def plain(self) -> dict[str, object]:
        """This report as what JSON can hold."""
        return {
            "path": self.path,
            "kind": self.kind,
            "about": self.about,
            "good": self.good,
            "findings": [asdict(finding) for finding in self.findings],
        }


class Checker:
    """Checks files at the time `now` (Unix seconds); against a CA (`Facts`), its ledger, a code if given."""

    def __init__(
        self,
        now: float,
        ca: Facts | None = None,
        ledger: "Ledger | None" = None,
        code: str | None = None,
        name: str | None = None,
    ) -> None:
        self._now, self._ca, self._ledger, self._code, self._name = now, ca, ledger, code, name

    def check(self, path: Path | str, kind: str | None = None) -> Report:
        """The `Report` on the file at `path`; UserError only if it cannot be read at all."""
        path = Path(path)
        kind = kind or _kind_by_ending(path)
        try:
            if kind == "association":
                return self._association(path)
            data = files.read(path, _LIMIT)
            if kind == "key":
                return self._key(path, data)
            return self._certificate(path, certificates.certificate(data), kind)
        except certificates.Unreadable as fault:
            return Report(str(path), kind or "certificate", "", tuple(certificates.error(str(fault))))

    def _association(self, path):
        try:
            rows = device_list.table(path)
        except UserError as fault:
            if not path.is_file():
                raise
            return Report(
                str(path), "association", "", tuple(certificates.error(str(fault).removeprefix(f"{path} ")))
            )
        found = rules.association_rows(rows, self._known if self._ledger else None)
        if path.suffix.lower() != ".csv":
            found = certificates.error("the console takes a .csv file") + found
        return Report(str(path), "association", f"{max(0, len(rows) - 1)} rows", tuple(found))

    def _known(self, product_key, device_name, serial):
        row = self._ledger.find(serial)
        if row is None or row.state != "issued":
            return f"CertSN {serial} was not issued by this CA"
        if (row.product_key, row.device_name) != (product_key, device_name):
            return f"CertSN {serial} was issued to {row.product_key},{row.device_name}"
        return None

    def _key(self, path, data):
        public, faults = certificates.private_key(data)
        found = [Finding("error", fault) for fault in faults]
        if public.key_size < 2048:
            found += certificates.error(
                f"the key has {public.key_size} bits; 2048 is the least that TLS libraries accept"
            )
        if path.stat().st_mode & 0o077:
            found += certificates.warning(f"others may read this key; chmod 600 {path}")
        return Report(str(path), "key", f"RSA {public.key_size}", tuple(found))

    def _certificate(self, path, held, kind):
        kind = kind or self._kind_of(path, held)
        found = rules.file_ending(path.suffix)
        if kind == "ca":
            found += rules.ca_certificate(held, self._now)
            found += rules.ca_name(self._name) if self._name is not None else []
        elif kind == "verification":
            found += rules.verification_certificate(held, self._now, self._ca, self._code)
        else:
            found += rules.device_certificate(held, self._now, self._ca, path.stem)
            found += _pair(path, held)
        return Report(str(path), kind, self._about(held), tuple(found))

    def _kind_of(self, path, held):
        if held.is_ca or (held.is_ca is None and held.subject is not None and held.subject == held.issuer):
            return "ca"
        if _is_device_stem(path.stem):
            return "device"
        if self._code is not None or (held.common_name and len(held.common_name) == 64):
            return "verification"
        return "device"

    def _about(self, held):
        parts = [f"CN={held.common_name}" if held.common_name else "no Common Name"]
        if held.serial is not None and held.serial > 0:
            parts.append(f"serial {serials.text(held.serial)}")
        if held.rsa_bits:
            parts.append(f"RSA {held.rsa_bits}")
        if held.end is not None:
            parts.append(f"{certificates.days_left(held.end, self._now)} days left")
        return ", ".join(parts)


def _kind_by_ending(path):
    return {".csv": "association", ".key": "key"}.get(path.suffix.lower())


def _is_device_stem(stem):
    try:
        pair.Stem.parse(stem)
    except ValueError:
        return False
    return True


def _pair(path, held):
    """Does the key beside a device's certificate belong to it?"""
    beside = path.with_suffix(".key")
    if not beside.is_file() or held.public is None:
        return []
    try:
        public, _ = certificates.private_key(files.read(beside, _LIMIT))
    except certificates.Unreadable as fault:
        return certificates.error(f"the key beside it, {beside.name}: {fault}")
    if not certificates.same_key(public, held.public):
        return certificates.error(f"the key beside it, {beside.name}, is of another certificate")
    return []


def read_ca(path: Path | str, clock: Callable[[], float]) -> tuple[Facts, "Ledger | None"]:
    """(`Facts` of a CA, its ledger or None) from a CA's folder or a CA certificate's file."""
    path = Path(path)
    if path.is_dir():
        from tools.ca.authority import Authority  # deferred: checking a file needs no database

        ca = Authority(path, clock)
        return certificates.certificate(files.read(path / "ca.cer", _LIMIT)), ca.ledger
    try:
        return certificates.certificate(files.read(path, _LIMIT)), None
    except certificates.Unreadable as fault:
        raise UserError(f"{path}: {fault}") from None
