"""A CA's folder, with its certificate, encrypted key and ledger, and the certificates that the CA signs.

FOLDER/ca.cer      the certificate to upload to the console, PEM
FOLDER/ca.key      its key, encrypted with the passphrase
FOLDER/ledger.db   every serial ever drawn
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import certificates, files, sealed_key, serials
from tools.ca import names, profile
from tools.ca.keys import SIZES, DeviceKey, generate
from tools.ca.ledger import Ledger, Signed
from tools.errors import UserError

DAYS = 7300  # 10 years or more are advised (x509.md 8)
DEVICE_DAYS = 3650
VERIFICATION_DAYS = 300  # as in the console's example (x509.md 2)
_EPOCH = 1_735_689_600  # 1 January 2025: a clock before it is not set
_LIMIT = 1 << 20


def summary(data: bytes, origin: str) -> Signed:
    """What the ledger keeps of a certificate given as DER; `origin` of its key is "host" or "csr"."""
    certificate = x509.load_der_x509_certificate(data)
    public = _spki(certificate.public_key())
    return Signed(
        serials.text(certificate.serial_number),
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
        _sha256(data),
        _sha256(public),
        origin,
        data,
    )


def _sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()


def _spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_clock(clock: Callable[[], float]) -> float:
    """Unix seconds; UserError if the machine's clock is plainly not set."""
    now = clock()
    if now < _EPOCH:
        raise UserError(
            f"this machine's clock says {certificates.moment(now):%Y-%m-%d}; set it before certificates are "
            "made, they carry dates"
        )
    return now


def create(
    folder: Path | str,
    name: str,
    passphrase: bytes,
    *,
    bits: int = 2048,
    days: int = DAYS,
    organization: str | None = None,
    country: str | None = None,
    cost: int = sealed_key.COST,
    clock: Callable[[], float] = time.time,
) -> "Authority":
    """Make a CA in `folder`, which must not exist or be empty; nothing is left of it if that fails."""
    folder = Path(folder)
    refuse_bad_request(folder, name, bits, days, country)
    now = read_clock(clock)
    key = rsa.generate_private_key(65537, bits)
    serial = serials.fresh()
    certificate = profile.authority(
        key,
        name,
        serial,
        start=now - certificates.DAY,
        end=now + days * certificates.DAY,
        organization=organization,
        country=country,
    )
    with files.as_user_error(f"make {folder}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _fill(building, certificate, sealed_key.seal(key, passphrase, cost), now)
        with files.as_user_error(f"make {folder}"):
            os.rename(building, folder)
            files.sync_folder(folder.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Authority(folder, clock)


def refuse_bad_request(folder: Path, name: str, bits: int, days: int, country: str | None) -> None:
    fault = names.ca_name_fault(name)
    if fault:
        raise UserError(fault)
    if bits not in SIZES:
        raise UserError(f"a CA key has 2048, 3072 or 4096 bits, not {bits}")
    if not 1 <= days <= 36500:
        raise UserError(f"--days is 1 to 36500, not {days}")
    if country is not None and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise UserError(f"--country is two letters such as CN, not {country!r}")
    with files.as_user_error(f"make {folder}"):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise UserError(
            f"{folder} is there already and not empty; a CA is never overwritten, name another folder"
        )


def _fill(folder, certificate, sealed, now):
    data = certificate.public_bytes(serialization.Encoding.DER)
    Ledger.create(folder / "ledger.db").adopt("ca", summary(data, "host"), now)
    files.write(folder / "ca.cer", certificate.public_bytes(serialization.Encoding.PEM))
    files.write(folder / "ca.key", sealed, files.PRIVATE)
    files.write(folder / ".gitignore", b"*\n")


class Authority:
    """The public side of a CA's folder; `unlock` makes it able to sign."""

    def __init__(self, folder: Path | str, clock: Callable[[], float] = time.time) -> None:
        self.folder = Path(folder)
        self.clock = clock
        self.certificate = self._certificate()
        self.serial = serials.text(self.certificate.serial_number)
        self.name = self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        self.not_after = int(self.certificate.not_valid_after_utc.timestamp())
        self.ledger = Ledger.open(self.folder / "ledger.db")
        self._key: rsa.RSAPrivateKey | None = None
        row = self.ledger.find(self.serial)
        if row is None or row.kind != "ca":
            raise UserError(f"{self.folder}/ledger.db belongs to another CA than {self.folder}/ca.cer")

    def _certificate(self):
        path = self.folder / "ca.cer"
        if not path.is_file():
            raise UserError(
                f"{self.folder} is not the folder of a CA (no ca.cer in it); "
                f"'python -m tools ca init {self.folder} --name NAME' makes one"
            )
        try:
            certificate = x509.load_pem_x509_certificate(files.read(path, _LIMIT))
            certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0]
            certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            return certificate
        except (*certificates.UNREADABLE, IndexError, x509.ExtensionNotFound):
            raise UserError(f"{path} is not the certificate that 'ca init' made; put it back") from None

    def unlock(self, passphrase: bytes) -> Self:
        """Open the key with the passphrase (bytes); returns self."""
        path = self.folder / "ca.key"
        key = sealed_key.unseal(files.read(path, _LIMIT), passphrase, path)
        if _spki(key.public_key()) != _spki(self.certificate.public_key()):
            raise UserError(
                f"{path} is not the key of {self.folder}/ca.cer; put back the two that belong together"
            )
        self._key = key
        return self

    def ready(self) -> float:
        """Unix seconds; UserError if the key is locked, the clock not set, or the CA itself not valid now."""
        if self._key is None:
            raise UserError(f"the key of CA {self.name} is locked")
        now = read_clock(self.clock)
        if now < self.certificate.not_valid_before_utc.timestamp():
            raise UserError(f"CA {self.name} is not valid yet; this machine's clock is probably wrong")
        if now >= self.not_after:
            ended = f"{certificates.moment(self.not_after):%Y-%m-%d}"
            raise UserError(f"CA {self.name} ended on {ended}; make and register a new one with 'ca init'")
        return now

    def end(self, now: float, days: int | None = None, usual: int = DEVICE_DAYS) -> float:
        """When a certificate of `days` ends, Unix seconds; without `days` the usual ones or the CA's rest."""
        if days is None:
            return min(now + usual * certificates.DAY, self.not_after)
        if days < 1:
            raise UserError(f"--days is 1 or more, not {days}")
        if now + days * certificates.DAY > self.not_after:
            left = int(self.not_after - now) // certificates.DAY
            raise UserError(f"CA {self.name} has {left} days left; {days} days would outlive it")
        return now + days * certificates.DAY

    def verification(self, code: str, days: int | None = None) -> bytes:
        """The verification certificate (DER) for a registration code of the console.

        Its key is thrown away. It is valid for 300 days unless `days` says another number (x509.md 2).
        """
        code = code.strip()
        fault = names.code_fault(code)
        if fault:
            raise UserError(fault)
        now = self.ready()
        end = self.end(now, days, VERIFICATION_DAYS)
        key = generate()
        (serial,) = self.ledger.reserve("verification", [(None, None)], now)
        data = self._sign(profile.verification, key, code, serial, now, end)
        self.ledger.finish([summary(data, "host")], now)
        return data

    def sign_device(self, key: DeviceKey, device_name: str, serial: str, now: float, end: float) -> bytes:
        """The certificate (DER) of a device with this `DeviceKey`; the serial is reserved in the ledger."""
        return self._sign(profile.device, key, device_name, serial, now, end)

    def _sign(self, make, key, name, serial, now, end):
        start = max(now - certificates.DAY, self.certificate.not_valid_before_utc.timestamp())
        public = serialization.load_der_public_key(key.public)
        certificate = make(self.certificate, self._key, public, name, serial, start=start, end=end)
        return certificate.public_bytes(serialization.Encoding.DER)
