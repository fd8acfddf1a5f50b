"""A pair as it is burned: DER, PKCS#1, belonging together, and small enough for two of them (x509.md 9.2)."""

import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_tests.ca.conftest import DEVICE, PRODUCT
from tools.ca import issue, keys
from tools.errors import UserError
from tools.firmware import record
from tools.image import nvs
from tools.image.identity import pair as credential

FORMS = {
    "PKCS#1 PEM": (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL),
    "PKCS#1 DER": (serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL),
    "PKCS#8 PEM": (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8),
    "PKCS#8 DER": (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8),
}


@pytest.fixture
def issued(ca, pool):
    return issue.issue(ca, PRODUCT, DEVICE, key=pool[0])


def written(key_der, form, password=None):
    key = serialization.load_der_private_key(key_der, None)
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(*FORMS[form], lock)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("certificate", ["certificate_pem", "certificate_der"])
def test_every_form_of_a_pair_becomes_the_same_der(issued, tmp_path, form, certificate):
    """x509.md 9.2: a PKCS#8 DER key fails on MicroPython up to 1.23, so PKCS#1 is burned."""
    (tmp_path / "dev.cer").write_bytes(getattr(issued, certificate))
    (tmp_path / "dev.key").write_bytes(written(issued.key_der, form))
    pair = credential.load(tmp_path / "dev.cer", tmp_path / "dev.key", time.time())
    assert (pair.certificate_der, pair.key_der) == (issued.certificate_der, issued.key_der)


def test_what_is_burned_comes_back_from_the_record_and_from_nvs(issued):
    pair = credential.check(issued.certificate_der, issued.key_der, time.time())
    data = record.encode(record.BURNED, 7, {record.KIND: b"x509", **pair.fields()})
    partition = nvs.write([nvs.Entry("aliot", "burned", "blob", data)], 0x6000)
    kind, generation, fields = record.decode(nvs.read(partition).find("aliot", "burned"))
    assert (kind, generation) == (record.BURNED, 7)
    assert fields[record.CERTIFICATE] == issued.certificate_der
    assert fields[record.PRIVATE_KEY] == issued.key_der


@pytest.mark.parametrize("bits", [2048, 4096])
def test_two_slots_fit_in_a_record_and_beside_their_successor_in_nvs(ca, bits):
    """A second certificate is tried while the first is kept; NVS holds two such records during a change."""
    one = issue.issue(ca, PRODUCT, "d" * 32, bits=bits)
    pair = credential.check(one.certificate_der, one.key_der, time.time())
    data = record.encode(record.BURNED, 7, {record.KIND: b"x509", **pair.fields(), **pair.fields((22, 23))})
    assert len(data) <= record.RECORD_LIMIT
    entries = [nvs.Entry("aliot", name, "blob", data) for name in ("burned", "again")]
    nvs.write(entries, 0x6000)


@pytest.mark.parametrize(
    ("certificate", "key", "complaint"),
    [
        (
            lambda one, ca: one.certificate_der[:-1],
            lambda one: one.key_der,
            "dev.cer: this is not a certificate",
        ),
        (
            lambda one, ca: one.certificate_pem * 2,
            lambda one: one.key_der,
            "dev.cer: there are 2 certificates",
        ),
        (
            lambda one, ca: one.key_pem,
            lambda one: one.key_der,
            "dev.cer: there is a private key in this file",
        ),
        (
            lambda one, ca: ca.certificate.public_bytes(serialization.Encoding.PEM),
            lambda one: one.key_der,
            "dev.cer: it is a CA certificate",
        ),
        (lambda one, ca: one.certificate_der, lambda one: one.key_der[:-1], "dev.key is not a private key"),
        (lambda one, ca: one.certificate_der, lambda one: b"", "dev.key is not a private key"),
        (
            lambda one, ca: one.certificate_der,
            lambda one: one.certificate_pem,
            "dev.key is not a private key",
        ),
        (
            lambda one, ca: one.certificate_der,
            lambda one: written(one.key_der, "PKCS#8 PEM", b"pw"),
            "dev.key has a password",
        ),
        (
            lambda one, ca: one.certificate_der,
            lambda one: ec.generate_private_key(ec.SECP256R1()).private_bytes(
                *FORMS["PKCS#8 PEM"], serialization.NoEncryption()
            ),
            "dev.key is not RSA",
        ),
        (
            lambda one, ca: one.certificate_der,
            lambda one: keys.generate().private,
            "dev.key is not the key of dev.cer",
        ),
    ],
)
def test_pairs_that_are_not_burned(issued, ca, tmp_path, certificate, key, complaint):
    (tmp_path / "dev.cer").write_bytes(certificate(issued, ca))
    (tmp_path / "dev.key").write_bytes(key(issued))
    with pytest.raises(UserError) as refused:
        credential.load(tmp_path / "dev.cer", tmp_path / "dev.key", time.time())
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize(("seconds", "complaint"), [(-1, "not valid before"), (1, "it ended on")])
def test_a_certificate_out_of_its_dates_is_not_burned(issued, seconds, complaint):
    now = issued.not_before - 1 if seconds < 0 else issued.not_after
    with pytest.raises(UserError, match=complaint):
        credential.check(issued.certificate_der, issued.key_der, now)


def test_what_is_shown_of_a_burned_certificate(issued, ca):
    """Subject, serial, issuer, expiry; never the key."""
    shown = credential.describe(issued.certificate_der, issued.not_after - 86400 * 10)
    assert shown["subject"] == f"CN={DEVICE}"
    assert shown["issuer"] == "CN=Factory_CA"
    assert shown["serial"] == issued.serial
    assert (shown["not_before"], shown["not_after"], shown["days_left"]) == (
        issued.not_before,
        issued.not_after,
        10,
    )
    assert shown["bits"] == 2048 and shown["fingerprint"] == ca.ledger.find(issued.serial).fingerprint
    assert credential.describe(issued.certificate_der[:-1], 0) == {
        "fault": "this is not a certificate, or it was cut or changed"
    }
    pair = credential.check(issued.certificate_der, issued.key_der, time.time())
    assert "key" not in repr(pair)
