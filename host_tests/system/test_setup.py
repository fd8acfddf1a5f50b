"""`make setup` installs what the locks have, by hash, and nothing beside it."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pip
import pytest

from host_tests.support.paths import ROOT

LOCKS = "requirements-install.lock", "requirements.lock"
PINNED = re.compile(r"(\S+)==[^\s;]+( ; [^\\]+)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+")


def locked(name):
    """{package: its text} of a lock, all of which has to be pins with hashes."""
    found = {match[1]: match[0] for match in PINNED.finditer((ROOT / name).read_text())}
    assert "\n".join(found.values()) + "\n" == (ROOT / name).read_text()
    return found


@pytest.fixture
def links(tmp_path):
    """A folder with a source package, and with a build tool for it that no lock has."""
    folder = tmp_path / "links"
    folder.mkdir()
    with zipfile.ZipFile(folder / "stranger-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("stranger.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
        wheel.writestr(
            "stranger-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n"
        )
        wheel.writestr(
            "stranger-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("stranger-1.0.dist-info/RECORD", "")
    with tarfile.open(folder / "source-1.0.tar.gz", "w:gz") as source:
        for name, text in (
            ("source-1.0/PKG-INFO", b"Metadata-Version: 2.1\nName: source\nVersion: 1.0\n"),
            (
                "source-1.0/pyproject.toml",
                b'[build-system]\nrequires = ["stranger"]\nbuild-backend = "stranger"\n',
            ),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            source.addfile(member, io.BytesIO(text))
    return folder


@pytest.fixture
def python(tmp_path):
    """A Python whose virtual environments have this one's pip, which takes a tenth of the time."""
    site = Path(pip.__file__).parents[1]
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh -e\n[ "$2" = venv ] || exec {sys.executable} "$@"\n{sys.executable} -m venv --without-pip "$3"\n'
        f'for folder in "$3"/lib/python*/site-packages; do echo {site} > "$folder/pip.pth"; done\n'
    )
    path.chmod(0o755)
    return path


def test_nothing_without_a_hash_is_fetched_to_build_a_source_package(tmp_path, links, python):
    shutil.copy(ROOT / "Makefile", tmp_path)
    digest = hashlib.sha256((links / "source-1.0.tar.gz").read_bytes()).hexdigest()
    (tmp_path / "requirements-install.lock").write_text("")
    (tmp_path / "requirements.lock").write_text(f"source==1.0 --hash=sha256:{digest}\n")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        ["make", "-C", tmp_path, "setup", f"PYTHON={python}"],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
    )
    assert done.returncode and "stranger" in done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()


def test_the_locks_have_all_that_is_named_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {
        LOCKS[0]: project["dependency-groups"]["install"],
        LOCKS[1]: project["project"]["dependencies"] + project["dependency-groups"]["test"],
    }
    for lock, wanted in named.items():
        names = {re.match(r"[A-Za-z0-9-]+", text)[0] for text in wanted}
        assert names <= set(locked(lock)), lock
    assert {"pip", "setuptools"} <= set(locked(LOCKS[0]))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock):
    assert "//" not in (ROOT / lock).read_text() and "\n--" not in (ROOT / lock).read_text()
