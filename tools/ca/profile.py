"""What stands in the three kinds of certificates a private CA signs (x509.md 2 and 8); pure, no I/O."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tools.certificates import key_usage, moment


def authority(
    key: rsa.RSAPrivateKey,
    name: str,
    serial: str,
    *,
    start: float,
    end: float,
    organization: str | None = None,
    country: str | None = None,
) -> x509.Certificate:
    """A self-signed CA certificate: v3, CA:TRUE and keyUsage critical, SKI, SHA-256."""
    public = key.public_key()
    subject = _subject(name, organization, country)
    builder = _builder(subject, subject, public, serial, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.sign(key, hashes.SHA256())


def verification(
    ca: x509.Certificate,
    ca_key: rsa.RSAPrivateKey,
    public: rsa.RSAPublicKey,
    code: str,
    serial: str,
    *,
    start: float,
    end: float,
) -> x509.Certificate:
    """The proof that we hold the CA key: CN is the registration code, signed with SHA-512 (x509.md 2)."""
    builder = _leaf(ca, public, code, serial, start, end)
    return builder.sign(ca_key, hashes.SHA512())


def device(
    ca: x509.Certificate,
    ca_key: rsa.RSAPrivateKey,
    public: rsa.RSAPublicKey,
    device_name: str,
    serial: str,
    *,
    start: float,
    end: float,
) -> x509.Certificate:
    """A device's certificate: v3, CA:FALSE, keyUsage, clientAuth, SKI, AKI, SHA-256, CN = DeviceName."""
    builder = _leaf(ca, public, device_name, serial, start, end)
    builder = builder.add_extension(key_usage("digital_signature", "key_encipherment"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _leaf(ca, public, name, serial, start, end):
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(_subject(name), ca.subject, public, serial, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )


def _builder(subject, issuer, public, serial, start, end):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(int(serial, 16))
        .not_valid_before(moment(start))
        .not_valid_after(moment(end))
    )


def _subject(name, organization=None, country=None):
    parts = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COMMON_NAME, name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])
