"""A board with an update over the air is flashed by cable: what is said, what runs then, and the key for updates."""

import struct
import zlib

import pytest

from host_tests.flash.flashed import _files
from host_tests.ota.conftest import CHEAP, PASSPHRASE
from host_tests.support.flashing import field_board
from tools.image import updates
from tools.ota import keys

MANIFEST = b"aliot-ota 1\nrelease 1.2.0\nnumber 7\n"


def record(trial, good, other, generation=5):
    data = struct.pack(
        ">I5B8x", generation, *(ord(code) if code else 0 for code in (trial, good, other)), 0, 0
    )
    return data + zlib.crc32(data).to_bytes(4, "little")


UPDATE = {
    "/ota/a/manifest": MANIFEST,
    "/ota/a/main.py": b"update",
    "/ota/b/manifest": MANIFEST.replace(b"1.2.0", b"1.3.0").replace(b"7", b"8"),
    "/ota/r/0": record("", "a", ""),
    "/ota/r/1": record("b", "a", "", 6),
}
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


def test_inspect_shows_tree_and_release(field, tool):
    shown = tool(field(image=field_board(files=UPDATE)), "inspect", firmware=False).out
    assert "runs: release 1.3.0, number 8, on trial, in /ota/b\n" in shown
    assert "also there: release 1.2.0, number 7, good, in /ota/a\n" in shown


@pytest.mark.parametrize("spoiled", [b"", b"torn", record("b", "a", "", 9)[:-1] + b"x"])
def test_a_copy_of_the_record_that_is_torn_does_not_count(spoiled):
    files = {**UPDATE, "/ota/r/1": spoiled}
    assert [str(one) for one in updates.trees(files.get)] == ["release 1.2.0, number 7, good, in /ota/a"]
