"""A key for packages, made once, and a small tree."""

import pytest

from tools.ota import keys, package
from tools.ota.manifest import Manifest

PASSPHRASE = b"a passphrase for tests only"
CHEAP = 2**10  # scrypt cost
MPY = b"M\x06\x00\x1f"
TREE = {
    "main.py": b"import app\n",
    "aliot/__init__.mpy": MPY + b"core",
    "aliot/start.mpy": MPY,
    "aliot/ota/choice.mpy": MPY,
    "aliot/ota/trial.mpy": MPY,
    "aliot/ota/writer.mpy": MPY,
    "app.mpy": MPY * 90,
}


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ota") / "key"
    keys.create(folder, PASSPHRASE, cost=CHEAP)
    return folder


@pytest.fixture(scope="session")
def key(key_folder):
    return keys.unlock(key_folder, PASSPHRASE)


@pytest.fixture
def made(key):
    """A signed package of `TREE`."""
    return package.pack(TREE, Manifest("1.2.0", 7, 6, 1, "1.24", ("a1OtaTests0",))).signed(key)
