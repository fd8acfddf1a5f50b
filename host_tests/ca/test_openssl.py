"""What we wrote, checked by Debian's openssl; and the traps of x509.md 8."""

import re

import pytest

from host_tests.ca.conftest import DEVICE, PRODUCT
from tools import certificates, serials
from tools.ca import association, issue
from tools.ca.check import Checker

CODE = "c7cdfde6" * 8


def test_openssl_verifies_a_device_certificate_strictly(ca, folder, pair, openssl, tmp_path):
    output = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-check_ss_sig",
        "-CAfile",
        folder / "ca.cer",
        tmp_path / "dev.cer",
    )
    assert output.endswith("OK\n")


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
    from tools.certificates import pem

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
