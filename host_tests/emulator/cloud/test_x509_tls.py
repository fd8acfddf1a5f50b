"""The TLS of the X.509 port: who comes through the handshake, and which alert the others get (x509.md 4.4)."""

import dataclasses
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from host_tests.support.cloud.client import Client, Closed
from host_tests.support.cloud.x509 import (
    CA,
    CA_FALSE,
    CA_TRUE,
    HOST,
    PUSH,
    SERVER,
    XDN,
    XDN2,
    Factory,
    certify,
    client,
    ec_key,
    files,
    first,
    key,
    leaf,
    present,
    pushed,
    root,
    x509_settings,
)
from tools.emulator.cloud.codec import Connack

SERIAL = 0x9DC60FB736F3AD


def admitted(factory, pair):
    """Whether a certificate is let in and told the identity of the vectors."""
    with client(factory.cloud, pair) as device:
        return device.ask(first()) == Connack(0) and pushed(device.read()) == PUSH["payload"]


def alert(factory, pair, **fields):
    with pytest.raises(ssl.SSLError) as caught:
        present(factory.cloud, *pair, **fields).close()
    return caught.value.reason


def reasons(factory):
    return [(entry["reason"], entry.get("detail")) for entry in factory.cloud.log(event="handshake failed")]


def test_a_bound_certificate_is_told_who_it_is(factory):
    assert admitted(factory, factory.ready())
    (handshake,) = factory.cloud.log(event="handshake", where="x509")
    assert handshake["server_name"] == HOST
    (online,) = factory.cloud.log(event="online")
    assert (online["way"], online["ca"], online["serial"]) == ("x509", "Factory_CA", f"{SERIAL:X}")


def test_no_certificate(factory):
    factory.ready()
    assert alert(factory, ()) == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert reasons(factory) == [("PEER_DID_NOT_RETURN_A_CERTIFICATE", None)]


def test_no_ca_at_all(factory):
    assert alert(factory, factory.files()) == "TLSV1_ALERT_UNKNOWN_CA"
    assert reasons(factory) == [("CERTIFICATE_VERIFY_FAILED", "unable to get local issuer certificate")]


def test_a_ca_that_nobody_registered(factory):
    factory.ready()
    stranger = root("Stranger", "stranger")
    assert alert(factory, files(factory.folder, leaf(stranger, 7, "stranger"))) == "TLSV1_ALERT_UNKNOWN_CA"
    assert alert(factory, files(factory.folder, leaf(stranger, 7, "stranger"), stranger)) == (
        "TLSV1_ALERT_UNKNOWN_CA"
    )


def test_a_certificate_that_signs_itself(factory):
    factory.ready()
    alone = certify("sensor-01", key().public_key(), SERIAL, issuer_key=key(), extensions=(CA_FALSE,))
    assert alert(factory, files(factory.folder, alone)) == "TLSV1_ALERT_UNKNOWN_CA"


def test_another_key_under_the_name_of_a_registered_ca(factory):
    """What it signs has the right issuer and a serial that is bound; the signature is not the CA's."""
    factory.ready()
    forged = leaf(factory.root, SERIAL, "stranger")
    assert alert(factory, files(factory.folder, forged)) == "TLSV1_ALERT_DECRYPT_ERROR"


def test_a_certificate_without_its_key(factory):
    certificate, _ = factory.ready()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other = files(
        factory.folder,
        certify("x", key("stranger").public_key(), 1, issuer_key=key("stranger")),
        private_key=key("stranger"),
    )[1]
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(certificate, other)  # so no honest client can even try


@pytest.mark.parametrize(
    "days, expected",
    [
        ((-9, -1), "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
        ((1, 9), "SSLV3_ALERT_BAD_CERTIFICATE"),
    ],
)
def test_dates_of_the_device_certificate(factory, days, expected):
    factory.ready()
    assert alert(factory, factory.files(days=days)) == expected


def test_a_ca_that_expired_after_it_was_registered(factory):
    factory.ready()
    authorities = factory.cloud.instance.certificates.authorities
    old = root(CA, days=(-9, -1)).public_bytes(Encoding.DER)
    authorities[CA] = dataclasses.replace(authorities[CA], der=old)
    assert alert(factory, factory.files()) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"


@pytest.mark.parametrize(
    "fields",
    [
        {"public_key": ec_key().public_key(), "private_key": ec_key()},
        {"extensions": (CA_FALSE, SERVER)},
    ],
    ids=["not RSA", "for servers only"],
)
def test_a_certificate_of_another_kind(factory, fields):
    factory.ready()
    private = fields.pop("private_key", None)
    pair = files(factory.folder, leaf(factory.root, SERIAL, **fields), private_key=private)
    assert alert(factory, pair) == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


def below(factory):
    """A device certificate of a CA that the registered CA has signed, with that CA beside it."""
    between = certify(
        "Between", key("between").public_key(), 0x77, factory.root, key("ca"), extensions=(CA_TRUE,)
    )
    return files(factory.folder, leaf(between, SERIAL, "between"), between)


def test_a_ca_between_is_refused_before_the_client_has_a_connection(factory):
    factory.ready()
    pair = below(factory)
    assert alert(factory, pair) == "TLSV1_ALERT_UNKNOWN_CA"
    assert reasons(factory) == [("REFUSED", "no registered CA has signed the client's certificate itself")]
    stats = factory.cloud.admin("GET", "/stats")["listeners"]["x509"]
    assert (stats["tls_handshakes"], stats["failed_handshakes"]) == (0, 1)


def test_a_ca_between_is_taken_by_a_switch(maker):
    with maker(switches={"x509_intermediates": True}) as factory:
        factory.ready()
        assert admitted(factory, below(factory))


def test_a_ca_that_does_not_sign_itself_is_an_anchor(factory):
    above = root("Above", "above", serial=1)
    factory.root = certify(
        "Factory Root", key("ca").public_key(), 0x7B2F90, above, key("above"), extensions=(CA_TRUE,)
    )
    assert admitted(factory, factory.ready())


def test_two_cas_each_with_the_same_serial(factory):
    pair = factory.ready()
    other = Factory(factory.cloud, factory.folder, "Other_CA", key_name="stranger")
    other.register()
    other.bind(SERIAL, "sensor-02")
    with client(factory.cloud, other.files()) as device:
        assert device.ask(first()) == Connack(0)
        assert pushed(device.read())["deviceName"] == "sensor-02"
    assert admitted(factory, factory.files()) and pair


def test_two_cas_of_one_subject_are_told_apart_by_key_identifiers(factory):
    for number, name in enumerate(("ca", "stranger")):
        public = key(name).public_key()
        known = x509.SubjectKeyIdentifier.from_public_key(public)
        made = certify("Twins", public, 0x20 + number, issuer_key=key(name), extensions=(CA_TRUE, known))
        twin = Factory(factory.cloud, factory.folder, f"Twin_{number}", made, name)
        twin.register()
        twin.bind(SERIAL, (XDN, XDN2)[number])
    for number, name in enumerate(("ca", "stranger")):
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key(name).public_key())
        pair = files(factory.folder, leaf(made, SERIAL, name, extensions=(CA_FALSE, signer)))
        with client(factory.cloud, pair) as device:
            device.online(first())
            assert pushed(device.read())["deviceName"] == (XDN, XDN2)[number]


@pytest.mark.parametrize("certificate", ["expired", "wrong_host", "untrusted"])
def test_faults_of_the_server_s_certificate(factory, certificate):
    pair = factory.ready()
    factory.cloud.arm("x509", "handshake", "certificate", certificate=certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        present(factory.cloud, *pair)
    assert admitted(factory, pair)


def test_a_deactivated_ca(factory):
    pair = factory.ready()
    with client(factory.cloud, pair) as device:
        device.online(first())
        factory.cloud.admin("POST", "/cas/Factory_CA/deactivate")
        assert device.closed() == "goodbye"
    assert alert(factory, pair) == "TLSV1_ALERT_UNKNOWN_CA"
    factory.cloud.admin("POST", "/cas/Factory_CA/activate")
    assert admitted(factory, pair)


@pytest.mark.parametrize("choice", [5, 4, "close"])
def test_a_deactivated_ca_by_a_switch(maker, choice):
    with maker(switches={"x509_inactive_ca": choice}) as factory:
        pair = factory.ready()
        factory.cloud.admin("POST", "/cas/Factory_CA/deactivate")
        with client(factory.cloud, pair) as device:
            if choice == "close":
                with pytest.raises(Closed):
                    device.login(first())
            else:
                assert device.login(first()) == choice


def test_a_removed_ca(factory):
    pair = factory.ready()
    with client(factory.cloud, pair) as device:
        device.online(first())
        factory.cloud.admin("DELETE", "/cas/Factory_CA")
        assert device.closed() == "goodbye"
    assert alert(factory, pair) == "TLSV1_ALERT_UNKNOWN_CA"
    assert factory.cloud.admin("GET", "/cas") == []
    factory.register()
    with client(factory.cloud, pair) as device:
        assert device.login(first()) == 5  # what was bound went with it


def test_a_ca_that_goes_between_handshake_and_connect(factory):
    with client(factory.cloud, factory.ready()) as device:
        factory.cloud.admin("DELETE", "/cas/Factory_CA")
        assert device.login(first()) == 5


def test_a_new_ca_leaves_connections_alone(factory):
    with client(factory.cloud, factory.ready()) as device:
        device.online(first())
        device.read()
        Factory(factory.cloud, factory.folder, "Other_CA", key_name="stranger").register()
        device.nothing()


def test_a_session_is_never_taken_up_again(factory):
    pair = factory.ready()
    context = ssl.create_default_context(cafile=factory.cloud.run_dir / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*pair)
    with present(factory.cloud, context=context) as link:
        session = link.session
    with present(factory.cloud, context=context, session=session) as link:
        assert not link.session_reused


def test_the_server_prefers_rsa_suites_of_tls_1_2(factory):
    context = ssl.create_default_context(cafile=factory.cloud.run_dir / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA:AES128-GCM-SHA256")
    context.load_cert_chain(*factory.ready())
    with present(factory.cloud, context=context) as link:
        assert (link.version(), link.cipher()[0]) == ("TLSv1.2", "AES128-GCM-SHA256")


def test_the_last_flight_of_a_refused_handshake_keeps_to_its_fault(factory):
    factory.ready()
    factory.cloud.arm("x509", "handshake", "trickle", ms=1, bytes=200)
    assert alert(factory, below(factory)) == "TLSV1_ALERT_UNKNOWN_CA"


def test_refusals_without_an_alert_by_a_switch(maker):
    with maker(switches={"x509_refusal": "close"}) as factory:
        pair = factory.ready()
        for bad in ((), factory.files(5, days=(-9, -1)), below(factory)):
            assert alert(factory, bad) == "UNEXPECTED_EOF_WHILE_READING"
        assert admitted(factory, factory.files()) and pair


def late_alert(cloud, pair):
    """What the client meets at its first read, once it believes the handshake over."""
    with Client(present(cloud, *pair, tls13=True)) as device:
        with pytest.raises((ssl.SSLError, Closed)) as caught:
            device.read()
    return getattr(caught.value, "reason", str(caught.value))


def test_tls_1_3_lets_the_client_believe_and_fails_at_the_first_read(run, tmp_path):
    with run(x509_settings(), tls13=True) as cloud:
        factory = Factory(cloud, tmp_path)
        pair = factory.ready()
        with Client(present(cloud, *pair, tls13=True)) as device:
            assert device.link.version() == "TLSv1.3"
            assert device.login(first()) == 0
        assert late_alert(cloud, ()) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert late_alert(cloud, factory.files(days=(-9, -1))) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
        assert late_alert(cloud, below(factory)) == "fin"
