"""The verbs as a user starts them: processes of their own, which do not find the firmware by the path of pytest."""

import json
import subprocess
import sys

import pytest

from host_tests.support.paths import ROOT

CERT = {"product_key": "a1MZxOdcBnO", "device_name": "Example1", "device_secret": "h4I4dneEFp7EImTv"}


def started(*arguments):
    """What `python -m tools` said to these words: (status, output, error output)."""
    done = subprocess.run(
        [sys.executable, "-m", "tools", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing in the surroundings finds the firmware for the tools."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture
def cert(tmp_path):
    path = tmp_path / "device.json"
    path.write_text(json.dumps(CERT | {"region": "cn-shanghai"}))
    return path


@pytest.mark.parametrize("verb", ["explain", "doctor"])
def test_the_help(verb):
    status, out, err = started(verb, "--help")
    assert (status, err) == (0, "") and out.startswith(f"usage: python -m tools {verb}")


def test_explain_of_a_certificate(cert):
    status, out, err = started("explain", cert, "--timestamp", "789", "--json")
    assert (status, err) == (0, "")
    name = "Example1&a1MZxOdcBnO"
    assert json.loads(out)["requests"][-1]["fields"]["user name"] == name


def test_doctor_reads_its_certificate(cert):
    status, out, err = started("doctor", cert, "--mac", "none")
    assert (status, out) == (1, "") and err.startswith("error: --mac none is not six bytes in hex")
