"""A certificate and its key as a board is given them: DER, PKCS#1, checked as a pair (x509.md 9.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import certificates, files, serials
from tools.errors import UserError
from tools.firmware import record
from tools.image.identity import endpoint

SLOT = (record.CERTIFICATE, record.PRIVATE_KEY)  # the tags of a record that hold a pair
NAMES = ("the certificate", "the key")
_STEM = re.compile(r"([A-Za-z0-9]{1,20})_(.+)_([0-9A-F]{1,40})")
_LIMIT = 1 << 16


@dataclass(frozen=True)
class Pair:
    """A device's certificate and RSA key that belong together, DER."""

    certificate_der: bytes = field(repr=False)
    key_der: bytes = field(repr=False)

    def fields(self, slot: tuple[int, int] = SLOT) -> dict[int, bytes]:
        """The fields of a burned record that hold this pair, by tag."""
        certificate, key = slot
        return {certificate: self.certificate_der, key: self.key_der}


@dataclass(frozen=True)
class Stem:
    """`[ProductKey]_[DeviceName]_[CA_SN]`, the name of a certificate's and a key's file without its ending.

    A colon, which Windows refuses in a file name, is written %3A; no DeviceName
    holds a percent sign, so two names never become one file.
    """

    product_key: str
    device_name: str
    ca_serial: str

    def __str__(self) -> str:
        return f"{self.product_key}_{self.device_name.replace(':', '%3A')}_{self.ca_serial}"

    @classmethod
    def parse(cls, stem: str) -> Self:
        """The parts of such a name; ValueError if it does not follow the pattern."""
        match = _STEM.fullmatch(stem)
        if not match:
            raise ValueError("the file name is not [ProductKey]_[DeviceName]_[CA_SN]")
        device_name = match[2].replace("%3A", ":")
        fault = endpoint.wrong("device_name", device_name, "DeviceName")
        if fault:
            raise ValueError(f"the file name is not [ProductKey]_[DeviceName]_[CA_SN]: {fault}")
        return cls(match[1], device_name, match[3])


def load(certificate_path: Path | str, key_path: Path | str, now: float) -> Pair:
    """The `Pair` in two files, PEM or DER, at the time `now` (Unix seconds).

    A PKCS#8 key is made PKCS#1. UserError for a certificate that is not a
    device's, is not valid now, or whose key is another one.
    """
    data = files.read(certificate_path, _LIMIT), files.read(key_path, _LIMIT)
    return check(*data, now, (Path(certificate_path).name, Path(key_path).name))


def check(certificate: bytes, key: bytes, now: float, names: Sequence[str] = NAMES) -> Pair:
    """The `Pair` of two byte strings, PEM or DER; see `load`."""
    held = _certificate(certificate, names[0])
    for finding in certificates.device_certificate(held, now):
        if finding.level == "error":
            raise UserError(f"{names[0]}: {finding.text}")
    private = _private(key, names[1])
    if not certificates.same_key(private.public_key(), held.public):
        raise UserError(f"{names[1]} is not the key of {names[0]}")
    return _pair(held, private)


def read(certificate: bytes, key: bytes, names: Sequence[str] = NAMES) -> Pair:
    """The `Pair` of two byte strings, unchecked: it may be out of date, or not belong together."""
    return _pair(_certificate(certificate, names[0]), _private(key, names[1]))


def _pair(held, private):
    return Pair(
        held.certificate.public_bytes(serialization.Encoding.DER),
        private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )


def _certificate(data, name):
    try:
        return certificates.certificate(data)
    except certificates.Unreadable as fault:
        raise UserError(f"{name}: {fault}") from None


def _private(data, name):
    load_key = (
        serialization.load_pem_private_key
        if certificates.labels(data)
        else serialization.load_der_private_key
    )
    if b"ENCRYPTED" in data:
        raise UserError(f"{name} has a password; a device has nobody to type it")
    try:
        key = load_key(data, None)
    except certificates.UNREADABLE:
        raise UserError(f"{name} is not a private key, or it was cut or changed") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UserError(f"{name} is not RSA; the platform takes only RSA")
    return key


def describe(certificate_der: bytes, now: float) -> dict[str, Any]:
    """What may be shown of a burned certificate, to people and as JSON; of a damaged one its fault.

    Keys: subject, serial (normal form), issuer, not_before and not_after
    (Unix seconds), days_left, bits, fingerprint (SHA-256, hex); or fault.
    """
    try:
        held = certificates.certificate(certificate_der)
    except certificates.Unreadable as fault:
        return {"fault": str(fault)}
    if held.faults:
        return {"fault": "; ".join(held.faults)}
    assert held.subject is not None and held.issuer is not None and held.serial is not None
    assert held.start is not None and held.end is not None
    return {
        "subject": held.subject.rfc4514_string(),
        "serial": serials.text(held.serial) if held.serial > 0 else str(held.serial),
        "issuer": held.issuer.rfc4514_string(),
        "not_before": int(held.start),
        "not_after": int(held.end),
        "days_left": certificates.days_left(held.end, now),
        "bits": held.rsa_bits,
        "fingerprint": certificates.fingerprint(held),
    }
