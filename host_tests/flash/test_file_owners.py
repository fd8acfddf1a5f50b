"""Whose a file on the board is: the release's, a folder's, the user's."""

import random

import pytest

from host_tests.flash.flashed import LAYOUT, _files, _folder, _image
from host_tests.support.flashing import USER_FILES, field_board, stock_bin
from tools import boards
from tools.flash import file_list
from tools.image import device_files as firmware
from tools.image import flash_image, littlefs


def _put_on(board, tree, remove=()):
    """What a user does by mpremote: files onto a board, files off it."""
    at = LAYOUT.vfs.offset
    data = littlefs.update(flash_image.region(_image(board), LAYOUT.vfs), tree, remove)
    board.nor.erase(at, len(data))
    board.nor.program(at, data)


def test_a_main_py_of_the_user_stays_and_is_said_until_it_is_asked_for(field, tool, tmp_path):
    board = field()
    _put_on(board, {"/main.py": b"print('mine')\n"})
    for more in ([], ["--app"]):
        result = tool(board, "flash", *more, firmware=not more or None)
        assert result.status == 0 and _files(board)["/main.py"] == b"print('mine')\n"
        assert "/main.py on the board is yours and stays: ARGS=--reset-files" in result.out
    assert not list(tmp_path.glob("backups/*"))
    result = tool(board, "flash", "--reset-files")
    assert _files(board)["/main.py"] == firmware.compile_tree()["/main.py"]
    (saved,) = tmp_path.glob("backups/*.files")
    assert str(saved) in result.out and (saved / "main.py").read_bytes() == b"print('mine')\n"
    assert (saved / "main.py").stat().st_mode & 0o777 == 0o600
    assert "Nothing to do" in tool(board, "flash").out


def test_on_a_board_without_a_list_all_but_aliot_and_an_unchanged_boot_py_is_the_users(field, tool):
    board = field(image=field_board(listed=False, files={"/boot.py": b"import esp\n", "/lib/a.mpy": b"a"}))
    before = _files(board)
    result = tool(board, "flash")
    after, release = _files(board), firmware.compile_tree()
    own = {"/boot.py", "/main.py", "/lib/a.mpy", "/aliot/burned", "/aliot/issued"}
    assert {path: after.get(path) for path in own} == {path: before[path] for path in own}
    assert after == {**release, **{path: before[path] for path in own}}
    assert "/boot.py on the board is yours" in result.out and "/main.py on the board is yours" in result.out
    assert "Nothing to do" in tool(board, "flash").out


def test_a_boot_py_that_nobody_wrote_is_the_releases(field, tool):
    stock = (
        b"# This file is executed on every boot (including wake-boot from deepsleep)\n"
        b"#import esp\n#esp.osdebug(None)\n#import webrepl\n#webrepl.start()\n"
    )
    board = field(image=field_board(listed=False, files={"/boot.py": stock}))
    result = tool(board, "flash")
    assert (
        _files(board)["/boot.py"] == firmware.compile_tree()["/boot.py"]
        and "/boot.py on the board" not in result.out
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
    result = tool(board, "flash", "--app", "--files", app, firmware=None)
    after = _files(board)
    assert not {"/lamp/__init__.mpy", "/lamp/old.mpy"} & set(after) and "/lamp.mpy" in after
    assert "/lamp" not in littlefs.read_files(flash_image.region(_image(board), LAYOUT.vfs), ["/lamp"])
    assert after["/motor.mpy"] == b"changed on the board" and after["/own.py"] == b"mine"
    assert "/lamp/old.mpy (removed)" in result.out
    assert "/motor.mpy was changed on the board and stays" in result.out


def test_a_config_that_is_put_whole_saves_the_boards_own_first(field, tool, tmp_path, monkeypatch):
    board = field()
    (tmp_path / "config.json").write_text('{"ssid": "office", "password": "87654321"}')
    result = tool(board, "flash", "--config", tmp_path / "config.json")
    (saved,) = tmp_path.glob("backups/*.files")
    assert (saved / "config.json").read_bytes() == USER_FILES[
        "/config.json"
    ] and f"to {saved}: /config.json" in result.out
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
    result = tool(board, "flash", "--files", app, *(move if whole else ()), firmware=not whole or None)
    assert result.status == 1 and "do not fit into the board's file system" in result.error
    assert _image(board) == before
    assert not [*tmp_path.glob("backups/*.files"), *tmp_path.glob("journal/*.identity")]


def test_a_file_that_a_folder_names_is_written_over_the_users_after_it_was_saved(field, tool, tmp_path):
    board = field()
    _put_on(board, {"/main.py": b"print('mine')\n"})
    app = _folder(tmp_path / "app", {"main.py": "print('app')\n"})
    result = tool(board, "flash", "--app", "--files", app, firmware=None)
    (saved,) = tmp_path.glob("backups/*.files")
    assert (saved / "main.py").read_bytes() == b"print('mine')\n" and f"to {saved}: /main.py" in result.out
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
    result = tool(board, "flash", "--app", "--files", app, firmware=None)
    assert result.status == 0, result.err
    own = file_list.parse(littlefs.read(flash_image.region(_image(board), LAYOUT.vfs))[file_list.LIST])
    assert {path for path, lines in own.items() if "FILES" in lines.values()} == {
        "/main.py",
        "/data/a.csv",
        "/data/keep.log",
    }
    assert not {"/.git/HEAD", "/.env", "/tests/test_a.mpy"} & set(_files(board))
    assert ".env, .git, __pycache__, data/a.log, tests" in result.out
