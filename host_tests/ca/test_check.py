"""`ca check`: every rule of the console on a file before it is uploaded (x509.md 2, 3, 8)."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tests.ca.conftest import DEVICE, PRODUCT
from tools import certificates
from tools.ca import check, issue
from tools.ca.check import Checker

CODE = "c7cdfde6" * 8
DAY = 86400


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


def certificate(
    key,
    name="Other_CA",
    serial=0x7B2F90,
    start=-DAY,
    end=365 * DAY,
    issuer=None,
    signer=None,
    extensions=(),
    hash_=None,
    now=None,
):
    """A certificate of any shape; without `issuer` and `signer` signed by itself."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now + datetime.timedelta(seconds=start))
        .not_valid_after(now + datetime.timedelta(seconds=end))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(signer or key, hash_ or hashes.SHA256())


def usage(*wanted):
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in wanted for name in every})


CA = x509.BasicConstraints(ca=True, path_length=None)
LEAF = x509.BasicConstraints(ca=False, path_length=None)
SIGNS = usage("key_cert_sign", "crl_sign")


def pem(made):
    return made.public_bytes(serialization.Encoding.PEM)


def der(made):
    return made.public_bytes(serialization.Encoding.DER)


def look(path, data, kind=None, **more):
    path.write_bytes(data)
    return Checker(datetime.datetime.now(datetime.UTC).timestamp(), **more).check(path, kind)


def messages(report, level="error"):
    return " | ".join(finding.text for finding in report.findings if finding.level == level)


@pytest.mark.parametrize("ending", [".cer", ".crt", ".pem", ".PEM"])
@pytest.mark.parametrize("form", [pem, der])
def test_a_good_ca_in_every_file_type(tmp_path, rsa_key, ending, form):
    """x509.md 2: .cer, .crt or .pem; one PEM or DER certificate."""
    report = look(
        tmp_path / f"ca{ending}", form(certificate(rsa_key, extensions=[CA, SIGNS])), name="Other_CA"
    )
    assert (report.kind, report.findings) == ("ca", ())


@pytest.mark.parametrize("ending", [".txt", ".der", ".p12", ""])
def test_other_file_types_are_refused(tmp_path, rsa_key, ending):
    report = look(tmp_path / f"ca{ending}", pem(certificate(rsa_key, extensions=[CA, SIGNS])))
    assert "takes .cer, .crt, .pem" in messages(report)


BAD_CA = {
    "elliptic curve": (
        lambda key: certificate(ec.generate_private_key(ec.SECP256R1()), extensions=[CA, SIGNS]),
        "not RSA",
    ),
    "1024 bits": (
        lambda key: certificate(rsa.generate_private_key(65537, 1024), extensions=[CA, SIGNS]),
        "1024 bits",
    ),
    "CA:FALSE": (lambda key: certificate(key, extensions=[LEAF, SIGNS]), "CA:TRUE"),
    "no basicConstraints": (lambda key: certificate(key, extensions=[SIGNS]), "CA:TRUE"),
    "keyUsage without keyCertSign": (
        lambda key: certificate(key, extensions=[CA, usage("digital_signature")]),
        "keyCertSign",
    ),
    "ended": (lambda key: certificate(key, start=-9 * DAY, end=-DAY, extensions=[CA, SIGNS]), "it ended on"),
    "not begun": (lambda key: certificate(key, start=DAY, extensions=[CA, SIGNS]), "not valid before"),
    "no subject": (lambda key: certificate(key, name=None, extensions=[CA, SIGNS]), "subject is empty"),
    "signed by another key": (
        lambda key: certificate(key, signer=rsa.generate_private_key(65537, 2048), extensions=[CA, SIGNS]),
        "own signature is wrong",
    ),
}


@pytest.mark.parametrize("bad", BAD_CA)
def test_a_ca_that_the_console_would_refuse(tmp_path, rsa_key, bad):
    make, complaint = BAD_CA[bad]
    report = look(tmp_path / "ca.cer", pem(make(rsa_key)), "ca")
    assert complaint in messages(report)


ODD_CA = {
    "no keyUsage": (lambda key: certificate(key, extensions=[CA]), "strict checkers (Python 3.13)"),
    "serial of an odd count of digits": (
        lambda key: certificate(key, serial=0xABC, extensions=[CA, SIGNS]),
        "ABC and 0ABC; upload ABC",
    ),
    "serial like a number": (
        lambda key: certificate(key, serial=0x1234567890, extensions=[CA, SIGNS]),
        "spreadsheet",
    ),
    "not self-signed": (
        lambda key: certificate(
            key, issuer=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")]), extensions=[CA, SIGNS]
        ),
        "not self-signed",
    ),
}


@pytest.mark.parametrize("odd", ODD_CA)
def test_a_ca_that_works_and_is_worth_a_warning(tmp_path, rsa_key, odd):
    make, complaint = ODD_CA[odd]
    report = look(tmp_path / "ca.cer", pem(make(rsa_key)), "ca")
    assert report.good
    assert complaint in messages(report, "warning")


def test_large_keys_are_warned_of_for_their_memory(tmp_path):
    """x509.md 2: default 2048, 3072 and 4096 allowed with a warning on memory."""
    report = look(
        tmp_path / "ca.cer", pem(certificate(rsa.generate_private_key(65537, 3072), extensions=[CA, SIGNS]))
    )
    assert report.good and "more memory" in messages(report, "warning")


def test_sha1_is_warned_of(folder):
    """A hash that x509.md does not forbid, and that nobody should use for a new certificate."""
    held = certificates.certificate((folder / "ca.cer").read_bytes())
    held.hash_name = "sha1"

    assert "SHA1" in certificates.any_certificate(held, held.start + 1)[0].text


@pytest.mark.parametrize(
    ("name", "good"), [("Factory_CA", True), ("abc", False), ("x" * 31, False), ("a-b-c", False)]
)
def test_name_of_the_ca(tmp_path, rsa_key, name, good):
    report = look(tmp_path / "ca.cer", pem(certificate(rsa_key, extensions=[CA, SIGNS])), name=name)
    assert report.good is good


def test_a_chinese_name_is_only_on_the_chinese_page(tmp_path, rsa_key):
    report = look(tmp_path / "ca.cer", pem(certificate(rsa_key, extensions=[CA, SIGNS])), name="工厂证书")
    assert report.good and "Chinese console" in messages(report, "warning")


def test_a_file_with_a_private_key_is_never_to_be_uploaded(tmp_path, rsa_key):
    key = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    report = look(tmp_path / "ca.cer", pem(certificate(rsa_key, extensions=[CA, SIGNS])) + key)
    assert "private key in this file; never upload it" in messages(report)


def test_a_chain_in_one_file_is_refused(tmp_path, rsa_key):
    """x509.md 2: one certificate; x509.md 9.2: mbedTLS 3.5 and later refuses concatenated DER as well."""
    made = certificate(rsa_key, extensions=[CA, SIGNS])
    assert "2 certificates" in messages(look(tmp_path / "ca.cer", pem(made) * 2))
    assert "not a certificate" in messages(look(tmp_path / "ca.cer", der(made) * 2))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        b"-----BEGIN CERTIFICATE-----\n",
        b"\x30\x82" * 50,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
@pytest.mark.parametrize("kind", [None, *check.KINDS])
def test_garbage_is_refused_as_anything(tmp_path, data, kind):
    report = look(tmp_path / "file.cer", data, kind)
    assert not report.good


class TestVerification:
    def look(self, ca, tmp_path, data, kind="verification"):
        held = certificates.certificate((ca.folder / "ca.cer").read_bytes())
        return look(tmp_path / "verify.cer", data, kind, ca=held, code=CODE)

    def test_ours_is_good(self, ca, tmp_path):
        report = self.look(ca, tmp_path, ca.verification(CODE), None)
        assert (report.kind, report.findings) == ("verification", ())

    def test_another_code(self, ca, tmp_path):
        """x509.md 2, step 5: CN equals the current registration code exactly."""
        assert "not the registration code" in messages(self.look(ca, tmp_path, ca.verification(CODE.upper())))

    def test_another_ca_of_the_same_name(self, ca, tmp_path, rsa_key):
        made = certificate(rsa_key, CODE, issuer=ca.certificate.subject, extensions=[LEAF])
        assert "not of the CA's key" in messages(self.look(ca, tmp_path, pem(made)))

    def test_another_issuer(self, ca, tmp_path, rsa_key):
        assert "issuer is not the subject" in messages(
            self.look(ca, tmp_path, pem(certificate(rsa_key, CODE)))
        )

    def test_ended(self, ca, tmp_path, rsa_key):
        made = certificate(
            rsa_key, CODE, issuer=ca.certificate.subject, signer=ca._key, start=-9 * DAY, end=-DAY
        )
        assert "it ended on" in messages(self.look(ca, tmp_path, pem(made)))

    def test_no_common_name(self, ca, tmp_path, rsa_key):
        made = certificate(rsa_key, None, issuer=ca.certificate.subject, signer=ca._key)
        assert "no Common Name" in messages(self.look(ca, tmp_path, pem(made)))


class TestDevice:
    @pytest.fixture
    def look(self, ca, tmp_path, rsa_key):
        """Looks at a certificate of any shape signed by the CA for the device, under the right file name."""
        held = certificates.certificate((ca.folder / "ca.cer").read_bytes())

        def run(stem=None, key=rsa_key, beside=None, **shape):
            shape = {
                "name": DEVICE,
                "issuer": ca.certificate.subject,
                "signer": ca._key,
                "extensions": [LEAF],
                **shape,
            }
            path = tmp_path / f"{stem or f'{PRODUCT}_{DEVICE}_{ca.serial}'}.cer"
            if beside is not None:
                path.with_suffix(".key").write_bytes(beside)
                path.with_suffix(".key").chmod(0o600)
            return look(path, pem(certificate(key, **shape)), "device", ca=held)

        return run

    def test_ours_is_good(self, ca, pool, tmp_path):
        issued = issue.issue(ca, PRODUCT, DEVICE, key=pool[0])
        (tmp_path / f"{issued.stem}.key").write_bytes(issued.key_pem)
        held = certificates.certificate((ca.folder / "ca.cer").read_bytes())
        report = look(tmp_path / f"{issued.stem}.cer", issued.certificate_pem, ca=held)
        assert (report.kind, report.findings) == ("device", ())

    @pytest.mark.parametrize(
        ("shape", "complaint"),
        [
            ({"extensions": [CA]}, "able to sign others"),
            ({"extensions": [LEAF, usage("key_encipherment")]}, "digitalSignature"),
            ({"extensions": [LEAF, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])]}, "clientAuth"),
            ({"key": ec.generate_private_key(ec.SECP256R1())}, "not RSA"),
            ({"signer": rsa.generate_private_key(65537, 2048)}, "not of the CA's key"),
            ({"issuer": x509.Name([])}, "issuer is not the subject"),
            ({"start": -9 * DAY, "end": -DAY}, "it ended on"),
            ({"start": DAY}, "not valid before"),
            ({"stem": f"{PRODUCT}_{DEVICE}_7B2F90"}, "CA_SN 7B2F90, the CA's serial is"),
            ({"beside": b"garbage"}, "not PEM"),
        ],
    )
    def test_refused(self, look, shape, complaint):
        assert complaint in messages(look(**shape))

    @pytest.mark.parametrize(
        ("shape", "complaint"),
        [
            ({"stem": "device"}, "[ProductKey]_[DeviceName]_[CA_SN]"),
            ({"name": "sensor-02"}, "Common Name is 'sensor-02'"),
            ({"end": 9000 * DAY}, "outlives its CA"),
        ],
    )
    def test_warned_of(self, look, shape, complaint):
        report = look(**shape)
        assert report.good
        assert complaint in messages(report, "warning")

    def test_the_key_beside_it_is_of_another_certificate(self, look, pool, ca):
        beside = issue.issue(ca, PRODUCT, "sensor-02", key=pool[1]).key_pem
        assert "of another certificate" in messages(look(beside=beside))


KEY_FORMS = {
    "PKCS#8": (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, None, "PKCS#8, not PKCS#1"),
    "DER": (serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, None, "not PEM"),
    "PKCS#8 with a password": (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        b"pw",
        "has a password",
    ),
    "PKCS#1 with a password": (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        b"pw",
        "has a password",
    ),
}


@pytest.mark.parametrize("form", KEY_FORMS)
def test_key_files_in_a_wrong_form(tmp_path, rsa_key, form):
    """x509.md 3: PEM, BEGIN RSA PRIVATE KEY, that is PKCS#1, no password."""
    encoding, kind, password, complaint = KEY_FORMS[form]
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    report = look(tmp_path / "a.key", rsa_key.private_bytes(encoding, kind, lock))
    assert complaint in messages(report)


def test_a_key_that_is_not_rsa(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        data = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        assert "not RSA" in messages(look(tmp_path / "a.key", data))


def test_a_key_that_others_may_read_is_warned_of(tmp_path, pool):
    path = tmp_path / "a.key"
    from tools.certificates import pem as key_pem

    path.write_bytes(key_pem("RSA PRIVATE KEY", pool[0].private))
    path.chmod(0o644)
    report = Checker(0).check(path)
    assert report.good and "chmod 600" in messages(report, "warning")
    path.chmod(0o600)
    assert Checker(0).check(path).findings == ()


def test_certificate_given_as_key_and_key_as_certificate(tmp_path, folder, pool):
    from tools.certificates import pem as key_pem

    certificate = (folder / "ca.cer").read_bytes()
    assert "certificate in this key file" in messages(look(tmp_path / "a.key", certificate))
    assert "never upload it" in messages(
        look(tmp_path / "a.cer", key_pem("RSA PRIVATE KEY", pool[0].private))
    )


def test_no_finding_shows_a_key(tmp_path, pool):
    from tools.certificates import pem as key_pem

    report = look(tmp_path / "a.cer", key_pem("RSA PRIVATE KEY", pool[0].private))
    assert key_pem("", pool[0].private)[40:60].decode() not in str(report.plain())
