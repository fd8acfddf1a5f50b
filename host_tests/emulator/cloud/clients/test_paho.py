"""paho-mqtt 1.6.1 with a client certificate against the X.509 port of the emulated cloud (x509.md 4)."""

import pytest

from host_tests.emulator.cloud.clients.conftest import X509_PK, Driver
from host_tests.support.clients import environment
from host_tests.support.cloud.x509 import CA, PUSH, files, leaf, pem, proof, root

SERIAL = 0x11F71FB04CB


@pytest.fixture(scope="module")
def authority(cloud):
    """A CA that is registered."""
    made, code = root(), cloud.admin("GET", "/registration_code")["code"]
    cloud.admin(
        "POST", "/cas", {"name": CA, "certificate": pem(made), "verification": pem(proof(code, made))}
    )
    return made


@pytest.fixture
def paho(cloud, python_sdk, tmp_path):
    """`paho(certificate, login, on)`: drives the client with the certificate."""
    driver = Driver(
        cloud, [str(python_sdk), str(environment.HERE / "paho_driver.py")], CLOUD_CA=str(cloud.ca_pem)
    )

    def run(certificate, login=(), on=None):
        certificate_file, key_file = files(tmp_path, certificate)
        return driver("x509", on, certificate=str(certificate_file), private_key=str(key_file), login=login)

    return run


@pytest.mark.parametrize(
    "serial, login",
    [
        (SERIAL, ()),
        (SERIAL + 1, ("", "")),
        (SERIAL + 2, ("&", "B36DABAE2EBB7B8F")),
    ],
    ids=["no login", "empty login", "login of the SDK"],
)
def test_it_learns_who_it_is_and_is_an_ordinary_device(cloud, paho, authority, serial, login):
    name = f"paho-{serial:X}"
    cloud.admin("POST", f"/products/{X509_PK}/devices", {"device_names": [name]})
    cloud.admin(
        "POST",
        f"/cas/{CA}/association",
        {"csv": f"ProductKey,DeviceName,CertSN\n{X509_PK},{name},{serial:X}\n"},
    )
    get = f"/{X509_PK}/{name}/user/get"
    events = paho(
        leaf(authority, serial),
        login,
        {"message": lambda: cloud.admin("POST", "/publish", {"topic": get, "payload": "hi", "qos": 1})},
    )
    identity = {
        "event": "message",
        "topic": PUSH["topic"],
        "payload": f'{{"productKey":"{X509_PK}","deviceName":"{name}"}}',
    }
    assert events == [
        {"event": "connect", "rc": 0},
        identity,
        {"event": "subscribed", "granted": [1]},
        {"event": "message", "topic": get, "payload": "hi"},
        {"event": "disconnect", "rc": 0},
        {"event": "connect", "rc": 0},
        identity,
        {"event": "disconnect", "rc": 0},
    ]
    device = cloud.device(X509_PK, name)
    assert device["traffic"]["tls_handshakes"] == 2 and device["activated_at"]
    (message,) = cloud.admin("GET", f"/messages?pk={X509_PK}&dn={name}&direction=up")
    assert (message["topic"], message["payload"]) == (f"/{X509_PK}/{name}/user/update", "hello")


def test_a_certificate_that_is_bound_to_nothing(paho, authority):
    assert paho(leaf(authority, 0xBAD)) == [{"event": "connect", "rc": 5}]


@pytest.mark.parametrize(
    "certificate, reason",
    [
        (lambda authority: leaf(root("Stranger", "stranger"), SERIAL, "stranger"), "TLSV1_ALERT_UNKNOWN_CA"),
        (lambda authority: leaf(authority, SERIAL, days=(-9, -1)), "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ],
    ids=["unknown CA", "expired"],
)
def test_a_certificate_that_tls_refuses(paho, authority, certificate, reason):
    assert paho(certificate(authority)) == [{"event": "connect", "rc": reason}]
