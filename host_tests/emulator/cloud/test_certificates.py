"""The CA and the server certificate: verified by OpenSSL, and what clients of the field can negotiate."""

import ssl
import subprocess

import pytest

from host_tests.support.cloud.client import AUTH_HOST, HOST, PK, connect_packet
from tools.emulator.cloud.certificates import host_names, prepare, serves

HOSTS = [
    HOST,
    "iot-060a06ph.mqtt.iothub.aliyuncs.com",
    f"{PK}.iot-as-mqtt.cn-shanghai.aliyuncs.com",
    AUTH_HOST,
    "x509.itls.cn-shanghai.aliyuncs.com",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("where", ["mqtt_tls", "https"])
def test_the_platforms_names_are_verified(cloud, where, host):
    with cloud.open(where, host) as link:
        assert link.version() == "TLSv1.2"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "iothub.aliyuncs.com",
        "a.b.mqtt.iothub.aliyuncs.com",
        f"{PK}.iot-as-mqtt.us-west-1.aliyuncs.com",
        "iot-auth.us-west-1.aliyuncs.com",
    ],
)
def test_no_other_name_is(cloud, host):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        cloud.open("mqtt_tls", host)


def test_names_of_another_region(run):
    with run(region="ap-southeast-1") as cloud:
        for host in (f"{PK}.iot-as-mqtt.ap-southeast-1.aliyuncs.com", "iot-auth.ap-southeast-1.aliyuncs.com"):
            cloud.open("mqtt_tls", host).close()


def context(cloud, ciphers, tls=ssl.TLSVersion.TLSv1_2):
    made = ssl.create_default_context(cafile=cloud.run_dir / "ca.pem")
    made.set_ciphers(ciphers)
    made.maximum_version = tls
    return made


@pytest.mark.parametrize(
    "offered, chosen",
    [
        ("AES128-SHA", "AES128-SHA"),
        ("AES256-SHA256", "AES256-SHA256"),  # official C clients: RSA and CBC
        (
            "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA:AES128-GCM-SHA256",
            "AES128-GCM-SHA256",
        ),  # the cloud's own order wins
        ("ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA", "AES128-SHA"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
)
def test_cipher_suites(cloud, offered, chosen):
    cloud_trust, cloud.trust = cloud.trust, context(cloud, offered)
    try:
        with cloud.mqtt() as client:
            assert client.link.cipher()[0] == chosen
            client.online(connect_packet(secret=cloud.device()["device_secret"]))
    finally:
        cloud.trust = cloud_trust


@pytest.mark.parametrize("tls13, version", [(False, "TLSv1.2"), (True, "TLSv1.3")])
def test_tls_1_3_only_when_asked(run, tls13, version):
    with run(tls13=tls13) as cloud:
        cloud.trust.maximum_version = ssl.TLSVersion.TLSv1_3
        with cloud.mqtt() as client:
            assert client.link.version() == version
            client.online(connect_packet())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_below_tls_1_2(cloud):
    old = context(cloud, "ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    trust, cloud.trust = cloud.trust, old
    try:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            cloud.open()
    finally:
        cloud.trust = trust


def test_openssl_accepts_the_chain_and_finds_rsa_2048(certificates):
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            HOST,
            "-CAfile",
            certificates / "ca.pem",
            certificates / "server.pem",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("ca.pem", "server.pem"):
        text = subprocess.run(
            ["openssl", "x509", "-in", certificates / name, "-noout", "-text"], capture_output=True, text=True
        ).stdout
        assert "Public-Key: (2048 bit)" in text and "sha256WithRSAEncryption" in text
    der = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", certificates / "ca.der", "-noout", "-subject"],
        capture_output=True,
        text=True,
    ).stdout
    assert "aliot emulated cloud root" in der


def test_the_server_certificate_is_made_again_when_its_names_change_and_the_ca_stays(tmp_path):
    shanghai, virginia = host_names("cn-shanghai"), host_names("us-east-1")
    prepare(tmp_path, shanghai)
    first = {name: (tmp_path / name).read_bytes() for name in ("ca.pem", "server.pem")}
    prepare(tmp_path, shanghai)
    assert first == {name: (tmp_path / name).read_bytes() for name in first}
    assert serves(tmp_path, shanghai) and not serves(tmp_path, virginia)
    prepare(tmp_path, virginia)
    assert (tmp_path / "ca.pem").read_bytes() == first["ca.pem"]
    assert (tmp_path / "server.pem").read_bytes() != first["server.pem"]
