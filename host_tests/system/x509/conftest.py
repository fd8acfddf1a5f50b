"""Certificates and keys of all kinds, made once for a run; nothing of them is kept anywhere."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from host_tests.support import paths

BOOTS, RENEWAL, RECEIVED = (paths.DEVICE / f"x509_{name}.py" for name in ("boots", "renewal", "received"))
NOW = datetime.datetime.fromtimestamp(1_800_000_000, datetime.UTC)  # as in the script
DAY = datetime.timedelta(days=1)
HEAP = (
    "384K"  # all pairs in hex, the script, and the sources as they stand; what a board needs, its boots say
)
VECTORS = paths.VECTORS / "vectors_gateway.json"


class Maker:
    """A CA of its own, and pairs of certificate and key as (certificate, key) objects or in hex."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def certificate(
        self, key, begins=NOW - DAY, ends=NOW + 3650 * DAY, serial=None, name="sensor-01", extensions=True
    ):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Factory CA")]))
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )
        if extensions:
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        return builder.sign(self.key, hashes.SHA256())

    def pair(self, size=2048, **settings):
        key = rsa.generate_private_key(public_exponent=65537, key_size=size)
        return self.certificate(key, **settings), key


def hexed(certificate, key, form=serialization.PrivateFormat.TraditionalOpenSSL):
    """[certificate, key]: both DER, in hex."""
    made = certificate.public_bytes(serialization.Encoding.DER)
    return [
        made.hex(),
        key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption()).hex(),
    ]


@pytest.fixture(scope="session")
def maker():
    return Maker()


@pytest.fixture(scope="session")
def made_by(maker):
    """What every function of the script is given."""
    connects = {row["id"]: row for row in json.loads(VECTORS.read_text())["x509"]["connect"]}
    good = maker.pair(serial=0x11F71FB04CB, ends=NOW + 700 * DAY)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    return {
        "good": hexed(*good),
        "other": hexed(*maker.pair()),
        "third": hexed(*maker.pair()),
        "expired": hexed(*maker.pair(begins=NOW - 800 * DAY, ends=NOW - 400 * DAY)),
        "future": hexed(*maker.pair(begins=NOW + DAY)),
        "ec": hexed(maker.certificate(elliptic), elliptic),
        "pkcs8": hexed(*good, serialization.PrivateFormat.PKCS8),
        "expires": good[0].not_valid_after_utc.strftime("%Y-%m-%d"),
        "serial": "11F71FB04CB",
        "vectors": [connects["x509-first-java"], connects["x509-reconnect-doc"]],
    }
