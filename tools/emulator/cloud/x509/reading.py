"""Certificates as the console is given them: one of PEM or DER, every piece read with care."""

import base64
import binascii
import warnings
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
BEGIN = b"-----BEGIN "
SUBJECT_KEY = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def content(text: str) -> bytes:
    """The bytes of an uploaded file: its text as it is, or base64 of its bytes; raises ValueError."""
    if BEGIN.decode() in text:
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is neither PEM nor base64 of a file") from None


def certificate(data: bytes) -> x509.Certificate:
    """The one certificate in `data`, PEM or DER; raises ValueError saying what is there instead."""
    count = data.count(BEGIN + b"CERTIFICATE-----")
    if BEGIN in data and data.count(BEGIN) != 1 or count > 1:
        raise ValueError(f"holds {data.count(BEGIN)} PEM blocks, not one certificate")
    load = x509.load_pem_x509_certificate if BEGIN in data else x509.load_der_x509_certificate
    try:
        with warnings.catch_warnings(action="ignore"):
            found = load(data)
            _ = found.version, found.serial_number, found.subject, found.issuer
            return found
    except UNREADABLE:
        raise ValueError("is not a certificate") from None


def is_rsa(found: x509.Certificate) -> bool:
    """Whether the certificate's key is RSA."""
    try:
        return isinstance(found.public_key(), RSAPublicKey)
    except UNREADABLE:
        return False


def is_authority(found: x509.Certificate) -> bool:
    """Whether it may sign others: version 1, or basicConstraints with CA:TRUE (x509.md 2, step 3)."""
    if found.version is x509.Version.v1:
        return True
    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False


def validity(found: x509.Certificate) -> tuple[float, float]:
    """(from, to) in Unix seconds; raises ValueError."""
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def common_names(found: x509.Certificate) -> list[str | bytes]:
    return [attribute.value for attribute in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def identity(found: x509.Certificate) -> tuple[bytes, bytes]:
    """Subject and key as one value: what a CA is, whichever certificate says so."""
    return found.subject.public_bytes(), found.public_key().public_bytes(*SUBJECT_KEY)


def signed_by(found: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the signature of `found` is good under the key of `authority`, names set aside."""
    try:
        key: Any = authority.public_key()  # a kind that verifies otherwise, or not at all, is caught
        key.verify(
            found.signature,
            found.tbs_certificate_bytes,
            found.signature_algorithm_parameters,
            found.signature_hash_algorithm,
        )
    except (InvalidSignature, AttributeError, *UNREADABLE):
        return False
    return True
