"""A board with an update over the air is flashed by cable: what is said, what runs then, and the key for updates."""

import pytest

from host_tests.flash.flashed import _files
from host_tests.support.flashing import field_board
from host_tests.support.packages import CHEAP, PASSPHRASE, UPDATE, record
from tools.image import updates
from tools.ota import keys

RUNS = "an update runs on this board: release 1.3.0, number 8, on trial, in /ota/b; the golden tree is what a cable"


def test_what_the_cable_brings_runs_from_then_on(field, tool):
    board = field(image=field_board(files=UPDATE))
    done = tool(board, "flash", "--json")
    assert done.status == 0
    left = _files(board)
    assert not set(updates.RECORDS) & left.keys() and left["/ota/a/main.py"] == b"update"
    assert "/aliot/burned" in left


def test_it_says_what_runs_and_what_is_golden(field, tool):
    done = tool(field(image=field_board(files=UPDATE)), "flash")
    assert RUNS in done.out and "what this cable brings runs from now on" in done.out
    assert "no key for updates" in done.out


def test_keep_ota_leaves_the_update(field, tool):
    board = field(image=field_board(files=UPDATE))
    done = tool(board, "flash", "--keep-ota")
    assert done.status == 0 and RUNS in done.out and "it goes on to run" in done.out
    assert UPDATE.items() <= _files(board).items()


def test_a_key_is_put_on_the_board_and_stays_there(field, tool, tmp_path):
    public = keys.create(tmp_path / "key", PASSPHRASE, cost=CHEAP)
    board = field(image=field_board())
    done = tool(board, "flash", "--ota-key", tmp_path / "key" / "ota.pub")
    assert done.status == 0 and "no key for updates" not in done.out
    path = updates.KEYS + updates.key_id(public)
    assert _files(board)[path] == updates.modulus(public)
    again = tool(board, "flash")
    assert "no key for updates" not in again.out and path in _files(board)
    shown = tool(board, "inspect", firmware=False)
    assert f"key for updates: {updates.key_id(public)}" in shown.out


def test_the_platform_s_key_is_put_there_too_and_is_no_key_for_packages(field, tool, tmp_path):
    public = keys.create(tmp_path / "key", PASSPHRASE, cost=CHEAP)
    board = field(image=field_board())
    done = tool(board, "flash", "--platform-key", tmp_path / "key" / "ota.pub")
    assert done.status == 0 and "no key for updates" in done.out
    assert _files(board)[updates.PLATFORM] == updates.modulus(public)
    shown = tool(board, "inspect", firmware=False).out
    assert "the platform's key" in shown and "key for updates" not in shown
    (tmp_path / "none.pem").write_text("none")
    refused = tool(board, "flash", "--platform-key", tmp_path / "none.pem")
    assert refused.status == 1 and "the console shows" in refused.out + refused.err


def test_inspect_shows_tree_and_release(field, tool):
    shown = tool(field(image=field_board(files=UPDATE)), "inspect", firmware=False).out
    assert "runs: release 1.3.0, number 8, on trial, in /ota/b\n" in shown
    assert "also there: release 1.2.0, number 7, good, in /ota/a\n" in shown


@pytest.mark.parametrize("spoiled", [b"", b"torn", record("b", "a", "", 9)[:-1] + b"x"])
def test_a_copy_of_the_record_that_is_torn_does_not_count(spoiled):
    files = {**UPDATE, "/ota/r/1": spoiled}
    assert [str(one) for one in updates.trees(files.get)] == ["release 1.2.0, number 7, good, in /ota/a"]
