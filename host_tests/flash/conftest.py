"""Boards from the field on a port, and the verbs run against them."""

import re

import pytest

from host_tests.support.flashing import SECRET, field_board, stock_bin
from tools.cli import main


class Outcome:
    def __init__(self, status, captured):
        self.status, self.out, self.err = status, captured.out, captured.err

    @property
    def error(self):
        """The one line of a refusal."""
        assert self.status == 1 and re.fullmatch(r"error: [^\n]+\n", self.err), self.err
        return self.err[7:-1]


@pytest.fixture
def field(bench, tmp_path):
    """A board from the field on a port."""

    def make(name="flash.bin", image=None, **options):
        (tmp_path / name).write_bytes(field_board() if image is None else image)
        return bench(name, **options)

    return make


@pytest.fixture
def tool(tmp_path, capsys):
    """Runs a verb on a bench: `tool(bench, "flash", ...)`."""
    (tmp_path / "stock.bin").write_bytes(stock_bin())

    def run(bench, verb, *arguments, firmware=True, wait="0"):
        line = [verb, "--port", bench.url if hasattr(bench, "url") else bench]
        if verb == "flash":
            line += ["--journal", str(tmp_path / "journal"), "--wait", wait]
            line += ["--firmware", str(tmp_path / "stock.bin")] if firmware is True else []
        if verb in ("flash", "erase", "backup"):
            line += ["--backups", str(tmp_path / "backups")]
        if verb == "restore":
            line += ["--journal", str(tmp_path / "journal")]
        capsys.readouterr()
        status = main([*line, *map(str, arguments)])
        outcome = Outcome(status, capsys.readouterr())
        assert SECRET not in outcome.out + outcome.err and "h4I4dneEFp7EImTv" not in outcome.out + outcome.err
        return outcome

    return run
