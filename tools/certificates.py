"""Certificates and keys from anywhere, however broken: read, and held against what a device needs. Pure.

The parser of `cryptography` reads a certificate piece by piece and may refuse
any piece; every piece read here comes back as a value or as a fault in words.
"""

import base64
import datetime
import re
import warnings
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from tools import serials

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.AttributeNotFound,
    OverflowError,
)
DAY = 86400
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_WEAK = ("md5", "sha1")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


class Unreadable(Exception):
    """A file that is not what it should be; the text says what it is instead."""


def pem(label: str, der: bytes) -> bytes:
    """PEM text (bytes) of `der` under `label`, lines of 64 characters."""
    body = base64.b64encode(der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


@dataclass
class Facts:
    """A certificate's pieces; a piece that could not be read is None and has a line in `faults`."""

    certificate: x509.Certificate
    faults: list[str] = field(default_factory=list)
    version: int | None = None
    serial: int | None = None
    subject: x509.Name | None = None
    issuer: x509.Name | None = None
    common_name: str | None = None
    public: CertificatePublicKeyTypes | None = None
    hash_name: str | None = None
    start: float | None = None  # Unix seconds
    end: float | None = None
    is_ca: bool | None = None  # None also without basicConstraints
    usage: x509.KeyUsage | None = None
    extended_usage: x509.ExtendedKeyUsage | None = None

    @property
    def rsa_bits(self) -> int | None:
        """The size of an RSA key; None for any other key."""
        return self.public.key_size if isinstance(self.public, rsa.RSAPublicKey) else None


def labels(data: bytes) -> list[str]:
    """The PEM labels in `data` in order, such as ["CERTIFICATE"]; none for DER."""
    return [match.decode() for match in _BLOCK.findall(data)]


def certificate(data: bytes) -> Facts:
    """The `Facts` of the one certificate in `data`, PEM or DER; raises `Unreadable`."""
    found = labels(data)
    if any("PRIVATE KEY" in label for label in found):
        raise Unreadable("there is a private key in this file; never upload it, keep only the certificate")
    if found.count("CERTIFICATE") > 1:
        raise Unreadable(
            f"there are {found.count('CERTIFICATE')} certificates in this file; keep only the first one "
            "you mean"
        )
    if found and "CERTIFICATE" not in found:
        raise Unreadable(f"this is a {found[0].lower()}, not a certificate")
    load = x509.load_pem_x509_certificate if found else x509.load_der_x509_certificate
    try:
        with warnings.catch_warnings(action="ignore"):
            return _facts(load(data))
    except UNREADABLE:
        raise Unreadable("this is not a certificate, or it was cut or changed") from None


def _facts(parsed):
    facts = Facts(parsed)
    for name, piece, read in _PIECES:
        try:
            setattr(facts, name, read(parsed))
        except x509.ExtensionNotFound:
            pass
        except UNREADABLE:
            facts.faults.append(f"its {piece} cannot be read")
    return facts


def _common_name(parsed):
    found = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else None


def _extension(parsed, kind):
    return parsed.extensions.get_extension_for_class(kind).value


_PIECES = (
    ("version", "version", lambda parsed: parsed.version.value + 1),
    ("serial", "serial number", lambda parsed: parsed.serial_number),
    ("subject", "subject", lambda parsed: parsed.subject),
    ("issuer", "issuer", lambda parsed: parsed.issuer),
    ("common_name", "Common Name", _common_name),
    ("public", "public key", lambda parsed: parsed.public_key()),
    ("hash_name", "signature algorithm", lambda parsed: parsed.signature_hash_algorithm.name),
    ("start", "first day", lambda parsed: parsed.not_valid_before_utc.timestamp()),
    ("end", "last day", lambda parsed: parsed.not_valid_after_utc.timestamp()),
    ("is_ca", "basicConstraints", lambda parsed: _extension(parsed, x509.BasicConstraints).ca),
    ("usage", "keyUsage", lambda parsed: _extension(parsed, x509.KeyUsage)),
    ("extended_usage", "extendedKeyUsage", lambda parsed: _extension(parsed, x509.ExtendedKeyUsage)),
)


def signed_by(facts: Facts, ca: Facts) -> bool:
    """True if `facts` names `ca` as its issuer and carries a good signature of its key."""
    try:
        facts.certificate.verify_directly_issued_by(ca.certificate)
    except UNREADABLE:
        return False
    return True


def private_key(data: bytes) -> tuple[rsa.RSAPublicKey, list[str]]:
    """(public key, [fault, ...]) of a device's key file, which must be PEM, PKCS#1, RSA, without password."""
    found = labels(data)
    if "CERTIFICATE" in found:
        raise Unreadable("there is a certificate in this key file; keep them in two files")
    faults = _form_faults(found, data)
    load = serialization.load_pem_private_key if found else serialization.load_der_private_key
    try:
        key = load(data, None)
    except UNREADABLE:
        if faults:
            raise Unreadable(faults[0]) from None
        raise Unreadable("this is not a private key, or it was cut or changed") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Unreadable("the key is not RSA; the platform takes only RSA")
    return key.public_key(), faults


def _form_faults(found, data):
    if not found:
        return ["the key is not PEM"]
    if b"ENCRYPTED" in data:
        return ["the key has a password; a device has nobody to type it"]
    if found == ["PRIVATE KEY"]:
        return ["the key is PKCS#8, not PKCS#1; convert it with openssl rsa -traditional"]
    if found != ["RSA PRIVATE KEY"]:
        return [f"this is a {found[0].lower()}, not an RSA private key"]
    return []


def same_key(one: CertificatePublicKeyTypes, other: CertificatePublicKeyTypes) -> bool:
    """True if two public keys are the same."""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return one.public_bytes(*form) == other.public_bytes(*form)


def fingerprint(facts: Facts) -> str:
    """SHA-256 of the certificate, lower-case hex."""
    return facts.certificate.fingerprint(hashes.SHA256()).hex()


def moment(seconds: float) -> datetime.datetime:
    """Unix seconds as a UTC datetime without fractions."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


@dataclass(frozen=True)
class Finding:
    level: str  # "error" or "warning"
    text: str


def error(text: str) -> list[Finding]:
    return [Finding("error", text)]


def warning(text: str) -> list[Finding]:
    return [Finding("warning", text)]


def days_left(end: float, now: float) -> int:
    """Whole days until `end` (Unix seconds), negative once it is over."""
    return int((end - now) // DAY)


def any_certificate(held: Facts, now: float) -> list[Finding]:
    """What holds for every certificate: readable, RSA, a usable size, a serial, valid now, no weak hash."""
    found = [Finding("error", fault) for fault in held.faults]
    if held.public is not None:
        found += _key(held.rsa_bits)
    if held.serial is not None:
        found += _serial(held.serial)
    if held.start is not None and held.end is not None:
        found += _dates(held.start, held.end, now)
    if held.hash_name in _WEAK:
        found += warning(f"it is signed with {held.hash_name.upper()}, which is broken; SHA-256 is usual")
    if held.version == 1:
        found += warning("it is version 1; 'openssl x509 -req' needs -extfile to make version 3")
    return found


def _key(bits):
    if bits is None:
        return error("its key is not RSA; the platform takes only RSA")
    if bits < 2048:
        return error(f"its RSA key has {bits} bits; 2048 is the least that TLS libraries accept")
    if bits > 4096:
        return error(f"its RSA key has {bits} bits; take 2048, 3072 or 4096")
    if bits > 2048:
        return warning(
            f"its RSA key has {bits} bits; a board needs more memory and time for it than for 2048"
        )
    return []


def _serial(number):
    if number <= 0:
        return error("its serial number is not above zero")
    if number.bit_length() > 8 * serials.LONGEST:
        return error(f"its serial number is longer than {serials.LONGEST} bytes")
    serial = serials.text(number)
    if len(serial) % 2:
        return warning(f"tools print its serial in two ways, {serial} and 0{serial}; upload {serial}")
    if serials.looks_like_number(serial):
        return warning(f"a spreadsheet takes its serial {serial} for a number and changes it")
    return []


def _dates(start, end, now):
    if start > now:
        return error(f"it is not valid before {moment(start):%Y-%m-%d %H:%M} UTC")
    if end <= now:
        return error(f"it ended on {moment(end):%Y-%m-%d}")
    return []


def issued_by(held: Facts, ca: Facts | None) -> list[Finding]:
    if ca is None:
        return []
    if held.issuer != ca.subject:
        return error("its issuer is not the subject of the CA certificate")
    if not signed_by(held, ca):
        return error("its signature is not of the CA's key")
    return []


def device_certificate(held: Facts, now: float, ca: Facts | None = None) -> list[Finding]:
    """[Finding] on a device's certificate (x509.md 3)."""
    found = any_certificate(held, now) + issued_by(held, ca)
    if held.is_ca:
        found += error("it is a CA certificate; a device must not be able to sign others")
    if held.usage is not None and not held.usage.digital_signature:
        found += error("its keyUsage does not allow digitalSignature, which mutual TLS needs")
    if held.extended_usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in held.extended_usage:
        found += error("its extendedKeyUsage does not name clientAuth")
    if ca is not None and ca.end is not None and held.end is not None and held.end > ca.end:
        found += warning(f"it outlives its CA, which ends on {moment(ca.end):%Y-%m-%d}")
    return found


def key_usage(*wanted: str) -> x509.KeyUsage:
    """keyUsage with `wanted` set and nothing else."""
    return x509.KeyUsage(**{usage: usage in wanted for usage in _USAGES})
