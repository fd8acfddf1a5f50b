"""`make repl` on a port that is a URL: mpremote's own terminal, as on a cable."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tools.cli import main
from tools.image import flash_image


@pytest.fixture
def board(bench, tmp_path):
    (tmp_path / "flash.bin").write_bytes(flash_image.build(files={"/main.py": b"print('main runs')\n"}))
    return bench(software=True, boot_blank=True)


def _until(terminal, text, seconds=30):
    """What comes on a terminal until `text` is in it."""
    output, end = b"", time.monotonic() + seconds
    while (
        text not in output and time.monotonic() < end and select.select([terminal], [], [], 1)[0] is not None
    ):
        if select.select([terminal], [], [], 0)[0]:
            output += os.read(terminal, 4096)
    assert text in output, output
    return output


def test_a_repl_on_a_url_is_typed_into_and_left(board):
    terminal, far = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tools", "repl", "--port", board.url],
        stdin=far,
        stdout=far,
        stderr=far,
        close_fds=True,
    )
    os.close(far)
    try:
        _until(terminal, b"to exit this shell")
        os.write(terminal, b"\rprint(6 * 7)\r")
        _until(terminal, b"\r\n42")
        os.write(terminal, b"\x1d")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_commands_go_to_mpremote_and_a_repl_without_a_terminal_is_one_line(board, capfd, monkeypatch):
    assert main(["repl", "--port", board.url, "exec", "print(6 * 7)"]) in (0, None)
    assert "42" in capfd.readouterr().out
    monkeypatch.setattr("sys.stdin", open(os.devnull))
    assert main(["repl", "--port", board.url]) == 1
    assert capfd.readouterr().err.startswith("error: a REPL needs a terminal")


def test_a_port_where_nobody_listens_is_one_line(capfd):
    assert main(["repl", "--port", "rfc2217://127.0.0.1:9", "exec", "1"]) == 1
    output = capfd.readouterr()
    assert (output.out + output.err).count("\n") == 1 and "rfc2217://127.0.0.1:9" in output.out + output.err
