"""The whole way of a certificate from makers that the cloud does not know: `openssl` and `tools.ca`."""

import os
import select
import subprocess
import time

import pytest

from host_tests.emulator.cloud.test_x509_associations import FILES
from host_tests.emulator.cloud.test_x509_cas import CA_REFUSED, proofs
from host_tests.support.cloud.x509 import CA, HOST, PUSH, XDN, XDN2, XPK, client, first, pem, pushed
from tools import certificates
from tools.ca import association, authority
from tools.ca.check import Checker
from tools.ca.issue import issue
from tools.emulator.cloud import codec

CHEAP = 2**10  # scrypt, for a passphrase of the test's own


@pytest.fixture
def openssl(tmp_path):
    def run(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def signed(openssl, folder, name, subject, *more):
    """A key and a certificate of ca.crt, by the commands of the platform's pages; version 1."""
    openssl("genrsa", "-traditional", "-out", f"{name}.key", 2048)
    openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
    openssl(
        "x509",
        "-req",
        "-in",
        f"{name}.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        f"{name}.crt",
        "-sha512",
        *more,
    )
    return folder / f"{name}.crt", folder / f"{name}.key"


def test_all_of_it_made_by_openssl(factory, openssl, tmp_path):
    cloud = factory.cloud
    openssl(
        "req",
        "-new",
        "-x509",
        "-days",
        3650,
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/C=CN/O=Example/CN=myIoTCARoot",
    )
    code = cloud.admin("GET", "/registration_code")["code"]
    verification, _ = signed(openssl, tmp_path, "verify", code, "-days", 300)
    cloud.admin(
        "POST",
        "/cas",
        {
            "name": CA,
            "certificate": (tmp_path / "ca.crt").read_text(),
            "verification": verification.read_text(),
            "certificate_file": "ca.crt",
        },
    )
    pair = signed(openssl, tmp_path, "device", XDN, "-days", 3650)
    serial = openssl("x509", "-in", pair[0], "-noout", "-serial").strip().removeprefix("serial=")
    factory.associate((XPK, XDN, serial))
    with s_client(cloud, *pair) as output:
        assert output[0] == codec.Connack(0) and pushed(output[1]) == PUSH["payload"]


class s_client:
    """`openssl s_client` as an MQTT client: sends a CONNECT; the two packets it gets."""

    def __init__(self, cloud, certificate, private_key):
        self.process = subprocess.Popen(
            [
                "openssl",
                "s_client",
                "-quiet",
                "-verify_quiet",
                "-tls1_2",
                "-connect",
                f"127.0.0.1:{cloud.ports['x509']}",
                "-servername",
                HOST,
                "-verify_hostname",
                HOST,
                "-verify_return_error",
                "-CAfile",
                cloud.run_dir / "ca.pem",
                "-cert",
                certificate,
                "-key",
                private_key,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        self.process.stdin.write(first().encode())
        self.process.stdin.flush()
        decoder, packets = codec.Decoder(), []
        while len(packets) < 2:
            assert select.select([self.process.stdout], [], [], 20)[0], "nothing came"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.process.stderr.read().decode()
            packets += decoder.feed(data)
        return packets

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_all_of_it_made_by_the_ca_of_this_project(factory, tmp_path):
    cloud, passphrase = factory.cloud, b"a passphrase of this test"
    ca = authority.create(tmp_path / "ca", CA, passphrase, cost=CHEAP).unlock(passphrase)
    der = ca.verification(cloud.admin("GET", "/registration_code")["code"])
    cloud.admin(
        "POST",
        "/cas",
        {
            "name": CA,
            "certificate": (tmp_path / "ca" / "ca.cer").read_text(),
            "certificate_file": "ca.cer",
            "verification": certificates.pem("CERTIFICATE", der).decode(),
            "verification_file": "verify.cer",
        },
    )
    assert cloud.admin("GET", "/cas")[0]["serial"] == ca.serial
    made = [issue(ca, XPK, name) for name in (XDN, XDN2)]
    ((path, rows),) = association.write(ca, tmp_path / "out")
    assert factory.upload(path.read_bytes().decode(), file=path.name) == {"bound": rows} == {"bound": 2}
    for one in made:
        pair = tmp_path / f"{one.stem}.cer", tmp_path / f"{one.stem}.key"
        pair[0].write_bytes(one.certificate_pem)
        pair[1].write_bytes(one.key_pem)
        with client(cloud, pair) as device:
            device.online(first())
            assert pushed(device.read()) == {"productKey": XPK, "deviceName": one.device_name}
    issue(ca, XPK, XDN, renew=True)
    ((path, rows),) = association.write(ca, tmp_path / "out")
    assert factory.upload(path.read_bytes().decode()) == {"bound": 1}
    ((path, rows),) = association.write(ca, tmp_path / "all", everything=True)
    answer = factory.upload(path.read_bytes().decode(), 409)
    assert len(answer["rows"]) == rows == 2 and all("already" in row["error"] for row in answer["rows"])


def verdicts(factory, folder, request):
    """Whether `ca check` finds the two files and the name of a registration good."""
    code = factory.cloud.admin("GET", "/registration_code")["code"]
    reports, held = [], None
    for kind, field in (("ca", "certificate"), ("verification", "verification")):
        path = folder / request[field + "_file"]
        path.write_text(request[field])
        reports.append(Checker(time.time(), ca=held, code=code, name=request["name"]).check(path, kind).good)
        if kind == "ca" and reports[0]:
            held = certificates.certificate(path.read_bytes())
    return reports


# `ca check` only warns of Chinese characters, which one page of the platform allows
REFUSED_BY_BOTH = [name for name in CA_REFUSED if name != "a Chinese name"]


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_what_the_console_refuses_ca_check_has_refused_before(factory, tmp_path, name):
    """Two programs without a line in common, both written from x509.md 2."""
    assert verdicts(factory, tmp_path, factory.request()) == [True, True]
    changes, check, _ = CA_REFUSED[name]
    request = factory.request(**changes(factory))
    factory.cloud.admin("POST", "/cas", request, 409)
    assert not verdicts(factory, tmp_path, request)[0 if check in ("name", "CA") else 1]


def test_a_proof_that_the_console_refuses_ca_check_has_refused_before(factory, tmp_path):
    code = factory.cloud.admin("GET", "/registration_code")["code"]
    for made, text in proofs(code, factory):
        assert verdicts(factory, tmp_path, factory.request(verification=pem(made))) == [True, False], text


@pytest.mark.parametrize("name", [name for name in FILES if "product" not in name])
def test_a_file_that_the_console_refuses_ca_check_has_refused_before(factory, tmp_path, name):
    factory.register()
    text, _ = FILES[name]
    factory.upload(text, 409)
    path = tmp_path / "association.csv"
    path.write_text(text)
    assert not Checker(time.time()).check(path).good
