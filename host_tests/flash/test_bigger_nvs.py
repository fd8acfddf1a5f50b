"""A board that held another firmware with a larger NVS: all that could refuse is asked before the first byte."""

import json

import pytest

from host_tests.support.flashing import MAC, USER_FILES, field_board, records
from tools import boards, partitions
from tools.flash import backup
from tools.image import flash_image, journal, littlefs, nvs

LAYOUT = boards.load("ESP32_GENERIC").layout
P = partitions.Partition
OTHER = (  # as ESP-AT lays out its flash
    P("phy_init", 1, 1, 0xF000, 0x1000), P("otadata", 1, 0, 0x10000, 0x2000), P("nvs", 1, 2, 0x12000, 0xE000),
    P("at_customize", 0x40, 0, 0x20000, 0xE0000), P("ota_0", 0, 0x10, 0x100000, 0x180000),
    P("ota_1", 0, 0x11, 0x280000, 0x180000),
)  # fmt: skip
ENTRIES = (
    nvs.Entry("nvs.net80211", "sta.ssid", "blob", b"\x04\0\0\0home" + bytes(28)),
    *(nvs.Entry(f"app{i // 20}", f"k{i}", "blob", bytes([i]) * 900) for i in range(45)),
)
FULL = (
    "NVS of 24 KB has no room for what this board holds, "
    "46 entries of other firmware (app0, app1, app2, nvs.net80211)"
)
DROP = "ARGS=--drop-nvs saves those entries to a file and leaves them out"


def other_firmware():
    image = bytearray(b"\xff" * (4 << 20))
    table = partitions.encode(OTHER)
    image[0x8000 : 0x8000 + len(table)] = table
    image[0x12000:0x20000] = nvs.write(ENTRIES, 0xE000)
    return bytes(image)


def _held(board):
    image = board.nor.read(0, board.nor.size)
    return nvs.read(flash_image.region(image, LAYOUT.nvs)), littlefs.read(
        flash_image.region(image, LAYOUT.vfs)
    )


def test_it_is_refused_before_the_first_byte_then_dropped_when_asked(field, tool, tmp_path):
    board = field(image=other_firmware())
    refused = tool(board, "flash")
    assert refused.error == f"{FULL}: nothing was written; 'make erase' empties the board; {DROP}"
    assert board.nor.read(0, board.nor.size) == other_firmware() and not list(
        (tmp_path / "journal").glob("*")
    )
    done = tool(board, "flash", "--drop-nvs")
    assert done.status == 0 and "46 NVS entries of other firmware were saved to" in done.out
    saved = next((tmp_path / "backups").glob("*.nvs.identity"))
    assert len(json.loads(saved.read_text())["entries"]) == 46 and saved.stat().st_mode & 0o777 == 0o600
    part, tree = _held(board)
    assert part.entries == () and "/main.py" in tree
    assert "Nothing to do" in tool(board, "flash").out


def _half_flashed(tmp_path):
    """What an earlier release of these tools left: the new table, no NVS, and a rescue with an identity in it."""
    burned, issued = records()
    ours = [nvs.Entry("aliot", "burned", "blob", burned), nvs.Entry("aliot", "issued", "blob", issued)]
    (tmp_path / "journal").mkdir()
    backup.save_rescue(MAC, [*ENTRIES, *ours], USER_FILES, tmp_path / "journal")
    return flash_image.assemble(LAYOUT, [], {})


def test_a_rescue_that_blocks_is_named_and_what_is_ours_in_it_comes_back(field, tool, tmp_path):
    board = field(image=_half_flashed(tmp_path))
    rescue = backup.rescue_path(MAC, tmp_path / "journal")
    result = tool(board, "flash").error
    assert result.startswith(
        f"{FULL}; {rescue}, saved by an interrupted flash, holds them: nothing was written"
    )
    assert tool(board, "flash", "--drop-nvs").status == 0 and not rescue.exists()
    part, tree = _held(board)
    assert {(e.key, e.value) for e in part.entries} == set(zip(("burned", "issued"), records()))
    assert USER_FILES.items() <= tree.items()


def test_erase_ends_it_with_the_identity_and_the_rescue_kept(field, tool, tmp_path):
    board = field(image=_half_flashed(tmp_path))
    rescue = backup.rescue_path(MAC, tmp_path / "journal")
    held = rescue.read_text()
    assert "say --confirm 240ac4000001" in tool(board, "flash", "--erase").error and rescue.exists()
    done = tool(board, "flash", "--erase", "--confirm", "240ac4000001")
    assert done.status == 0 and not rescue.exists()
    kept = next((tmp_path / "backups").glob("*.files.identity"))
    assert str(kept) in done.out and kept.read_text() == held
    identity = next(path for path in (tmp_path / "backups").glob("*.identity") if path.name.count(".") == 1)
    assert tool(board, "restore", "--from", identity).status == 0
    assert _held(board)[0].find("aliot", "issued")
    assert "Nothing to do" in tool(board, "flash").out


def test_what_a_burn_cut_off_had_kept_does_not_come_back_after_an_erase(field, tool, tmp_path):
    board = field(image=flash_image.assemble(LAYOUT, [], {}))
    kept = journal.Kept({1: b"x"}, None, False, ENTRIES, (("burned", records()[0]),))
    journal.save(tmp_path / "journal", MAC, kept)
    done = tool(board, "flash", "--erase")
    assert done.status == 0 and "was moved to" in done.out and _held(board)[0].entries == ()


@pytest.mark.parametrize("arguments", [[], ["--app"]], ids=["all", "files"])
def test_files_that_do_not_fit_are_refused_before_the_first_byte(field, tool, tmp_path, arguments):
    board = field()
    (tmp_path / "app").mkdir()
    for name in ("a", "b"):
        (tmp_path / "app" / f"{name}.bin").write_bytes(bytes(1_200_000))
    before = board.nor.read(0, board.nor.size)
    result = tool(board, "flash", "--files", tmp_path / "app", *arguments, firmware=not arguments or None)
    assert "do not fit into the board's file system" in result.error
    assert board.nor.read(0, board.nor.size) == before == field_board()


def test_an_identity_for_which_nvs_has_no_room_is_refused_before_the_first_byte(field, tool, tmp_path):
    (tmp_path / "cert.json").write_text(
        '{"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}'
    )
    image = flash_image.assemble(LAYOUT, ENTRIES[:21], {})  # as many as there is room for
    board = field(image=image)
    result = tool(board, "flash", "--cert", tmp_path / "cert.json")
    assert result.error.startswith("NVS of 24 KB has no room") and board.nor.read(0, board.nor.size) == image
    result = tool(board, "burn", "--cert", tmp_path / "cert.json", "--journal", tmp_path / "journal")
    assert result.error.startswith("NVS is full: these 22 entries do not fit into 24 KB: 'make flash PORT=")
    assert "ARGS=--drop-nvs' saves those of other firmware" in result.error
    assert board.nor.read(0, board.nor.size) == image
    assert tool(board, "flash", "--cert", tmp_path / "cert.json", "--drop-nvs").status == 0
    assert [entry.key for entry in _held(board)[0].entries] == ["burned"]


def test_an_erase_for_files_that_do_not_fit_is_refused_before_it(field, tool, tmp_path):
    (tmp_path / "app").mkdir()
    for name in ("a", "b"):
        (tmp_path / "app" / f"{name}.bin").write_bytes(bytes(1_200_000))
    board = field()
    result = tool(board, "flash", "--erase", "--confirm", MAC.replace(":", ""), "--files", tmp_path / "app")
    assert "do not fit" in result.error and board.nor.read(0, board.nor.size) == field_board()
