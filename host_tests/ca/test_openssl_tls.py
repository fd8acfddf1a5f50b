"""Handshakes with our certificates, by Debian's openssl and by Python's own TLS."""

import re
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tests.ca.conftest import DEVICE
from tools import certificates
from tools.ca import check
from tools.ca.check import Checker

HOST = "x509.itls.cn-shanghai.aliyuncs.com"  # x509.md 4; the name in the fixture `server`


class Listening:
    """`openssl s_server` that wants a client certificate of the CA, for one connection."""

    def __init__(self, program, server, ca_file, *arguments):
        _, certificate, key = server
        self.process = subprocess.Popen(
            [
                program,
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-naccept",
                "1",
                "-cert",
                certificate,
                "-key",
                key,
                "-Verify",
                "2",
                "-verify_return_error",
                "-CAfile",
                ca_file,
                *arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if match := re.search(r"ACCEPT.*:(\d+)", line):
                self.port = match[1]
                return
        raise AssertionError(self.output)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()

    def end(self):
        """What the server said in all, after its one connection."""
        self.output += self.process.communicate(timeout=30)[0]
        return self.output


def connect(openssl, listening, server, *arguments, status=0):
    return openssl(
        "s_client",
        "-connect",
        f"127.0.0.1:{listening.port}",
        "-servername",
        HOST,
        "-verify_hostname",
        HOST,
        "-CAfile",
        server[0],
        "-verify_return_error",
        *arguments,
        stdin=b"Q\n",
        status=status,
    )


class TestMutualTls:
    """x509.md 4: TLS with the client's certificate, as `openssl s_server` asks for it."""

    @pytest.fixture
    def arguments(self, tmp_path):
        return "-cert", tmp_path / "dev.cer", "-key", tmp_path / "dev.key"

    @pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES256-SHA256"])
    def test_tls_1_2_with_our_certificate(self, folder, pair, openssl, server, arguments, suite):
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2") as listening:
            printed = connect(openssl, listening, server, "-tls1_2", "-cipher", suite, *arguments)
            assert "Verify return code: 0 (ok)" in printed
            assert suite in printed
            assert DEVICE in listening.end()

    def test_no_client_certificate_fails_in_the_handshake_of_tls_1_2(self, folder, openssl, server):
        """x509.md 4.4: TLS 1.2 server gives handshake_failure at once."""
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2") as listening:
            printed = connect(openssl, listening, server, "-tls1_2", status=1)
            assert "handshake failure" in printed
            assert "peer did not return a certificate" in listening.end()

    def test_a_certificate_of_another_ca_is_an_unknown_ca(self, pair, openssl, server, arguments):
        with Listening(openssl.program, server, server[0], "-tls1_2") as listening:
            assert "unknown ca" in connect(openssl, listening, server, "-tls1_2", *arguments, status=1)

    def test_an_ended_certificate_is_refused_as_expired(self, ca, folder, pair, openssl, server, arguments):
        late = ("-attime", str(pair.not_after + 1))
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2", *late) as listening:
            assert "certificate expired" in connect(
                openssl, listening, server, "-tls1_2", *arguments, status=1
            )


def handshake(folder, server, client, strict):
    """The client's common name as Python's server sees it; ssl.SSLError if the server refuses."""
    _, certificate, key = server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(folder)
    context.verify_mode = ssl.CERT_REQUIRED
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    answer = []

    def serve():
        try:
            with context.wrap_socket(ours, server_side=True) as stream:
                answer.append(stream.getpeercert()["serialNumber"])
        except ssl.SSLError as refused:
            answer.append(refused)
        finally:
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=HOST) as stream:
            stream.recv(1)
    except OSError:
        pass
    finally:
        theirs.close()
        thread.join()
    if isinstance(answer[0], Exception):
        raise answer[0]
    return answer[0]


def client(server, certificate, key):
    context = ssl.create_default_context(cafile=server[0])
    context.load_cert_chain(certificate, key)
    return context


def test_strict_python_takes_our_ca_and_sees_the_normal_serial(folder, pair, server, tmp_path):
    """x509.md 3.1 and 8: getpeercert()["serialNumber"]; VERIFY_X509_STRICT."""
    seen = handshake(
        folder / "ca.cer", server, client(server, tmp_path / "dev.cer", tmp_path / "dev.key"), strict=True
    )
    assert seen == pair.serial


def test_strict_python_refuses_a_plain_ca(openssl, server, tmp_path):
    """x509.md 8, the trap itself, so that the warning of `check` keeps its reason."""
    ca, ca_key, csr, leaf, key = (tmp_path / name for name in ("p.pem", "p.key", "l.csr", "l.pem", "l.key"))
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        ca_key,
        "-out",
        ca,
        "-days",
        2,
        "-subj",
        "/CN=P",
    )
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=leaf")
    openssl(
        "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 2, "-out", leaf
    )
    with pytest.raises(ssl.SSLError, match="verify failed"):
        handshake(ca, server, client(server, leaf, key), strict=True)
    assert handshake(ca, server, client(server, leaf, key), strict=False)


def test_the_published_platform_profile_passes_as_a_device(pool, ca, tmp_path):
    """x509.md 5: keyUsage of five bits, no EKU; a certificate in that shape is no error for `check`."""
    from cryptography.hazmat.primitives import hashes

    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        True,
    )
    usage |= dict.fromkeys(("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    held = ca.certificate
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string("CN=Alibaba Cloud IoT Certificate"))
        .issuer_name(held.subject)
        .public_key(serialization.load_der_public_key(pool[0].public))
        .serial_number(0x3476BFA870CC99)
        .not_valid_before(held.not_valid_before_utc)
        .not_valid_after(held.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.KeyUsage(**usage), True)
        .sign(ca._key, hashes.SHA256())
    )
    path = tmp_path / "platform.cer"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    report = Checker(ca.clock(), certificates.certificate((ca.folder / "ca.cer").read_bytes())).check(
        path, "device"
    )
    assert report.good and "34 76BF" not in report.about and "3476BFA870CC99" in report.about
    assert check.KINDS
