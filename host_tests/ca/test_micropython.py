"""Our DER pair in a real MicroPython: loaded as data, mutual TLS 1.2 as on the chip (x509.md 9.1 and 9.2)."""

import socket
import ssl
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from tools.ca import issue
from tools.emulator.board import interpreter

HOST = "x509.itls.cn-shanghai.aliyuncs.com"
SCRIPT = """
import socket, sys, tls
port, root, certificate, key = sys.argv[1:]
def data(path):
    with open(path, "rb") as file:
        return file.read()
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(data(root))
try:
    context.load_cert_chain(data(certificate), data(key))
except ValueError as refused:
    print("refused", refused)
    sys.exit()
plain = socket.socket()
plain.connect(socket.getaddrinfo("127.0.0.1", int(port))[0][-1])
stream = context.wrap_socket(plain, server_hostname="HOST")
stream.write(b"hello")
print("answer", stream.read(5))
""".replace("HOST", HOST)


@pytest.fixture(scope="session")
def micropython():
    found = interpreter.find()

    def run(*arguments):
        done = subprocess.run(
            found.command(*arguments), capture_output=True, text=True, timeout=60, env=found.environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def files(tmp_path, server, ca, pool):
    """script, root, certificate and key as MicroPython reads them: one DER object each."""
    issued = issue.issue(ca, "a1X509ProdK", "sensor-01", key=pool[0])
    root = ssl.PEM_cert_to_DER_cert(server[0].read_text())
    for name, data in (("root", root), ("cert", issued.certificate_der), ("key", issued.key_der)):
        (tmp_path / f"{name}.der").write_bytes(data)
    (tmp_path / "client.py").write_text(SCRIPT)
    return issued, [
        tmp_path / "client.py",
        tmp_path / "root.der",
        tmp_path / "cert.der",
        tmp_path / "key.der",
    ]


def test_mutual_tls_1_2_with_our_der_pair(micropython, files, server, folder):
    issued, (script, root, certificate, key) = files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256")  # Debian's interpreter refuses OpenSSL's RSA-PSS with ECDHE
    context.load_cert_chain(*server[1:])
    context.load_verify_locations(folder / "ca.cer")
    context.verify_mode = ssl.CERT_REQUIRED
    seen = []

    def serve(listening):
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True) as stream:
            seen.append((stream.version(), stream.getpeercert()["serialNumber"]))
            stream.sendall(stream.recv(5).upper())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        output = micropython(script, listening.getsockname()[1], root, certificate, key)
        thread.join()
    assert output == "answer b'HELLO'\n"
    assert seen == [("TLSv1.2", issued.serial)]


@pytest.mark.parametrize("spoil", ["cut", "empty", "garbage"])
def test_a_spoiled_key_is_refused_by_name(micropython, files, spoil):
    """x509.md 9.2: errors on load are ValueError "invalid key" or "invalid cert"."""
    issued, (script, root, certificate, key) = files
    key.write_bytes({"cut": issued.key_der[:-1], "empty": b"", "garbage": b"x" * 100}[spoil])
    assert micropython(script, 1, root, certificate, key) == "refused invalid key\n"


def test_the_two_forms_of_a_key_have_the_published_sizes(files):
    """x509.md 8: PKCS#1 DER 1192 B, PKCS#8 DER 1218 B: 26 bytes of wrapping a board need not hold."""
    issued, _ = files
    key = serialization.load_der_private_key(issued.key_der, None)
    wrapped = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert len(wrapped) - len(issued.key_der) == 26
