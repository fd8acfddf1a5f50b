"""Whatever stands in a file: `check`, the intake of CSRs and of lists answer in words and never crash."""

import random

import pytest

from host_tests.ca.conftest import DEVICE, PRODUCT
from tools import certificates
from tools.ca import check, device_list, issue, keys
from tools.ca.check import Checker
from tools.errors import UserError


def mutations(data, count, seed):
    """`count` damaged forms of `data`: bits, bytes, lengths, cuts, repeats; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            place = chance.randrange(len(damaged) or 1)
            what = chance.randrange(6)
            if not damaged:
                damaged += b"\x30"
            elif what == 0:
                damaged[place] ^= 1 << chance.randrange(8)
            elif what == 1:
                damaged[place] = chance.choice((0x00, 0x01, 0x02, 0x05, 0x30, 0x7F, 0x80, 0x82, 0x84, 0xFF))
            elif what == 2:
                del damaged[place:]
            elif what == 3:
                del damaged[place : place + chance.randrange(1, 20)]
            elif what == 4:
                damaged[place:place] = damaged[place : place + chance.randrange(1, 40)]
            else:
                damaged[place:place] = chance.randbytes(chance.randrange(1, 8))
        yield bytes(damaged)


@pytest.fixture
def held(ca):
    return certificates.certificate((ca.folder / "ca.cer").read_bytes())


@pytest.fixture
def pair(ca, pool):
    return issue.issue(ca, PRODUCT, DEVICE, key=pool[0])


@pytest.mark.parametrize("form", ["certificate_der", "certificate_pem", "key_pem", "key_der"])
def test_damaged_certificates_and_keys_never_crash_check(ca, held, pair, tmp_path, campaign, form):
    checker = Checker(ca.clock(), held, ca.ledger, "a" * 64, "Factory_CA")
    kinds = [None, *check.KINDS]
    path = tmp_path / f"{pair.stem}{'.key' if 'key' in form else '.cer'}"
    answers = set()
    for number, data in enumerate(mutations(getattr(pair, form), int(600 * campaign), form)):
        path.write_bytes(data)
        report = checker.check(path, kinds[number % len(kinds)])
        answers.add(report.good)
        assert all("\n" not in finding.text for finding in report.findings)
    assert False in answers


def test_no_damaged_certificate_passes_for_one_of_the_ca(ca, held, pair, tmp_path, campaign):
    """Any change to a signed certificate breaks its signature, or makes it unreadable."""
    checker = Checker(ca.clock(), held)
    path = tmp_path / f"{pair.stem}.cer"
    for data in mutations(pair.certificate_der, int(1500 * campaign), "signature"):
        if data != pair.certificate_der:
            path.write_bytes(data)
            assert not checker.check(path, "device").good


def test_every_cut_of_a_certificate_is_refused(ca, pair, tmp_path):
    for length in range(len(pair.certificate_der)):
        with pytest.raises(certificates.Unreadable):
            certificates.certificate(pair.certificate_der[:length])


def test_damaged_requests_never_crash_issue(ca, campaign):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    for form in (serialization.Encoding.DER, serialization.Encoding.PEM):
        good = request.public_bytes(form)
        for data in mutations(good, int(500 * campaign), str(form)):
            try:
                accepted = keys.from_request(data)
            except UserError as refused:
                assert "\n" not in str(refused)
            else:
                assert accepted == keys.from_request(good)


def test_damaged_lists_never_crash_intake_or_check(tmp_path, campaign):
    path = tmp_path / "list.csv"
    good = b"ProductKey,DeviceName,CertSN\r\n" + b"".join(
        b"a1Prod,dev-%04d,1A%04X\r\n" % (n, n) for n in range(20)
    )
    for data in mutations(good, int(1500 * campaign), "csv"):
        path.write_bytes(data)
        Checker(0).check(path)
        try:
            wanted, faults = device_list.read(path)
        except UserError as refused:
            assert str(path) in str(refused)
        else:
            assert wanted or faults
