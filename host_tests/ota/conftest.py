"""A key for packages, made once, a small tree, and the verbs in a folder with an application."""

import re

import pytest

from host_tests.support.packages import MPY, PASSPHRASE, signing_key
from tools import cli
from tools.ota import keys, package
from tools.ota.manifest import Manifest

TREE = {
    "main.py": b"import app\n",
    "aliot/__init__.mpy": MPY + b"core",
    "aliot/start.mpy": MPY,
    "aliot/ota/choice.mpy": MPY,
    "aliot/ota/trial.mpy": MPY,
    "aliot/ota/writer.mpy": MPY,
    "app.mpy": MPY * 90,
}
APP = {
    "main.py": "import app\n",
    "app.py": "import aliot\n",
    "table.bin": "rows",
    "config.json": "{}",
    ".aliotignore": "notes\n",
    "notes": "",
}


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ota") / "key"
    signing_key(folder)
    return folder


@pytest.fixture(scope="session")
def key(key_folder):
    return keys.unlock(key_folder, PASSPHRASE)


@pytest.fixture
def made(key):
    """A signed package of `TREE`."""
    return package.pack(TREE, Manifest("1.2.0", 7, 6, 1, "1.24", ("a1OtaTests0",))).signed(key)


@pytest.fixture
def ota(tmp_path, monkeypatch, capsys):
    """`ota(words)`: (status, output), in a folder with an application; the passphrase is in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALIOT_OTA_PASSPHRASE", PASSPHRASE.decode())
    (tmp_path / "app").mkdir()
    for name, text in APP.items():
        (tmp_path / "app" / name).write_text(text)

    def run(arguments):
        status = cli.main(["ota", *arguments.split()])
        captured = capsys.readouterr()
        return status, re.sub(r"\b[0-9a-f]{16}\b", "<KEY>", captured.out + captured.err)

    return run
