"""The cloud's own CA and its RSA server certificate for the platform's host names (direct.md 5).

`cryptography.x509` is imported only when something has to be made, so that a
restart starts fast.
"""

import json
import ssl
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from tools import files
from tools.emulator.cloud.centres.host_names import served
from tools.emulator.cloud.ota.urls import host as storage_host
from tools.errors import UserError

# Python's own lists leave RSA key exchange out; the official C clients offer nothing else, and
# RSA goes first because OpenSSL signs ECDHE with RSA-PSS, which Debian's MicroPython refuses.
CIPHERS = (
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA:"
    "ECDHE+AESGCM:ECDHE+AES"
)
DAY = 86400
FILES = ("ca.pem", "ca.der", "ca.key.pem", "server.pem", "server.key.pem", "server.json")


def host_names(*regions: str) -> list[str]:
    """The names a server certificate of an instance with centres in `regions` covers."""
    return sorted(
        {
            "*.mqtt.iothub.aliyuncs.com",
            "iot-auth.cn-shanghai.aliyuncs.com",
            "x509.itls.cn-shanghai.aliyuncs.com",
            *served(regions),
            *map(storage_host, regions),
        }
    )


class Contexts:
    """TLS server contexts by certificate kind: None is the good one, the rest are made when a fault asks."""

    def __init__(self, folder, names, tls13=False):
        self.folder, self.names, self.tls13 = Path(folder), names, tls13
        self.contexts, self.made = {}, set()
        prepare(self.folder, names)

    def get(self, kind: str | None = None) -> ssl.SSLContext:
        """The context serving the certificate `kind`: None, or one of `faults.CERTIFICATES`."""
        if kind not in self.contexts:
            self.contexts[kind] = self.context(self.chain(kind))
        return self.contexts[kind]

    def chain(self, kind: str | None) -> Path:
        """The file with the certificate `kind`, made if it is not there yet."""
        name = "server.pem" if kind is None else f"server-{kind}.pem"
        if kind is not None and name not in self.made:
            make_wrong(self.folder, kind, self.names, name)
            self.made.add(name)
        return self.folder / name

    def context(self, chain: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_3 if self.tls13 else ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        context.num_tickets = 0
        try:
            context.load_cert_chain(chain, self.folder / "server.key.pem")
        except OSError as error:
            raise UserError(
                f"{chain} and server.key.pem there cannot be used ({error.strerror or error}); remove "
                "server.pem there to have new ones"
            ) from None
        context.sni_callback = note_name
        return context


def note_name(connection: Any, name: str | None, context: ssl.SSLContext) -> None:
    connection.asked_name = name


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Makes what is missing in `folder`: the CA once, the server's certificate when it must change."""
    try:
        if not all((folder / name).exists() for name in FILES[:3]):
            make_authority(folder)
        if not serves(folder, names):
            make_server(folder, names)
    except OSError as error:
        raise UserError(f"cannot keep certificates in {folder}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(
            f"the CA in {folder} cannot be used ({error}); remove ca.pem there to have a new one"
        ) from None


def serves(folder: Path, names: Sequence[str]) -> bool:
    """Whether the server certificate in `folder` covers `names` and is valid for another month."""
    try:
        about = json.loads((folder / "server.json").read_text())
        return (
            about["names"] == names
            and about["until"] > time.time() + 30 * DAY
            and all((folder / name).exists() for name in FILES)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def new_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_bytes(key: RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def read_key(path: Path) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return cast("RSAPrivateKey", load_pem_private_key(path.read_bytes(), None))


def distinguished(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "aliot emulated cloud"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def certificate(
    subject: x509.Name,
    public_key: RSAPublicKey,
    issuer: x509.Name,
    issuer_key: RSAPrivateKey,
    days: tuple[float, float],
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """A signed certificate; `days` is (from, to), counted from now."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def authority(key: RSAPrivateKey) -> x509.Certificate:
    from cryptography import x509

    from tools.certificates import key_usage

    name = distinguished("aliot emulated cloud root")
    return certificate(
        name,
        key.public_key(),
        name,
        key,
        (-2, 7300),
        [
            (x509.BasicConstraints(True, 0), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ],
    )


def make_authority(folder: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    key = new_key()
    root = authority(key)
    files.write(folder / "ca.key.pem", key_bytes(key), files.PRIVATE)
    files.write(folder / "ca.der", root.public_bytes(Encoding.DER))
    files.write(folder / "ca.pem", root.public_bytes(Encoding.PEM))
    (folder / "server.json").unlink(missing_ok=True)


def server_certificate(
    public_key: RSAPublicKey,
    names: Sequence[str],
    root: x509.Certificate,
    root_key: RSAPrivateKey,
    days: tuple[float, float],
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    from tools.certificates import key_usage

    return certificate(
        distinguished("emulated IoT Platform"),
        public_key,
        root.subject,
        root_key,
        days,
        [
            (x509.BasicConstraints(False, None), True),
            (key_usage("digital_signature", "key_encipherment"), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
        ],
    )


def read_authority(folder: Path) -> tuple[x509.Certificate, RSAPrivateKey]:
    from cryptography import x509

    return x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), read_key(folder / "ca.key.pem")


def make_server(folder: Path, names: Sequence[str]) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    root, root_key = read_authority(folder)
    key = new_key()
    made = server_certificate(key.public_key(), names, root, root_key, (-2, 825))
    files.write(folder / "server.key.pem", key_bytes(key), files.PRIVATE)
    files.write(folder / "server.pem", made.public_bytes(Encoding.PEM))
    files.write(
        folder / "server.json", json.dumps({"names": names, "until": time.time() + 825 * DAY}).encode()
    )


def make_wrong(folder: Path, kind: str, names: Sequence[str], file_name: str) -> None:
    """A certificate that a client must refuse, for the server's key."""
    from cryptography.hazmat.primitives.serialization import Encoding

    root, root_key = read_authority(folder)
    if kind == "untrusted":
        root_key = new_key()
        root = authority(root_key)
    days = {"expired": (-400, -1), "not_yet_valid": (7, 800)}.get(kind, (-2, 825))
    served = ["emulated-cloud.example.com"] if kind == "wrong_host" else names
    key = read_key(folder / "server.key.pem")
    made = server_certificate(key.public_key(), served, root, root_key, days)
    files.write(folder / file_name, made.public_bytes(Encoding.PEM))
