"""Keys and requests that a board makes, on both interpreters, as cryptography and openssl see them."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import NameOID

from host_tests.support import device_tests
from host_tests.system.x509.conftest import HEAP, RECEIVED, hexed

SCRIPT = RECEIVED.with_name("x509_keygen.py")
BITS = 1024  # a key of 2048 takes the bench's time


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def made(request, tmp_path_factory):
    """(key, request, request as PEM) of a board."""
    with device_tests.conversation(SCRIPT, request.param, heap="112K") as ask:
        folder = tmp_path_factory.mktemp("made")
        for function, value in (
            ("generate", BITS),
            ("several", 512),
            ("request", ["sensor-01", str(folder)]),
        ):
            failed = ask(function, value)
            assert failed is None, failed
        key, asked = (bytes.fromhex((folder / name).read_text()) for name in ("key", "request"))
        return key, asked, (folder / "pem").read_text()


def test_the_key_is_one_of_pkcs1(made):
    key = serialization.load_der_private_key(made[0], None)
    assert key.key_size == BITS and key.public_key().public_numbers().e == 65537
    signature = key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
    again = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    assert again == made[0], "as a library writes it, byte for byte"


def test_openssl_finds_the_key_sound(made, tmp_path):
    (tmp_path / "key").write_bytes(made[0])
    done = subprocess.run(
        ["openssl", "rsa", "-in", tmp_path / "key", "-inform", "DER", "-check", "-noout"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "RSA key ok" in done.stdout, done.stderr


def test_the_request_is_signed_for_the_name(made):
    request = x509.load_der_x509_csr(made[1])
    assert request.is_signature_valid and request.signature_hash_algorithm.name == "sha256"
    assert [(part.oid, part.value) for part in request.subject] == [(NameOID.COMMON_NAME, "sensor-01")]
    key = serialization.load_der_private_key(made[0], None)
    assert request.public_key() == key.public_key()


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_openssl_verifies_the_request(made, form, tmp_path):
    (tmp_path / "request").write_bytes(made[1] if form == "DER" else made[2].encode())
    done = subprocess.run(
        ["openssl", "req", "-in", tmp_path / "request", "-inform", form, "-verify", "-noout", "-subject"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "verif" in (done.stdout + done.stderr).lower(), done.stderr
    assert "sensor-01" in done.stdout


def test_a_request_with_another_bit_is_not_verified(made, tmp_path):
    (tmp_path / "request").write_bytes(made[1][:-1] + bytes([made[1][-1] ^ 1]))
    done = subprocess.run(
        ["openssl", "req", "-in", tmp_path / "request", "-inform", "DER", "-verify", "-noout"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "failure" in (done.stdout + done.stderr).lower()


def test_a_certificate_for_it_goes_with_the_key_on_a_board(made, maker):
    key = serialization.load_der_private_key(made[0], None)
    pair = hexed(maker.certificate(key), key)
    with device_tests.conversation(RECEIVED, "micropython", heap=HEAP) as ask:
        assert ask("pair", pair) is None
        assert ask("sound", pair) is None


def test_composites_are_told_from_primes():
    """Strong pseudoprimes to base 2 and to 2, 3, 5 and 7, Carmichael numbers, squares; primes of all sizes."""
    p, q = (1 << 127) - 1, (1 << 89) - 1
    composite = [9, 25, 561, 2047, 3277, 4033, 3215031751, 3825123056546413051, p * p, p * q]
    prime = [65537, 2147483647, q, p, (1 << 255) - 19, (1 << 521) - 1]
    numbers = {"composite": [str(number) for number in composite], "prime": [str(number) for number in prime]}
    with device_tests.conversation(SCRIPT, "micropython", heap="112K") as ask:
        assert ask("composites", numbers) is None
