"""Certificates and keys of devices for the tests: made once in a run, each kind when it is asked for."""

import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
SERIAL = 0x2BC5C2D8E1EE8A228098


def key(number=0, bits=2048):
    """An RSA key of its own for each number."""
    return _key(number, bits)


@functools.cache
def _key(number, bits):
    return rsa.generate_private_key(65537, bits)


@functools.cache
def elliptic():
    return ec.generate_private_key(ec.SECP256R1())


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(number=0, serial=SERIAL, start=-1, days=3650, issuer="Factory_CA", bits=2048, public=None):
    """A device's certificate, as cryptography's object; `start`: its first day, in days from now."""
    begin = NOW + start * DAY
    builder = x509.CertificateBuilder(
        name(issuer),
        name("board"),
        public or key(number, bits).public_key(),
        serial,
        begin,
        begin + days * DAY,
    )
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    return builder.sign(key("ca"), hashes.SHA256())


def cer(encoding=Encoding.PEM, **facts):
    return certificate(**facts).public_bytes(encoding)


def key_bytes(
    private=None, encoding=Encoding.PEM, form=PrivateFormat.TraditionalOpenSSL, shut=NoEncryption()
):
    return (private or key()).private_bytes(encoding, form, shut)


def write(folder, stem="x", private=None, **facts):
    """Files `stem`.cer and `stem`.key in a folder."""
    (folder / f"{stem}.cer").write_bytes(cer(**facts))
    (folder / f"{stem}.key").write_bytes(key_bytes(private or key(facts.get("number", 0))))
