"""Certificates, keys and pushes of any content: read as the host's library reads them, or refused by name."""

import datetime
import functools
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.support import device_tests
from host_tests.system.x509.conftest import HEAP, RECEIVED, hexed

COUNT = 40  # examples of each in CI


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def board(request):
    with device_tests.conversation(RECEIVED, request.param, heap=HEAP) as ask:

        def reported(function, value):
            failed = ask(function, value)
            assert failed is None, failed

        yield reported


def examples(campaign, count=COUNT):
    return settings(
        max_examples=campaign(count),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def year(number):
    return datetime.datetime(number, 2, 28, 23, 59, 58, tzinfo=datetime.UTC)


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 0xFF10, 0x9DC60FB736F3AD, 2**159 - 1], ids=hex)
@pytest.mark.parametrize(
    "size, begins, ends",
    [(1024, year(1950), year(2049)), (2048, year(2000), year(2050)), (4096, year(2024), year(9999))],
)
def test_what_is_read_is_what_is_written(board, maker, serial, size, begins, ends):
    key = keys(size)
    made = maker.certificate(key, begins, ends, serial, extensions=serial != 1)
    numbers = key.public_key().public_numbers()
    board(
        "read",
        [
            *hexed(made, key),
            [
                format(serial, "X"),
                int(begins.timestamp()),
                int(ends.timestamp()),
                ends.strftime("%Y-%m-%d"),
                format(numbers.n, "x"),
                numbers.e,
            ],
        ],
    )


@functools.lru_cache
def keys(size):
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def test_a_certificate_of_openssl_that_is_version_1(board, tmp_path):
    """x509.md 8: `openssl x509 -req` without an extension file makes X.509 v1."""
    import subprocess

    def openssl(*arguments):
        done = subprocess.run(
            ["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.cer",
        "-days",
        "9",
        "-subj",
        "/CN=CA",
    )
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "x.key", "-out", "x.csr", "-subj", "/CN=sensor-01"
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "x.csr",
        "-CA",
        "ca.cer",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-sha512",
        "-days",
        "300",
        "-out",
        "x.cer",
    )
    openssl("x509", "-in", "x.cer", "-outform", "DER", "-out", "x.der")
    openssl("rsa", "-in", "x.key", "-traditional", "-outform", "DER", "-out", "k.der")
    fields = dict(
        line.split("=", 1)
        for line in openssl(
            "x509", "-in", "x.cer", "-noout", "-serial", "-modulus", "-dates", "-dateopt", "iso_8601"
        ).splitlines()
    )
    begins, ends = (
        datetime.datetime.fromisoformat(fields[name].strip()) for name in ("notBefore", "notAfter")
    )
    board(
        "read",
        [
            (tmp_path / "x.der").read_bytes().hex(),
            (tmp_path / "k.der").read_bytes().hex(),
            [
                fields["serial"].lstrip("0"),
                int(begins.timestamp()),
                int(ends.timestamp()),
                ends.strftime("%Y-%m-%d"),
                fields["Modulus"].lower(),
                65537,
            ],
        ],
    )


@st.composite
def damaged(draw, whole):
    """DER with a few edits, some of them in its lengths."""
    data = bytearray(bytes.fromhex(whole))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1) | st.integers(0, min(80, len(data) - 1)))
        kind = draw(st.sampled_from(("set", "cut", "put", "end")))
        if kind == "set":
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 30))]
        elif kind == "put":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            del data[at:]
        if not data:
            break
    return bytes(data).hex()


def test_fuzzed_certificates_and_keys(board, made_by, campaign, tally):
    certificate, key = made_by["good"]

    @examples(campaign)
    @given(st.one_of(damaged(certificate), st.binary(max_size=80).map(bytes.hex)))
    def of_certificates(value):
        tally("fuzzed inputs")
        board("pair", [value, key])

    @examples(campaign)
    @given(st.one_of(damaged(key), st.binary(max_size=80).map(bytes.hex)))
    def of_keys(value):
        tally("fuzzed inputs")
        board("pair", [certificate, value])

    of_certificates()
    of_keys()


def test_what_is_cut_is_refused(board, made_by):
    certificate, key = made_by["good"]
    for size in [*range(0, 40), *range(40, len(certificate) // 2, 23)]:
        board("refused", [certificate[: 2 * size], key])
        board("refused", [certificate, key[: 2 * size]])


NAMES = st.text("abAB09-_@.:/ é", max_size=34)


def test_fuzzed_pushes(board, made_by, campaign, tally):
    good = json.dumps({"productKey": "a1X509ProdK", "deviceName": "sensor-01"}).encode().hex()

    @examples(campaign, 15)
    @given(
        st.one_of(
            damaged(good),
            st.binary(max_size=60).map(bytes.hex),
            st.fixed_dictionaries({"productKey": NAMES | st.none() | st.integers(), "deviceName": NAMES}).map(
                lambda found: json.dumps(found).encode().hex()
            ),
        )
    )
    def anything(value):
        tally("fuzzed inputs")
        board("pushed", [made_by["good"], value])

    anything()
