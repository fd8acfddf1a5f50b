"""What we wrote, checked by Debian's openssl and by Python's own TLS; and the traps of x509.md 8."""

import re
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tools import certificates, serials
from tools.ca import association, check, issue
from tools.ca.check import Checker

PRODUCT, DEVICE = "a1X509ProdK", "sensor-01"
CODE = "c7cdfde6" * 8
HOST = "x509.itls.cn-shanghai.aliyuncs.com"  # x509.md 4; the name in the fixture `server`


@pytest.fixture
def pair(ca, pool, tmp_path):
    """A device's certificate and key as files."""
    issued = issue.issue(ca, PRODUCT, DEVICE, key=pool[0])
    (tmp_path / "dev.cer").write_bytes(issued.certificate_pem)
    (tmp_path / "dev.key").write_bytes(issued.key_pem)
    return issued


def test_openssl_verifies_a_device_certificate_strictly(ca, folder, pair, openssl, tmp_path):
    said = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-check_ss_sig",
        "-CAfile",
        folder / "ca.cer",
        tmp_path / "dev.cer",
    )
    assert said.endswith("OK\n")


def test_openssl_refuses_it_under_another_ca_and_after_its_end(ca, folder, pair, openssl, tmp_path, server):
    assert "unable to get local issuer" in openssl(
        "verify", "-CAfile", server[0], tmp_path / "dev.cer", status=1
    )
    late = openssl(
        "verify", "-attime", pair.not_after + 1, "-CAfile", folder / "ca.cer", tmp_path / "dev.cer", status=1
    )
    assert "certificate has expired" in late
    early = openssl(
        "verify", "-attime", pair.not_before - 1, "-CAfile", folder / "ca.cer", tmp_path / "dev.cer", status=1
    )
    assert "not yet valid" in early


def test_openssl_verifies_the_verification_certificate(ca, folder, openssl, tmp_path):
    path = tmp_path / "verify.cer"
    from tools.ca.keys import pem

    path.write_bytes(pem("CERTIFICATE", ca.verification(CODE)))
    assert openssl("verify", "-x509_strict", "-CAfile", folder / "ca.cer", path).endswith("OK\n")
    shown = openssl("x509", "-in", path, "-noout", "-text", "-subject", "-nameopt", "RFC2253")
    assert f"subject=CN={CODE}\n" in shown
    assert "sha512WithRSAEncryption" in shown


def test_openssl_prints_the_serial_of_the_association_file(ca, folder, pair, openssl, tmp_path):
    """x509.md 3.1: CSV in the form of `openssl x509 -serial`; ours are the same text padded or not."""
    shown = openssl("x509", "-in", tmp_path / "dev.cer", "-noout", "-serial").strip()
    ((path, _),) = association.write(ca, tmp_path)
    assert path.read_bytes().splitlines()[1].decode() == f"{PRODUCT},{DEVICE},{shown.removeprefix('serial=')}"
    assert (
        serials.normal(
            re.search(
                r"Serial Number:\s+([0-9a-f:]+)",
                openssl("x509", "-in", tmp_path / "dev.cer", "-noout", "-text"),
            )[1]
        )
        == pair.serial
    )


def test_openssl_reads_the_device_key_and_writes_the_same_pkcs1(pair, openssl, tmp_path):
    assert "RSA key ok" in openssl("rsa", "-in", tmp_path / "dev.key", "-check", "-noout")
    openssl("rsa", "-in", tmp_path / "dev.key", "-traditional", "-out", tmp_path / "again.key")
    assert (tmp_path / "again.key").read_bytes() == pair.key_pem
    openssl(
        "rsa", "-in", tmp_path / "dev.key", "-traditional", "-outform", "DER", "-out", tmp_path / "dev.der"
    )
    assert (tmp_path / "dev.der").read_bytes() == pair.key_der


def test_openssl_opens_the_ca_key_with_the_passphrase_only(folder, openssl, passphrase):
    word = {"SECRET": passphrase.decode()}
    shown = openssl(
        "pkey", "-in", folder / "ca.key", "-passin", "env:SECRET", "-noout", "-text", environment=word
    )
    assert "Private-Key: (2048 bit" in shown
    openssl(
        "pkey",
        "-in",
        folder / "ca.key",
        "-passin",
        "env:SECRET",
        "-noout",
        status=1,
        environment={"SECRET": "no"},
    )
    shown = openssl("asn1parse", "-in", folder / "ca.key")
    assert ":PBES2" in shown and ":scrypt" in shown and ":aes-256-cbc" in shown


def test_trap_openssl_3_writes_pkcs8(openssl, tmp_path):
    """x509.md 8: OpenSSL 3 genrsa writes BEGIN PRIVATE KEY; the advice of `check` makes it right."""
    path = tmp_path / "a.key"
    openssl("genrsa", "-out", path, "2048")
    report = Checker(0).check(path)
    assert not report.good
    assert "PKCS#8" in report.findings[0].text and "openssl rsa -traditional" in report.findings[0].text
    openssl("rsa", "-in", path, "-traditional", "-out", tmp_path / "b.key")
    assert Checker(0).check(tmp_path / "b.key").good


def test_trap_x509_req_makes_version_1_and_a_20_byte_serial(ca, folder, openssl, tmp_path, passphrase):
    """x509.md 3.1 and 8: `openssl x509 -req -CAcreateserial` without an extension file."""
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        tmp_path / "k",
        "-out",
        tmp_path / "r",
        "-subj",
        "/CN=x",
    )
    path = tmp_path / "dev.cer"
    openssl(
        "x509",
        "-req",
        "-in",
        tmp_path / "r",
        "-CA",
        folder / "ca.cer",
        "-CAkey",
        folder / "ca.key",
        "-passin",
        "env:SECRET",
        "-CAcreateserial",
        "-out",
        path,
        environment={"SECRET": passphrase.decode()},
    )
    held = certificates.certificate(path.read_bytes())
    assert held.version == 1
    assert len(serials.text(held.serial)) > 30
    assert serials.normal((folder / "ca.srl").read_text()) == serials.text(held.serial)
    report = Checker(ca.clock(), certificates.certificate((folder / "ca.cer").read_bytes())).check(
        path, "device"
    )
    assert report.good
    assert any("version 1" in finding.text for finding in report.findings)


def test_trap_a_plain_req_x509_ca_fails_strict_checking(ca, openssl, tmp_path):
    """x509.md 8: Python 3.13 switches VERIFY_X509_STRICT on, and such a CA has no keyUsage."""
    path = tmp_path / "plain.cer"
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        tmp_path / "k",
        "-out",
        path,
        "-days",
        "9",
        "-subj",
        "/CN=Plain",
    )
    report = Checker(ca.clock()).check(path)
    assert (report.kind, report.good) == ("ca", True)
    assert any("keyUsage" in finding.text for finding in report.findings)


def test_a_request_made_by_openssl_is_certified(ca, folder, openssl, tmp_path):
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        tmp_path / "own.key",
        "-out",
        tmp_path / "own.csr",
        "-subj",
        "/C=CN/O=Whoever/CN=anything",
    )
    issued = issue.issue(ca, PRODUCT, DEVICE, csr=(tmp_path / "own.csr").read_bytes())
    (tmp_path / "own.cer").write_bytes(issued.certificate_pem)
    assert openssl("verify", "-x509_strict", "-CAfile", folder / "ca.cer", tmp_path / "own.cer").endswith(
        "OK\n"
    )
    one = openssl("x509", "-in", tmp_path / "own.cer", "-noout", "-pubkey")
    assert one == openssl("pkey", "-in", tmp_path / "own.key", "-pubout")


def test_a_request_made_by_openssl_with_an_elliptic_curve_is_refused(ca, openssl, tmp_path):
    openssl(
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        tmp_path / "k",
        "-out",
        tmp_path / "ec.csr",
        "-subj",
        "/CN=x",
    )
    with pytest.raises(issue.UserError, match="not RSA"):
        issue.issue(ca, PRODUCT, DEVICE, csr=(tmp_path / "ec.csr").read_bytes())


class Listening:
    """`openssl s_server` that wants a client certificate of the CA, for one connection."""

    def __init__(self, program, server, ca_file, *words):
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
                *words,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if match := re.search(r"ACCEPT.*:(\d+)", line):
                self.port = match[1]
                return
        raise AssertionError(self.said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()

    def end(self):
        """What the server said in all, after its one connection."""
        self.said += self.process.communicate(timeout=30)[0]
        return self.said


def connect(openssl, listening, server, *words, status=0):
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
        *words,
        stdin=b"Q\n",
        status=status,
    )


class TestMutualTls:
    """x509.md 4: TLS with the client's certificate, as `openssl s_server` asks for it."""

    @pytest.fixture
    def words(self, tmp_path):
        return "-cert", tmp_path / "dev.cer", "-key", tmp_path / "dev.key"

    @pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES256-SHA256"])
    def test_tls_1_2_with_our_certificate(self, folder, pair, openssl, server, words, suite):
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2") as listening:
            said = connect(openssl, listening, server, "-tls1_2", "-cipher", suite, *words)
            assert "Verify return code: 0 (ok)" in said
            assert suite in said
            assert DEVICE in listening.end()

    def test_no_client_certificate_fails_in_the_handshake_of_tls_1_2(self, folder, openssl, server):
        """x509.md 4.4: TLS 1.2 server gives handshake_failure at once."""
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2") as listening:
            said = connect(openssl, listening, server, "-tls1_2", status=1)
            assert "handshake failure" in said
            assert "peer did not return a certificate" in listening.end()

    def test_a_certificate_of_another_ca_is_an_unknown_ca(self, pair, openssl, server, words):
        with Listening(openssl.program, server, server[0], "-tls1_2") as listening:
            assert "unknown ca" in connect(openssl, listening, server, "-tls1_2", *words, status=1)

    def test_an_ended_certificate_is_refused_as_expired(self, ca, folder, pair, openssl, server, words):
        late = ("-attime", str(pair.not_after + 1))
        with Listening(openssl.program, server, folder / "ca.cer", "-tls1_2", *late) as listening:
            assert "certificate expired" in connect(openssl, listening, server, "-tls1_2", *words, status=1)


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
