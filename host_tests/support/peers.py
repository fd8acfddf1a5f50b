"""Servers for the board's TLS and sockets: each behaves in one way, all in threads of the test."""

import datetime
import ipaddress
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
# What OpenSSL signs an ECDHE exchange with is refused by Debian's interpreter: RSA key exchange goes first.
CIPHERS = "AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA:ECDHE+AESGCM"


class Authority:
    """A CA made for the test, and what it issues."""

    def __init__(self, folder, name="test root"):
        self.folder, self.key = folder, _key()
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.certificate = self._signed(
            self.subject,
            self.key,
            now - DAY,
            now + 3650 * DAY,
            [(x509.BasicConstraints(ca=True, path_length=None), True)],
        )
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name, begins=-1, ends=365, alternatives=None):
        """(certificate file, key file) for a host name, valid from and to so many days from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        key = _key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName(alternatives or [x509.DNSName(name)])
        made = self._signed(subject, key, now + begins * DAY, now + ends * DAY, [(names, False)])
        files = []
        for suffix, data in (
            (".pem", made.public_bytes(serialization.Encoding.PEM)),
            (
                ".key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            ),
        ):
            files.append(self.folder / (name.replace("*", "any") + suffix))
            files[-1].write_bytes(data)
        return files

    def _signed(self, subject, key, begins, ends, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
        )
        builder = (
            builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())


def _key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def address(text):
    return x509.IPAddress(ipaddress.ip_address(text))


class Peer:
    """A server on loopback that runs `handle(connection)` in a thread for each connection it accepts."""

    def __init__(self, handle):
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            with connection:
                self._handle(connection)
        except OSError:
            pass  # the board ended it, which is what many of these tests are about

    def close(self):
        self._socket.close()


def tls(files, handle, versions=(None, ssl.TLSVersion.TLSv1_2), client_ca=None):
    """A handler that speaks TLS with a certificate and then runs `handle(stream)`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.set_ciphers(CIPHERS + ":@SECLEVEL=0")
    if versions[0]:
        context.minimum_version = versions[0]
    context.maximum_version = versions[1]
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())

    def run(connection):
        with connection.dup() as spare:
            try:
                with context.wrap_socket(connection, server_side=True) as stream:
                    handle(stream)
            except ssl.SSLError:
                silent(spare)  # closed at once, what the board still sends would cost it the alert
                raise

    return run


def echo(stream):
    """Sends back what comes; `close` closes, `half` sends half an answer and stays silent."""
    while data := stream.recv(4096):
        if data == b"close":
            return
        if data == b"half":
            stream.sendall(b"ha")
            continue
        stream.sendall(data)


def silent(stream):
    """Reads and never answers."""
    while stream.recv(4096):
        pass


def web(stream):
    """Answers as a web server that was asked something it does not understand."""
    stream.recv(4096)
    stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    silent(stream)
