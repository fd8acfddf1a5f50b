"""The TLS of the X.509 port: who comes through the handshake, and which alert the others get (x509.md 4)."""

import ssl

import pytest

from host_tests.cloud.issuing import (
    PUSH,
    Factory,
    client,
    first,
    present,
    pushed,
    x509_settings,
)
from tools.emulator.cloud.codec import Connack


@pytest.fixture
def factory(run, tmp_path):
    with run(x509_settings()) as cloud:
        yield Factory(cloud, tmp_path)


def test_a_bound_certificate_is_told_who_it_is(factory):
    with client(factory.cloud, factory.ready()) as device:
        assert device.ask(first()) == Connack(0)
        assert pushed(device.read()) == PUSH["payload"]


def alert(factory, pair, **fields):
    with pytest.raises(ssl.SSLError) as caught:
        present(factory.cloud, *pair, **fields).close()
    return caught.value.reason


def test_no_certificate(factory):
    assert alert(factory, ()) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_unknown_ca(factory):
    assert alert(factory, factory.files()) == "TLSV1_ALERT_UNKNOWN_CA"


def test_expired(factory):
    factory.ready()
    assert alert(factory, factory.files(5, days=(-9, -1))) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
