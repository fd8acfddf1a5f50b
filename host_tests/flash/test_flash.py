"""`flash` on the emulated board: from blank to connected, again with nothing lost, every refusal by its line."""

import errno
import json
import os
import random
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from host_tests.support import pairs
from host_tests.support.flashing import MAC, SECRET, USER_FILES, field_board, records, stock_bin, what_is_kept
from tools import boards, partitions
from tools.cli import main
from tools.emulator.cloud.process import Cloud
from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup, console, file_list, leaks, port, settings
from tools.flash import micropython_images as stock
from tools.image import config, flash_image, littlefs, nvs
from tools.image import device_files as firmware

GOLDEN = Path(__file__).parent / "golden"
LAYOUT = boards.load("ESP32_GENERIC").layout


def _image(board):
    return board.nor.read(0, board.nor.size)


def _files(board):
    """{path: bytes} of a board's files, without the list of them."""
    tree = littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))
    return {path: data for path, data in tree.items() if path != file_list.LIST}


def _golden(name, text):
    """Compare with host_tests/chip/golden; ALIOT_GOLDEN=new writes it."""
    text = re.sub(r"rfc2217://127.0.0.1:\d+", "PORT", text)
    text = re.sub(r"generation \d+", "generation N", text)
    text = re.sub(r"\d+\.\d s after", "N s after", text)
    text = re.sub(
        r"(?:^  console: (\w+).*\n)(?:  console: \1 .*\n)*",
        r"  console: \1 (...)\n",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"/[^' ]+/backups/[^' ]+\.identity", "FILE", text)
    text = re.sub(r"(new|written|removed), \d+ (files|unchanged)", r"\1, N \2", text)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("ALIOT_GOLDEN") == "new":
        path.write_text(text)
    assert text == path.read_text()


# --- the whole of it


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    product = {
        "product_key": "a1MZxOdcBnO",
        "product_secret": "h4I4dneEFp7EImTv",
        "auth": "secret",
        "node": "direct",
        "dynamic_registration": True,
        "preregistration_free": False,
        "device": [{"device_name": MAC.replace(":", "")}, {"device_name": "240ac4000077"}],
    }
    config = {"instance": {"kind": "public", "region": "cn-shanghai"}, "product": [product]}
    with Cloud(config, tmp_path_factory.mktemp("cloud")) as running:
        yield running


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
    said = tool(board, "flash")
    assert said.status == 0, said.err
    _golden("flash_update", said.out)
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
    said = tool(board, "flash", "--config", tmp_path / "config.json")
    assert said.status == 0 and "hammer" not in said.out
    tree = littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))
    assert json.loads(tree["/config.json"]) == {"ssid": "workshop", "password": "hammer+anvil", "every": 5}


# --- whose a file is


def _put_on(board, tree, remove=()):
    """What a user does by mpremote: files onto a board, files off it."""
    at = LAYOUT.vfs.offset
    data = littlefs.update(flash_image.region(_image(board), LAYOUT.vfs), tree, remove)
    board.nor.erase(at, len(data))
    board.nor.program(at, data)


def _folder(path, texts):
    """A folder of an application, {name: text}."""
    for name, text in texts.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def test_a_main_py_of_the_user_stays_and_is_said_until_it_is_asked_for(field, tool, tmp_path):
    board = field()
    _put_on(board, {"/main.py": b"print('mine')\n"})
    for more in ([], ["--app"]):
        said = tool(board, "flash", *more, firmware=not more or None)
        assert said.status == 0 and _files(board)["/main.py"] == b"print('mine')\n"
        assert "/main.py on the board is yours and stays: ARGS=--reset-files" in said.out
    assert not list(tmp_path.glob("backups/*"))
    said = tool(board, "flash", "--reset-files")
    assert _files(board)["/main.py"] == firmware.compile_tree()["/main.py"]
    (saved,) = tmp_path.glob("backups/*.files")
    assert str(saved) in said.out and (saved / "main.py").read_bytes() == b"print('mine')\n"
    assert (saved / "main.py").stat().st_mode & 0o777 == 0o600
    assert "Nothing to do" in tool(board, "flash").out


def test_on_a_board_without_a_list_all_but_aliot_and_an_unchanged_boot_py_is_the_users(field, tool):
    board = field(image=field_board(listed=False, files={"/boot.py": b"import esp\n", "/lib/a.mpy": b"a"}))
    before = _files(board)
    said = tool(board, "flash")
    after, release = _files(board), firmware.compile_tree()
    own = {"/boot.py", "/main.py", "/lib/a.mpy", "/aliot/burned", "/aliot/issued"}
    assert {path: after.get(path) for path in own} == {path: before[path] for path in own}
    assert after == {**release, **{path: before[path] for path in own}}
    assert "/boot.py on the board is yours" in said.out and "/main.py on the board is yours" in said.out
    assert "Nothing to do" in tool(board, "flash").out


def test_a_boot_py_that_nobody_wrote_is_the_releases(field, tool):
    stock = (
        b"# This file is executed on every boot (including wake-boot from deepsleep)\n"
        b"#import esp\n#esp.osdebug(None)\n#import webrepl\n#webrepl.start()\n"
    )
    board = field(image=field_board(listed=False, files={"/boot.py": stock}))
    said = tool(board, "flash")
    assert (
        _files(board)["/boot.py"] == firmware.compile_tree()["/boot.py"]
        and "/boot.py on the board" not in said.out
    )


def test_what_a_folder_brought_stays_without_it_and_goes_when_the_folder_has_it_no_more(
    field, tool, tmp_path
):
    board = field()
    app = _folder(
        tmp_path / "app",
        {
            "main.py": "print('app')\n",
            "lamp/__init__.py": "x = 1\n",
            "lamp/old.py": "x = 2\n",
            "motor.py": "y = 1\n",
        },
    )
    assert tool(board, "flash", "--app", "--files", app, firmware=None).status == 0
    first = _files(board)
    _put_on(board, {"/motor.mpy": b"changed on the board", "/own.py": b"mine"})
    assert tool(board, "flash").status == 0
    kept = _files(board)
    assert kept == {**first, "/motor.mpy": b"changed on the board", "/own.py": b"mine"}

    for name in ("lamp/__init__.py", "lamp/old.py", "motor.py"):
        (app / name).unlink()
    _folder(app, {"lamp.py": "x = 3\n"})  # a folder of that name would go before the module
    said = tool(board, "flash", "--app", "--files", app, firmware=None)
    after = _files(board)
    assert not {"/lamp/__init__.mpy", "/lamp/old.mpy"} & set(after) and "/lamp.mpy" in after
    assert "/lamp" not in littlefs.read_files(flash_image.region(_image(board), LAYOUT.vfs), ["/lamp"])
    assert after["/motor.mpy"] == b"changed on the board" and after["/own.py"] == b"mine"
    assert "/lamp/old.mpy (removed)" in said.out
    assert "/motor.mpy was changed on the board and stays" in said.out


def test_a_config_that_is_put_whole_saves_the_boards_own_first(field, tool, tmp_path, monkeypatch):
    board = field()
    (tmp_path / "config.json").write_text('{"ssid": "office", "password": "87654321"}')
    said = tool(board, "flash", "--config", tmp_path / "config.json")
    (saved,) = tmp_path.glob("backups/*.files")
    assert (saved / "config.json").read_bytes() == USER_FILES[
        "/config.json"
    ] and f"to {saved}: /config.json" in said.out
    assert b"office" in _files(board)["/config.json"]
    monkeypatch.setenv("ALIOT_WIFI_SSID", "attic")  # merged: nothing else of it is lost
    assert tool(board, "flash").status == 0
    assert b"attic" in _files(board)["/config.json"] and [*tmp_path.glob("backups/*.files")] == [saved]


@pytest.mark.parametrize("whole", [False, True])
def test_what_does_not_fit_is_refused_before_a_byte_or_a_copy_of_the_users(field, tool, tmp_path, whole):
    """The user's files, the folder's and the list: all of them are counted, be they updated or moved."""
    board = field()
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text("print('app')\n")
    (app / "big.bin").write_bytes(random.Random(1).randbytes(1 << 21))
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    move = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin", "--relayout"]
    before = _image(board)
    said = tool(board, "flash", "--files", app, *(move if whole else ()), firmware=not whole or None)
    assert said.status == 1 and "do not fit into the board's file system" in said.error
    assert _image(board) == before
    assert not [*tmp_path.glob("backups/*.files"), *tmp_path.glob("journal/*.identity")]


def test_a_file_that_a_folder_names_is_written_over_the_users_after_it_was_saved(field, tool, tmp_path):
    board = field()
    _put_on(board, {"/main.py": b"print('mine')\n"})
    app = _folder(tmp_path / "app", {"main.py": "print('app')\n"})
    said = tool(board, "flash", "--app", "--files", app, firmware=None)
    (saved,) = tmp_path.glob("backups/*.files")
    assert (saved / "main.py").read_bytes() == b"print('mine')\n" and f"to {saved}: /main.py" in said.out
    assert _files(board)["/main.py"] == b"print('app')\n"


def test_a_relayout_keeps_the_users_main_py_too(field, tool, tmp_path):
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    board = field()
    _put_on(board, {"/main.py": b"print('mine')\n"})
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin", "--relayout"]
    assert tool(board, "flash", *arguments, firmware=None).status == 0
    tree = littlefs.read(flash_image.region(_image(board), boards.load("ESP32_GENERIC-OTA").layout.vfs))
    assert tree["/main.py"] == b"print('mine')\n" and "/aliot/dropped/__init__.mpy" not in tree
    assert "/main.py" not in file_list.parse(tree[file_list.LIST])


def test_what_is_for_the_host_stays_out_of_a_board(field, tool, tmp_path):
    board = field()
    app = _folder(
        tmp_path / "app",
        {
            "main.py": "print('app')\n",
            ".git/HEAD": "ref",
            ".env": "x",
            "tests/test_a.py": "def test(): 0\n",
            "data/a.csv": "1",
            "data/a.log": "1",
            "data/keep.log": "1",
            "__pycache__/main.pyc": "x",
            ".aliotignore": "tests/\n*.log\n!keep.log\n",
        },
    )
    said = tool(board, "flash", "--app", "--files", app, firmware=None)
    assert said.status == 0, said.err
    own = file_list.parse(littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))[file_list.LIST])
    assert {path for path, lines in own.items() if "FILES" in lines.values()} == {
        "/main.py",
        "/data/a.csv",
        "/data/keep.log",
    }
    assert not {"/.git/HEAD", "/.env", "/tests/test_a.mpy"} & set(_files(board))
    assert ".env, .git, __pycache__, data/a.log, tests" in said.out


# --- moving to another layout


def test_a_table_that_moves_nvs_is_refused_then_carried_over(field, tool, tmp_path):
    ota = boards.load("ESP32_GENERIC-OTA")
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    board = field()
    kept = what_is_kept(_image(board), LAYOUT)
    before = _image(board)
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin"]
    refused = tool(board, "flash", *arguments, firmware=None)
    assert refused.error == (
        "NVS would move from 0x9000, 24 KB, to 0x9000, 16 KB on a board that holds the identity "
        "a1MZxOdcBnO/240ac4000001: --relayout saves it, and the files, to a file, writes, and puts them back"
    )
    assert _image(board) == before
    done = tool(board, "flash", *arguments, "--relayout", firmware=None)
    assert done.status == 0, done.err
    assert what_is_kept(_image(board), ota.layout) == kept
    assert not list((tmp_path / "journal").glob("*.identity"))
    assert "Nothing to do" in tool(board, "flash", *arguments, firmware=None).out


def test_a_move_is_refused_when_not_all_of_nvs_can_be_read(field, tool, tmp_path):
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    image = bytearray(field_board())
    image[LAYOUT.nvs.offset + 64 + 40] ^= 0x55  # an entry with a wrong CRC
    board = field(image=bytes(image))
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin", "--relayout"]
    said = tool(board, "flash", *arguments, firmware=None)
    assert "NVS holds what cannot be read and would be lost: page 0 entry" in said.error
    assert _image(board) == bytes(image)


def test_a_relayout_cut_off_is_finished_by_the_next_flash(field, tool, tmp_path):
    (tmp_path / "ota.bin").write_bytes(stock_bin("ESP32_GENERIC-OTA"))
    kept = what_is_kept(field_board(), LAYOUT)
    arguments = ["--board", "ESP32_GENERIC-OTA", "--firmware", tmp_path / "ota.bin"]
    board = field(cut_at=150)
    assert tool(board, "flash", *arguments, "--relayout", firmware=None).status == 1
    rescue = list((tmp_path / "journal").glob("*.files.identity"))
    assert len(rescue) == 1 and rescue[0].stat().st_mode & 0o777 == 0o600
    board.nor.cut_at = None
    board.call(board.chip.power_on)
    done = tool(board, "flash", *arguments, firmware=None)
    assert done.status == 0 and "an interrupted flash of this board is finished" in done.out
    assert what_is_kept(_image(board), boards.load("ESP32_GENERIC-OTA").layout) == kept


# --- refusals, each by its line


def test_a_wrong_chip(bench, tool):
    said = tool(bench(chip="esp32c3"), "flash", "--board", "ESP32_GENERIC")
    assert (
        said.error == "the board is an esp32c3, but ESP32_GENERIC is for an esp32: say BOARD=ESP32_GENERIC_C3"
    )


def test_an_image_for_another_chip(bench, tool, tmp_path):
    (tmp_path / "c3.bin").write_bytes(stock_bin("ESP32_GENERIC_C3"))
    said = tool(bench(), "flash", "--firmware", tmp_path / "c3.bin", firmware=None)
    assert said.error == (
        "c3.bin is not a stock MicroPython image for ESP32_GENERIC: it is an image for esp32c3, not for esp32"
    )


def test_a_flash_that_is_too_small(bench, tool):
    assert (
        tool(bench(size=2 << 20), "flash").error
        == "the board has 2 MB of flash, but ESP32_GENERIC needs 4 MB: say BOARD=ESP32_GENERIC-D2WD"
    )


@pytest.mark.parametrize(
    ("chip", "burns", "words"),
    [
        ("esp32", [(0, 0, 1 << 20)], "flash encryption is switched on"),
        ("esp32", [(0, 6, 1 << 4)], "secure boot is switched on"),
        ("esp32s3", [(0, 2, 1 << 18), (0, 3, 1 << 20)], "secure boot and flash encryption are switched on"),
        ("esp32c3", [(0, 4, 1 << 5)], "secure download mode is switched on"),
    ],
)
def test_a_chip_with_security_switched_on(bench, tool, tmp_path, chip, burns, words):
    board = bench(chip=chip, size=(8 if chip == "esp32s3" else 4) << 20)
    for burn in burns:
        board.chip.efuses.burn(*burn)
    name = {"esp32": "ESP32_GENERIC", "esp32s3": "ESP32_GENERIC_S3", "esp32c3": "ESP32_GENERIC_C3"}[chip]
    (tmp_path / "its.bin").write_bytes(stock_bin(name))
    said = tool(board, "flash", "--firmware", tmp_path / "its.bin", firmware=None)
    assert said.error == f"{words} in this chip: plain data would ruin it for good, so nothing is written"
    assert board.nor.operations == 0


def test_a_file_system_that_cannot_be_read_is_made_anew_only_when_asked(field, tool):
    image = bytearray(field_board())
    start = LAYOUT.vfs.offset
    image[start : start + 0x2000] = b"\x5a" * 0x2000
    board = field(image=bytes(image))
    assert tool(board, "flash").error == (
        "the file system on the board cannot be read: --fresh makes a new one, and what is in it is lost"
    )
    assert _image(board) == bytes(image)
    assert tool(board, "flash", "--fresh").status == 0
    assert _files(board) == firmware.compile_tree()
    assert nvs.read(flash_image.region(_image(board), LAYOUT.nvs)).find("aliot", "burned") == records()[0]


def test_an_identity_of_another_device_is_not_burned_over(field, tool, tmp_path):
    board = field()
    before = _image(board)
    (tmp_path / "cert.json").write_text(
        json.dumps(
            {
                "product_key": "a1Other",
                "device_name": "dev2",
                "device_secret": "x" * 32,
                "region": "cn-shanghai",
            }
        )
    )
    assert (
        "which is lost when a1Other/dev2 is burned"
        in tool(board, "flash", "--cert", tmp_path / "cert.json").error
    )
    assert _image(board) == before


def test_erase_names_what_is_lost_and_saves_it(field, tool, tmp_path):
    board = field()
    before = _image(board)
    refused = tool(board, "flash", "--erase")
    assert refused.error == (
        "this erases the secret that the platform issued to a1MZxOdcBnO/240ac4000001; without the "
        "backup the device can never register again: say --confirm 240ac4000001"
    )
    assert (
        tool(board, "flash", "--erase", "--confirm", "no").error
        == "not erased: what was typed is not the device's name"
    )
    assert _image(board) == before
    done = tool(board, "erase", "--confirm", "240ac4000001")
    assert done.status == 0
    _golden("erase", done.out)
    assert not _image(board).strip(b"\xff")
    saved = sorted((tmp_path / "backups").glob("*.identity"))
    assert saved and all(path.stat().st_mode & 0o777 == 0o600 for path in saved)

    assert (
        tool(board, "restore", "--from", saved[-1]).error
        == "there is no partition table on this board: flash it first"
    )
    assert tool(board, "flash").status == 0
    _golden("restore", tool(board, "restore", "--from", saved[-1]).out)
    _, found, _ = what_is_kept(_image(board), LAYOUT)
    assert (
        found["nvs"] == found["littlefs"]
        and found["nvs"]["burned"]
        and SECRET.encode() in found["nvs"]["issued"]
    )
    assert "nothing to do" in tool(board, "restore", "--from", saved[-1]).out


def test_a_backup_goes_back_only_onto_its_own_board(field, tool, tmp_path):
    first, other = field(), field("other.bin", mac="24:0a:c4:00:00:02")
    assert tool(first, "backup").status == 0
    saved = next((tmp_path / "backups").glob("*.identity"))
    assert (
        "two boards with one identity throw each other off" in tool(other, "restore", "--from", saved).error
    )
    (tmp_path / "broken.identity").write_text("{}")
    assert (
        "is not a backup of an identity"
        in tool(first, "restore", "--from", tmp_path / "broken.identity").error
    )


def test_a_board_without_identity_has_none_to_save(bench, tool):
    board = bench()
    assert tool(board, "backup").error == f"the board {MAC} holds no identity"


LEAKS = {
    "named": ("cfg.py", "DEVICE_SECRET = 'h4I4dneEFp7EImTvh4I4dneEFp7EImTv'\n"),
    "json": ("cfg.json", '{"productKey": "a1b2", "deviceSecret": "0123456789abcdef0123456789abcdef"}'),
    "product": ("x.txt", 'product_secret: "Kq8zTqLw0aPs7d6F"'),
    "proxy": (
        "gw.json",
        json.dumps({"sub_products": [{"product_key": "a1b2", "product_secret": "Kq8zTqLw0aPs7d6F"}]}),
    ),
    "ID2": ("id.json", '{"id2_key": "00112233445566778899aabbccddeeff"}'),
    "PKCS#1": ("board.key", pairs.key_bytes()),
    "PKCS#8": ("board.pem", pairs.key_bytes(form=PrivateFormat.PKCS8)),
    "DER": ("board.der", pairs.key_bytes(encoding=Encoding.DER)),
    "PKCS#8 in DER": ("board.p8", pairs.key_bytes(encoding=Encoding.DER, form=PrivateFormat.PKCS8)),
    "record": ("burned", record.encode(record.BURNED, 1, {record.WAY: b"x509"})),
}
HELD = {
    "ID2": "an ID² key",
    "record": "an identity record",
    "named": "a device or product secret",
    "json": "a device or product secret",
    "product": "a device or product secret",
    "proxy": "a device or product secret",
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_tree_with_a_secret_in_it_is_refused_before_a_port_is_opened(tool, tmp_path, name):
    file, text = LEAKS[name]
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    said = tool("/dev/nothing", "flash", "--files", tmp_path / "app")
    assert said.error.startswith(f"{file} looks as if it held {HELD.get(name, 'a private key')}: every")


def test_the_secrets_of_a_board_are_found_in_every_spelling():
    key = bytes(range(16))
    fields = {record.ID2_KEY: key, 17: b"a1b2\na1c3 Kq8zTqLw0aPs7d6F", record.PRIVATE_KEY: b"\x30" * 40}
    copies = [SimpleNamespace(fields=fields)]
    for text in (key, key.hex().encode(), key.hex().upper().encode(), b"Kq8zTqLw0aPs7d6F", b"\x30" * 40):
        with pytest.raises(UserError, match="/notes looks as if it held a device or product secret"):
            leaks.refuse({"/notes": b"remember " + text}, copies)
    leaks.refuse({"/notes": b"a1b2 and a1c3", "/roots/x.der": pairs.cer(Encoding.DER)}, copies)


def test_a_tree_with_the_secret_of_this_very_board_is_refused(field, tool, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "notes.txt").write_text(f"remember {SECRET}")
    board = field()
    before = _image(board)
    assert tool(board, "flash", "--files", tmp_path / "app").error.startswith("/notes.txt looks as if")
    assert _image(board) == before


@pytest.mark.parametrize(
    "text",
    [
        'device_secret = "your device secret"',
        'secret = "0123456789abcdef"',
        'device_secret = config["device_secret"]',
        "DEVICE_SECRET = const(4)",
    ],
)
def test_what_only_speaks_of_secrets_is_not_refused(text):
    leaks.refuse({"/a.py": text.encode()})


# --- the image


def test_the_image_is_taken_apart_so_that_nvs_is_in_no_part(stock_image):
    taken = stock.take_apart(boards.load("ESP32_GENERIC"), stock_image[1], "stock")
    assert [(part.name, part.offset) for part in taken.parts] == [
        ("bootloader", 0x1000),
        ("partition table", 0x8000),
        ("application factory", 0x10000),
    ]
    for part in taken.parts:
        end = part.offset + len(part.data)
        assert end <= taken.layout.nvs.offset or part.offset >= taken.layout.nvs.end
        begin = part.offset - 0x1000
        assert part.data.rstrip(b"\xff") == stock_image[1][begin : begin + len(part.data)].rstrip(b"\xff")


def test_an_ota_image_resets_the_choice_of_application():
    taken = stock.take_apart(boards.load("ESP32_GENERIC-OTA"), stock_bin("ESP32_GENERIC-OTA"), "ota")
    assert [(part.name, part.offset) for part in taken.parts] == [
        ("bootloader", 0x1000),
        ("partition table", 0x8000),
        ("choice of application", 0xD000),
        ("application ota_0", 0x10000),
    ]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: b"", "does not begin with an ESP image"),
        (lambda image: b"\x7fELF" + image[4:], "does not begin with an ESP image"),
        (lambda image: image[:0x7000], "there is no partition table"),
        (lambda image: image[:0x7004] + b"\x09" + image[0x7005:], "MD5 does not match"),
        (lambda image: image[:0xF000], "holds no application"),
        (lambda image: image[:0xF000] + b"\0" + image[0xF001:], "holds no application at 0x10000"),
        (lambda image: stock_bin("ESP32_GENERIC-OTA"), "partition 'nvs' is data/nvs, 0x4000 bytes"),
    ],
)
def test_what_is_no_stock_image_is_told(spoil, words):
    with pytest.raises(UserError, match=re.escape(words)):
        stock.take_apart(boards.load("ESP32_GENERIC"), spoil(stock_bin()), "x.bin")


def test_an_image_that_is_not_known_or_cannot_be_had_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(stock, "CACHE", tmp_path)
    with pytest.raises(UserError, match=r"no image is pinned for ESP32_GENERIC_C3.*say FIRMWARE=FILE.bin"):
        stock.load(boards.load("ESP32_GENERIC_C3"))
    monkeypatch.setattr(
        stock.urllib.request, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network"))
    )
    with pytest.raises(
        UserError, match=r"v1.26.1.bin is not in the cache and cannot be fetched \(no network\)"
    ):
        stock.load(boards.load("ESP32_GENERIC_S3"))
    board = boards.load("ESP32_GENERIC_S3")
    (tmp_path / board.file).write_bytes(b"something else")
    with pytest.raises(UserError, match="is damaged: delete it"):
        stock.load(board)
    (tmp_path / board.file).unlink()
    monkeypatch.setattr(stock, "_from_site", lambda board: b"something else")
    with pytest.raises(UserError, match="is not the release that is pinned"):
        stock.load(board)
    assert not list(tmp_path.iterdir())


def test_flash_says_who_is_trusted_for_the_pinned_image_and_nothing_of_ones_own(
    field, tool, stock_image, tmp_path
):
    said = tool(field(), "flash", firmware=None)
    assert (
        "\nMicroPython 1.25.0: ESP32_GENERIC-20250415-v1.25.0.bin\n  taken by its SHA-256 out of" in said.out
    )
    assert "taken by" not in tool(field("other.bin"), "flash").out


# --- ports


def _found(*names):
    return lambda: [
        SimpleNamespace(device=name, vid=0x10C4, pid=0xEA60, description="CP2102N") for name in names
    ]


def test_without_a_name_the_only_board_is_taken(monkeypatch):
    monkeypatch.setattr(port.list_ports, "comports", _found("/dev/ttyUSB7"))
    assert port.choose() == "/dev/ttyUSB7" and port.choose("x") == "x"
    monkeypatch.setattr(port.list_ports, "comports", _found())
    with pytest.raises(UserError, match="no board is plugged in; say PORT="):
        port.choose()
    monkeypatch.setattr(port.list_ports, "comports", _found("/dev/ttyUSB0", "/dev/ttyUSB1"))
    with pytest.raises(UserError, match=r"2 boards are plugged in: /dev/ttyUSB0 \(CP2102N\), /dev/ttyUSB1"):
        port.choose()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            serial.SerialException(errno.EACCES, "could not open port: [Errno 13] Permission denied"),
            "dialout",
        ),
        (serial.SerialException("could not open port x: [Errno 13] Permission denied: 'x'"), "dialout"),
        (serial.SerialException(errno.EBUSY, "busy"), "another program has it"),
        (serial.SerialException(errno.EAGAIN, "Could not exclusively lock port x"), "another program has it"),
        (
            serial.SerialException(
                "Could not exclusively lock port x: [Errno 11] Resource temporarily unavailable"
            ),
            "another program has it",
        ),
        (serial.SerialException(errno.ENOENT, "no such file"), "there is no such port"),
    ],
)
def test_a_port_that_cannot_be_opened_is_one_line_with_the_cure(monkeypatch, error, words):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(serial, "serial_for_url", lambda *_, **__: SimpleNamespace(open=refuse))
    with pytest.raises(UserError) as refusal:
        port.open_port("/dev/ttyUSB0")
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_port_that_is_taken_and_one_where_nobody_listens(bench, tool):
    board = bench(busy=True)
    assert "somebody else has it" in tool(board.url + "?timeout=0.3", "flash").error
    assert "nobody listens there" in tool("rfc2217://127.0.0.1:1", "flash").error


def test_only_the_files_of_a_board_without_micropython(bench, tool, tmp_path):
    board = bench()
    app = _folder(tmp_path / "app", {"main.py": "print('app')\n"})
    said = tool(board, "flash", "--app", "--files", app, firmware=None, wait="90")
    assert said.error == (
        f"there is no MicroPython on this board: 'make flash PORT={board.url} FILES={app}' brings it, and the files"
    )
    assert "say 'make flash'" in tool(board, "flash", "--app", "--erase", firmware=None).error
    assert board.nor.operations == 0


def test_a_board_that_does_not_answer(bench, tool):
    board = bench()
    board.chip.efuses.burn(0, 0, 1 << 27)  # its download mode is switched off
    assert "no answer from a board at" in tool(board, "flash").error


@pytest.mark.parametrize("fault", [{"disconnect": 3}, {"bad-md5": 10_000}])
def test_what_goes_wrong_on_the_way_is_one_line_and_the_next_flash_mends_it(bench, tool, fault):
    board = bench(faults=fault)
    said = tool(board, "flash")
    assert "went away" in said.error or "reads back otherwise" in said.error
    board.chip.faults.clear()
    done = tool(board, "flash")
    assert done.status == 0
    assert _files(board) == firmware.compile_tree()


# --- the console


def test_a_port_that_comes_back_under_another_name_is_followed(bench, tmp_path, monkeypatch):
    """Native USB: at the reset the port goes away, and the application brings up one of its own."""
    (tmp_path / "flash.bin").write_bytes(
        flash_image.build(
            "ESP32_GENERIC_S3",
            files={
                "/main.py": b'import time\nwhile True:\n    print(\'{"aliot": "connected"}\')\n    time.sleep_ms(200)\n'
            },
        )
    )
    board = bench(chip="esp32s3", size=8 << 20, style="usb", renumber=True, software=True, boot_blank=True)
    old = board.url
    line = port.open_port(old)
    monkeypatch.setattr(port.list_ports, "comports", _found())
    line.dtr = False
    line.rts = False
    try:
        line.rts = True
        line.rts = False
    except (OSError, serial.SerialException):
        pass
    monkeypatch.setattr(port.list_ports, "comports", lambda: [] if board.url == old else _found(board.url)())
    states = []
    state = console.follow(old, line, 30, states.append)
    assert board.url != old and state["aliot"] == "connected"


def test_a_board_that_never_says_that_it_runs_is_told_in_time(field, tool):
    board = field()  # nothing is emulated behind the application: the console stays silent
    said = tool(board, "flash", wait="0.3")
    assert said.error.startswith("the board was flashed, but did not say within 0.3 s that it runs")


def test_state_lines_are_told_from_all_others():
    assert console.state_of(b'{"aliot": "wifi"}\r') == {"aliot": "wifi"}
    for line in (b"", b"{", b"[1]", b'{"app": "posted"}', b'{"aliot": 3}', b"\xff\xfe", b'"aliot"'):
        assert console.state_of(line) is None


# --- settings


@pytest.mark.parametrize(
    "values",
    [
        {"ssid": ""},
        {"ssid": "x" * 33},
        {"ssid": "a", "password": "short"},
        {"ssid": "a", "password": "x" * 64},
        {"device_secret": "x"},
        {"ssid": 3},
        {"id2_key": "00"},
        {"endpoint": {"auth": "http"}},
    ],
)
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(UserError):
        config.check(values)


def test_settings_of_a_board_stay_unless_they_are_given():
    assert settings.merged(b'{"a": 1}', {}) is None
    assert settings.merged(b'{"a": 1}', {"a": 1}) == b'{"a": 1}'
    assert json.loads(settings.merged(b'{"a": 1}', {"b": 2})) == {"a": 1, "b": 2}
    with pytest.raises(UserError, match="is not a JSON object"):
        settings.merged(b"[]", {"b": 2})


def test_wifi_is_asked_for_on_a_terminal_only(monkeypatch):
    monkeypatch.delenv("ALIOT_WIFI_SSID", raising=False)
    with pytest.raises(UserError, match="there is no terminal"):
        settings.given(prompt=True)


def test_inspect_shows_the_board_with_its_secrets_masked(field, tool):
    said = tool(field(), "inspect")
    assert said.status == 0 and "device_secret: ****et12" in said.out and "/mine.txt: 600 bytes" in said.out


def test_a_table_that_is_damaged_still_finds_the_identity(field, tool):
    image = bytearray(field_board())
    image[partitions.OFFSET + 5] ^= 0xFF
    board = field(image=bytes(image))
    kept = what_is_kept(_image(board), LAYOUT)
    assert tool(board, "flash").status == 0
    assert what_is_kept(_image(board), LAYOUT) == kept


def test_a_rescue_that_cannot_be_read_is_left_alone(tmp_path):
    backup.save_rescue(MAC, (), {"/a": b"b"}, tmp_path)
    assert backup.load_rescue(MAC, tmp_path).tree == {"/a": b"b"}
    path = next(tmp_path.iterdir())
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read; it holds what a board held"):
        backup.load_rescue(MAC, tmp_path)
    assert path.exists()


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
        {"main.py": "print('app')\n", "lamp/on.py": "x = 1\n", "a.csv": "1", ".git/HEAD": "r"},
    )
    (tmp_path / "config.json").write_text('{"ssid": "shop", "password": "12345678"}')
    arguments = ["--files", str(app), "--config", str(tmp_path / "config.json")]
    whole = tmp_path / "whole.bin"
    line = ["image", "--firmware", str(tmp_path / "stock.bin"), "--out", str(whole), *arguments]
    assert main(line) == 0
    assert "left out of FILES: .git" in capsys.readouterr().out
    board = bench()
    assert tool(board, "flash", *arguments).status == 0
    assert _image(board) == whole.read_bytes()
    (app / "secret.py").write_text("DEVICE_SECRET = 'h4I4dneEFp7EImTvh4I4dneEFp7EImTv'\n")
    assert main(line) == 1 and "secret.py looks as if it held" in capsys.readouterr().err
