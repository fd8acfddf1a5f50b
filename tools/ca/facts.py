"""Reading what a file claims to be: certificates and keys from anywhere, however broken. Pure, never crashes.

The parser of `cryptography` reads a certificate piece by piece and may refuse
any piece; every piece read here comes back as a value or as a fault in words.
"""

import re
import warnings
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

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
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


class Unreadable(Exception):
    """A file that is not what it should be; the text says what it is instead."""


@dataclass
class Facts:
    """A certificate's pieces; a piece that could not be read is None and has a line in `faults`."""

    certificate: x509.Certificate
    faults: list = field(default_factory=list)
    version: int | None = None
    serial: int | None = None
    subject: x509.Name | None = None
    issuer: x509.Name | None = None
    common_name: str | None = None
    public: object = None
    hash_name: str | None = None
    start: float | None = None  # Unix seconds
    end: float | None = None
    is_ca: bool | None = None  # None also without basicConstraints
    usage: x509.KeyUsage | None = None
    extended_usage: x509.ExtendedKeyUsage | None = None

    @property
    def rsa_bits(self):
        """The size of an RSA key; None for any other key."""
        return self.public.key_size if isinstance(self.public, rsa.RSAPublicKey) else None


def labels(data):
    """The PEM labels in `data` in order, such as ["CERTIFICATE"]; none for DER."""
    return [match.decode() for match in _BLOCK.findall(data)]


def certificate(data):
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


def signed_by(facts, ca):
    """True if `facts` names `ca` as its issuer and carries a good signature of its key."""
    try:
        facts.certificate.verify_directly_issued_by(ca.certificate)
    except UNREADABLE:
        return False
    return True


def private_key(data):
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


def same_key(one, other):
    """True if two public keys are the same."""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return one.public_bytes(*form) == other.public_bytes(*form)


def fingerprint(facts):
    """SHA-256 of the certificate, lower-case hex."""
    return facts.certificate.fingerprint(hashes.SHA256()).hex()
