"""Certificates for tests of the X.509 port, good ones and each kind of bad one, made with a pool of keys."""

import datetime
import functools
import json
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tests.support import paths
from host_tests.support.cloud.client import INSTANCE, WAIT, Client
from tools.emulator.cloud import codec

VECTORS = json.loads((paths.VECTORS / "vectors_gateway.json").read_text())["x509"]
HOST = "x509.itls.cn-shanghai.aliyuncs.com"
PUSH = VECTORS["identity_push"]
XPK, XDN = PUSH["payload"]["productKey"], PUSH["payload"]["deviceName"]
XDN2 = "sensor-02"
SUB, SUB_SECRET = ("a1X509SubD0", "sub-0001"), "0123456789abcdef0123456789abcdef"
CA = "Factory_CA"
CA_FALSE, CA_TRUE = x509.BasicConstraints(False, None), x509.BasicConstraints(True, None)
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def x509_settings(switches=None, timing=None, limits=None, region="cn-shanghai", extra=0, **product):
    """An X.509 product with two devices and `extra` more, and products that are none."""
    names = [XDN, XDN2, *(f"more-{number:05}" for number in range(extra))]
    return {
        "instance": {"kind": "enterprise", "id": INSTANCE, "region": region},
        "product": [
            {"product_key": XPK, "auth": "x509", **product, "device": [{"device_name": dn} for dn in names]},
            {"product_key": "a1X509Other", "auth": "x509", "device": [{"device_name": XDN}]},
            {
                "product_key": "a1Platform0",
                "auth": "x509",
                "private_ca": False,
                "device": [{"device_name": XDN}],
            },
            {"product_key": "a1SecretPk0", "device": [{"device_name": XDN}]},
            {
                "product_key": SUB[0],
                "node": "subdevice",
                "device": [{"device_name": SUB[1], "device_secret": SUB_SECRET}],
            },
        ],
        "switches": switches or {},
        "limits": limits or {},
        "timing": timing or {},
    }


@functools.cache
def key(name="device"):
    """An RSA key of 2048 bits; the same name is the same key."""
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certify(
    name, public_key, serial, issuer=None, issuer_key=None, days=(-1, 30), extensions=(), algorithm=None
):
    """A certificate (v3) of `issuer`, a certificate or None for self-signed; `days` from now."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .public_key(public_key)
        .issuer_name(issuer.subject if issuer else subject(name))
        .serial_number(serial)
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, algorithm or hashes.SHA256())


def root(name="Factory Root", key_name="ca", serial=0x7B2F90, **fields):
    """A CA that signs itself."""
    fields = {"extensions": (CA_TRUE,), "issuer_key": key(key_name), **fields}
    return certify(name, key(key_name).public_key(), serial, **fields)


def proof(code, authority, key_name="ca", **fields):
    """The verification certificate for a registration code."""
    fields = {"issuer": authority, "issuer_key": key(key_name), "algorithm": hashes.SHA512(), **fields}
    return certify(code, key("verification").public_key(), 0x1234, **fields)


def leaf(authority, serial, key_name="ca", public_key=None, **fields):
    """A device's certificate."""
    fields = {"issuer": authority, "issuer_key": key(key_name), "extensions": (CA_FALSE, CLIENT), **fields}
    return certify(XDN, public_key or key().public_key(), serial, **fields)


def pem(*certificates):
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates).decode()


def files(folder, *chain, private_key=None):
    """(certificate file, key file) of a client; the key as PKCS#1 PEM."""
    paths = folder / f"{chain[0].serial_number:X}.cer", folder / f"{chain[0].serial_number:X}.key"
    paths[0].write_text(pem(*chain))
    paths[1].write_bytes(
        (private_key or key()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return paths


class Factory:
    """A maker with one CA, who registers it at `cloud`, binds serials, and connects with what it issues."""

    def __init__(self, cloud, folder, name=CA, authority=None, key_name="ca"):
        self.cloud, self.folder, self.name, self.key_name = cloud, folder, name, key_name
        self.root = authority or root(name, key_name)

    def request(self, **changes):
        """The body of a good registration with `changes`."""
        code = self.cloud.admin("GET", "/registration_code")["code"]
        good = {
            "name": self.name,
            "certificate": pem(self.root),
            "certificate_file": "ca.cer",
            "verification": pem(proof(code, self.root, self.key_name)),
            "verification_file": "verify.pem",
        }
        return {**good, **changes}

    def register(self, status=200, **changes):
        return self.cloud.admin("POST", "/cas", self.request(**changes), status)

    def associate(self, *rows, status=200):
        """Uploads rows of (product key, device name, serial)."""
        text = "".join(f"{line}\r\n" for line in (VECTORS["csv"]["header"], *map(",".join, rows)))
        return self.upload(text, status)

    def upload(self, text, status=200, **more):
        return self.cloud.admin("POST", f"/cas/{self.name}/association", {"csv": text, **more}, status)

    def bind(self, serial, dn=XDN, pk=XPK):
        self.associate((pk, dn, f"{serial:X}"))

    def files(self, serial=0x9DC60FB736F3AD, **fields):
        """The files of a device's certificate with this serial."""
        return files(self.folder, leaf(self.root, serial, self.key_name, **fields))

    def ready(self, serial=0x9DC60FB736F3AD):
        """Registers the CA and binds `serial` to the device of the vectors; its files."""
        self.register()
        self.bind(serial)
        return self.files(serial)


def present(cloud, certificate=None, private_key=None, tls13=False, context=None, session=None):
    """A TLS connection to the X.509 port with a client certificate, or without one."""
    if context is None:
        context = ssl.create_default_context(cafile=cloud.run_dir / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_3 if tls13 else ssl.TLSVersion.TLSv1_2
        if certificate:
            context.load_cert_chain(certificate, private_key)
    plain = socket.create_connection(("127.0.0.1", cloud.ports["x509"]), WAIT)
    try:
        return context.wrap_socket(plain, server_hostname=HOST, suppress_ragged_eofs=False, session=session)
    except BaseException:
        plain.close()
        raise


def client(cloud, pair):
    return Client(present(cloud, *pair))


def first(**fields):
    """The CONNECT of the official Java example."""
    return codec.Connect(
        **{"client_id": ".|securemode=2|", "username": "", "password": b"", "keep_alive": 300, **fields}
    )


def again(dn=XDN, pk=XPK, **fields):
    """The documented CONNECT of a device that knows who it is."""
    return codec.Connect(
        **{
            "client_id": "mac-001122334455|securemode=2,signmethod=hmacsha1|",
            "username": f"{dn}&{pk}",
            "password": b"",
            "keep_alive": 300,
            **fields,
        }
    )


def pushed(packet):
    """The identity in a push."""
    assert isinstance(packet, codec.Publish) and packet.topic == PUSH["topic"], packet
    return json.loads(packet.payload)
