"""A CA and keys made once for all tests of a worker, and ways to run openssl and `python -m tools ca`."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from host_tests.support.paths import VECTORS
from tools import cli
from tools.ca import authority, issue, keys
from tools.ca.authority import Authority

PRODUCT, DEVICE = "a1X509ProdK", "sensor-01"
PASSPHRASE = "a passphrase for tests only"
CHEAP = 2**10  # scrypt cost: tests open the key hundreds of times


@pytest.fixture(scope="session")
def passphrase():
    return PASSPHRASE.encode()


@pytest.fixture(scope="session")
def pool():
    """Keys of devices, made once; tests that issue a few certificates take them from here."""
    return [keys.generate() for _ in range(4)]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca") / "ca"
    authority.create(folder, "Factory_CA", PASSPHRASE.encode(), cost=CHEAP)
    return folder


@pytest.fixture
def folder(made_once, tmp_path):
    """A CA's folder of the test's own."""
    return Path(shutil.copytree(made_once, tmp_path / "ca"))


@pytest.fixture
def ca(folder, passphrase):
    """An unlocked CA; `ca.clock` may be replaced."""
    return Authority(folder).unlock(passphrase)


@pytest.fixture
def tick():
    """A clock to set: `tick.now += seconds`; give `tick` itself as the clock."""

    class Tick:
        now = time.time()

        def __call__(self):
            return self.now

    return Tick()


@pytest.fixture(scope="session")
def openssl():
    """Runs Debian's openssl; a machine without it fails these tests and is told what to install."""
    program = shutil.which("openssl")
    if program is None:
        pytest.fail(
            "openssl is missing, and these tests check our certificates with it: apt-get install openssl"
        )

    def run(*arguments, stdin=b"", status=0, environment=None):
        done = subprocess.run(
            [program, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=60,
            env={**os.environ, **(environment or {})},
        )
        output = (done.stdout + done.stderr).decode(errors="replace")
        assert (done.returncode == 0) == (status == 0), output
        return output

    run.program = program
    return run


@pytest.fixture(scope="session")
def server(tmp_path_factory, openssl):
    """A server certificate for the platform's name under its own root: (root, certificate, key) as files."""
    folder = tmp_path_factory.mktemp("server")
    names = ("root.pem", "root.key", "server.csr", "server.pem", "server.key")
    root, root_key, csr, certificate, key = (folder / name for name in names)
    host = "x509.itls.cn-shanghai.aliyuncs.com"
    new = ("-newkey", "rsa:2048", "-nodes")
    openssl(
        "req",
        "-x509",
        *new,
        "-keyout",
        root_key,
        "-out",
        root,
        "-days",
        2,
        "-subj",
        "/CN=Test Root",
        "-addext",
        "keyUsage=critical,keyCertSign",
    )
    openssl("req", *new, "-keyout", key, "-out", csr, "-subj", f"/CN={host}")
    extensions = folder / "server.ext"
    extensions.write_text(
        f"subjectAltName=DNS:{host}\nkeyUsage=digitalSignature,keyEncipherment\nauthorityKeyIdentifier=keyid\n"
    )
    openssl(
        "x509",
        "-req",
        "-in",
        csr,
        "-CA",
        root,
        "-CAkey",
        root_key,
        "-CAcreateserial",
        "-days",
        2,
        "-extfile",
        extensions,
        "-out",
        certificate,
    )
    return root, certificate, key


@pytest.fixture
def verb(tmp_path, monkeypatch, capsys):
    """Runs `python -m tools ca ...` in the test's folder; returns its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIOT_CA_PASSPHRASE", PASSPHRASE)

    def run(*arguments):
        try:
            status = cli.main(["ca", *map(str, arguments)])
        except SystemExit as wrong_usage:
            status = wrong_usage.code
        output = capsys.readouterr()
        return SimpleNamespace(status=status, out=output.out, err=output.err)

    return run


@pytest.fixture(scope="session")
def vectors():
    return json.loads((VECTORS / "vectors_gateway.json").read_text())["x509"]


@pytest.fixture(scope="session")
def campaign():
    """How much more than usual the long campaigns do: ALIOT_CAMPAIGN, 1 by default."""
    return float(os.environ.get("ALIOT_CAMPAIGN", "1"))


@pytest.fixture
def pair(ca, pool, tmp_path):
    """A device's certificate and key as files."""
    issued = issue.issue(ca, PRODUCT, DEVICE, key=pool[0])
    (tmp_path / "dev.cer").write_bytes(issued.certificate_pem)
    (tmp_path / "dev.key").write_bytes(issued.key_pem)
    return issued
