import sys

import pytest

from host_tests.support.paths import ROOT
from tools.qemu.machine import Machine


@pytest.fixture
def qemu(tmp_path):
    """The path of a program that stands for a QEMU."""
    path = tmp_path / "qemu-system-fake"
    path.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "host_tests" / "support" / "fake_qemu.py"}" "$@"\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(qemu, tmp_path, monkeypatch):
    """`machine(*lines)`: one that prints these lines after power-on; switched off at the end."""
    made = []

    def make(*lines, folder=tmp_path / "machine", **options):
        script = tmp_path / "script"
        script.write_text("".join(line + "\n" for line in lines))
        monkeypatch.setenv("ALIOT_FAKE_QEMU", str(script))
        made.append(Machine(qemu, folder, b"\xff" * 16, **options))
        return made[-1]

    yield make
    for one in made:
        one.power_off()
