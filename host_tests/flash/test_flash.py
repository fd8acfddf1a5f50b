"""`flash` on the emulated board: from blank to connected, again with nothing lost."""

import json

import pytest

from host_tests.flash.flashed import LAYOUT, _files, _folder, _golden, _image
from host_tests.support.flashing import MAC, field_board, records, stock_bin, what_is_kept
from tools.cli import main
from tools.flash import backup
from tools.image import device_files as firmware
from tools.image import flash_image, littlefs

CLOUD = {
    "instance": {"kind": "public", "region": "cn-shanghai"},
    "product": [
        {
            "product_key": "a1MZxOdcBnO",
            "product_secret": "h4I4dneEFp7EImTv",
            "auth": "secret",
            "node": "direct",
            "dynamic_registration": True,
            "preregistration_free": False,
            "device": [{"device_name": MAC.replace(":", "")}, {"device_name": "240ac4000077"}],
        }
    ],
}
TSL = """{"schema": "", "profile": {}, "properties": [
    {"identifier": "On", "accessMode": "rw", "dataType": {"type": "bool", "specs": {"0": "off", "1": "on"}}}]}"""
COUNTED = "1 property, 0 events, 0 services as a table of 22 bytes"


def test_a_blank_board_is_taken_to_connected_and_a_second_flash_writes_nothing(
    bench, tool, cloud, tmp_path, stock_image
):
    """The real stock image, a blank flash, an identity, and the console until it is online."""
    board = bench(software=True, cloud=cloud.run_dir)
    (tmp_path / "cert.json").write_text(
        json.dumps(
            {
                "product_key": "a1MZxOdcBnO",
                "product_secret": "h4I4dneEFp7EImTv",
                "region": "cn-shanghai",
                "method": "https",
            }
        )
    )
    (tmp_path / "config.json").write_text('{"ssid": "emulated"}')
    arguments = [
        "--root",
        cloud.ca_der,
        "--cert",
        tmp_path / "cert.json",
        "--config",
        tmp_path / "config.json",
        "--firmware",
        stock_image[0],
    ]
    first = tool(board, "flash", *arguments, firmware=None, wait="60")
    assert first.status == 0, first.err
    _golden("flash_blank", first.out)
    assert stock_image[1][0xF000:] in _image(board)

    second = tool(board, "flash", *arguments, firmware=None, wait="60")
    assert second.status == 0, second.err
    _golden("flash_again", second.out)
    report = json.loads(tool(board, "flash", *arguments, "--json", firmware=None).out)
    assert report["nothing"] and report["written"] == 0 and report["identity"] == "a1MZxOdcBnO/240ac4000001"
    assert report["read"] < 12 * 1024  # directories and files as flashed are recognised by their MD5
    assert cloud.device("a1MZxOdcBnO", "240ac4000001")["status"] in ("online", "offline")


def test_after_erase_and_flash_the_advice_names_the_backup_that_lies_there(
    bench, tool, cloud, tmp_path, stock_image
):
    """The platform has had the board; what it issued lies in a backup on this machine, and in no ledger."""
    identity = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv", "region": "cn-shanghai"}
    (tmp_path / "cert.json").write_text(json.dumps(identity))
    (tmp_path / "config.json").write_text('{"ssid": "emulated"}')
    arguments = ["--root", cloud.ca_der, "--config", tmp_path / "config.json", "--firmware", stock_image[0]]
    board = bench(software=True, cloud=cloud.run_dir, mac="24:0a:c4:00:00:77")
    assert (
        tool(board, "flash", *arguments, "--cert", tmp_path / "cert.json", firmware=None, wait="60").status
        == 0
    )
    erased = tool(board, "erase", "--confirm", "240ac4000077").out
    (saved,) = (tmp_path / "backups").glob("*.identity")
    restore = f"'make restore PORT={board.url} BACKUP={saved}'"
    assert f"to use it again: 'make flash PORT={board.url}', then {restore}" in erased
    bare = tool(board, "flash", *arguments, firmware=None, wait="60")
    assert f"it runs, but no identity is burned: {restore}" in bare.out
    again = tool(board, "flash", *arguments, "--cert", tmp_path / "cert.json", firmware=None, wait="60")
    assert (
        again.error
        == f"the board was flashed, but says: refused: its secret was saved from this board: {restore}"
    )
    assert tool(board, "restore", "--from", saved).status == 0
    assert "connected" in tool(board, "flash", *arguments, firmware=None, wait="60").out


@pytest.mark.parametrize(
    "name", ["240ac4000002-20260101-000000.identity", "240ac4000001-20260101-000000.identity"]
)
def test_only_a_backup_that_can_help_is_named(tmp_path, name):
    (tmp_path / name).write_text("{}")
    assert backup.advice("register.6289", MAC, "PORT", tmp_path) is None
    assert backup.advice("register.6289", None, "PORT", tmp_path) is None
    assert backup.lying(MAC, tmp_path / "none") is None


def test_a_board_from_the_field_is_updated_and_keeps_what_is_its_own(field, tool):
    board = field()
    before = _image(board)
    kept = what_is_kept(before, LAYOUT)
    result = tool(board, "flash")
    assert result.status == 0, result.err
    _golden("flash_update", result.out)
    after = _image(board)
    assert flash_image.region(after, LAYOUT.nvs) == flash_image.region(before, LAYOUT.nvs)  # byte for byte
    assert after[0xF000:0x10000] == before[0xF000:0x10000]
    assert what_is_kept(after, LAYOUT) == kept
    tree = littlefs.read(flash_image.region(after, LAYOUT.vfs))
    assert {path: tree.get(path) for path in firmware.compile_tree()} == firmware.compile_tree()
    again = tool(board, "flash")
    assert "Nothing to do: no file and no region differs." in again.out
    assert _image(board) == after


def test_only_the_regions_that_differ_are_written(field, tool, tmp_path):
    board = field()
    assert tool(board, "flash").status == 0
    (tmp_path / "stock.bin").write_bytes(stock_bin(mark=b"B"))
    table = board.nor.operations
    report = json.loads(tool(board, "flash", "--json").out)
    assert report["parts"] == ["bootloader", "application factory"] and report["files"] == []
    assert board.nor.operations > table
    assert _image(board)[0x1000 : 0x1000 + 0x7000].startswith(stock_bin(mark=b"B")[:200])


def test_app_writes_the_files_alone(field, tool, tmp_path):
    board = field()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('mine')\n")
    (tmp_path / "app" / "table.csv").write_text("1,2\n")
    report = json.loads(
        tool(board, "flash", "--app", "--files", tmp_path / "app", "--json", firmware=None).out
    )
    assert report["parts"] == [] and {"/main.py", "/table.csv"} <= set(report["files"])
    tree = littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))
    assert tree["/main.py"] == b"print('mine')\n" and tree["/table.csv"] == b"1,2\n"


def test_a_record_that_only_littlefs_has_goes_into_nvs_first(field, tool):
    board = field(image=field_board(media=("littlefs",)))
    assert tool(board, "flash").status == 0
    _, found, foreign = what_is_kept(_image(board), LAYOUT)
    burned, issued = records()
    assert found["nvs"] == found["littlefs"] == {"burned": burned, "issued": issued}
    assert {(entry.namespace, entry.key) for entry in foreign} == {
        ("nvs.net80211", "sta.ssid"),
        ("phy", "cal_version"),
    }


def test_settings_are_merged_into_those_on_the_board(field, tool, tmp_path, monkeypatch):
    board = field()
    monkeypatch.setenv("ALIOT_WIFI_SSID", "workshop")
    monkeypatch.setenv("ALIOT_WIFI_PASSWORD", "hammer+anvil")
    (tmp_path / "config.json").write_text('{"every": 5}')
    result = tool(board, "flash", "--config", tmp_path / "config.json")
    assert result.status == 0 and "hammer" not in result.out
    tree = littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))
    assert json.loads(tree["/config.json"]) == {"ssid": "workshop", "password": "hammer+anvil", "every": 5}


def test_a_merged_image_for_factories_boots_and_is_what_flash_would_write(
    bench, tool, esptool, tmp_path, capsys
):
    """`image --firmware`: one file at offset 0, after which `flash` finds nothing to do."""
    whole = tmp_path / "whole.bin"
    assert main(["image", "--firmware", str(tmp_path / "stock.bin"), "--out", str(whole)]) == 0
    assert "not in it" not in capsys.readouterr().out
    board = bench()
    assert esptool(board, "write-flash", "0x0", whole).status == 0
    assert board.chip.state == "running"
    assert "Nothing to do: no file and no region differs." in tool(board, "flash").out


def test_a_merged_image_holds_the_same_bytes_as_flash_writes_with_files(bench, tool, tmp_path, capsys):
    """FILES, ROOT and CONFIG included; each is refused for the same reasons."""
    app = _folder(
        tmp_path / "app",
        {
            "main.py": "print('app')\n",
            "lamp/on.py": "x = 1\n",
            "a.csv": "1",
            ".git/HEAD": "r",
            "model.json": TSL,
        },
    )
    (tmp_path / "config.json").write_text('{"ssid": "shop", "password": "12345678"}')
    arguments = ["--files", str(app), "--config", str(tmp_path / "config.json")]
    whole = tmp_path / "whole.bin"
    line = ["image", "--firmware", str(tmp_path / "stock.bin"), "--out", str(whole), *arguments]
    assert main(line) == 0
    printed = capsys.readouterr().out
    assert "left out of FILES: .git" in printed and f"model.json: a TSL: {COUNTED}" in printed
    board = bench()
    flashed = tool(board, "flash", *arguments)
    assert flashed.status == 0 and f"a TSL: {COUNTED}" in flashed.out
    assert _files(board)["/model.json"].startswith(b"TSL2")
    assert _image(board) == whole.read_bytes()
    (app / "model.json").write_text(TSL.replace("rw", "w"))
    refusal = "model.json: properties[0].accessMode: neither r nor rw"
    assert main(line) == 1 and refusal in capsys.readouterr().err
    assert refusal in tool(board, "flash", *arguments).err
    (app / "model.json").write_text('{"no": "TSL"}')
    assert main(line) == 0 and "TSL" not in capsys.readouterr().out
    (app / "secret.py").write_text("DEVICE_SECRET = 'h4I4dneEFp7EImTvh4I4dneEFp7EImTv'\n")
    assert main(line) == 1 and "secret.py looks as if it held" in capsys.readouterr().err
