"""The verbs of `python -m tools ota`: from a folder to a signed package, and what they refuse."""

import json
from pathlib import Path

import pytest

from tools.image import application, device_files
from tools.ota import package

PACK = "pack --files app --release 1.2.0 --number 7 --out app.ota --product a1OtaTests0"


def test_from_a_folder_to_a_signed_package(ota):
    assert ota("key factory") == (
        0,
        "key <KEY>: RSA 2048, in factory\n"
        "  keep   factory and the passphrase, with a copy elsewhere: boards take no package without them\n"
        "  next   make flash ARGS='--ota-key factory/ota.pub' puts ota.pub on a board\n",
    )
    status, text = ota(PACK)
    found = package.read("app.ota")
    count, size = len(found.manifest.files), found.manifest.size
    assert (status, text) == (
        0,
        f"app.ota: release 1.2.0, number 7, {count} files, {size} bytes\n"
        "  config.json of the board stays as it is: no part of a release\n"
        "  next   python -m tools ota sign app.ota --key FOLDER\n",
    )
    assert ota("sign app.ota --key factory") == (0, "app.ota: release 1.2.0 signed by <KEY>\n")
    assert ota("verify app.ota --key factory/ota.pub") == (
        0,
        f"app.ota: good, signed by <KEY>, {count} files, {size} bytes\n",
    )
    status, text = ota("inspect app.ota")
    assert text.splitlines()[:4] == [
        f"release 1.2.0, number 7, {count} files, {size} bytes",
        "  signed by   <KEY>",
        "  for         a1OtaTests0",
        "  needs       MicroPython 1.24, .mpy 6, store 1",
    ]
    assert json.loads(ota("inspect app.ota --json")[1])["number"] == 7


def test_a_package_has_what_make_flash_writes(ota):
    assert ota(PACK)[0] == 0
    flashed = {**device_files.compile_tree(), **application.read("app").compiled()}
    found = package.read("app.ota")
    packed, at = {}, 0
    for file in found.manifest.files:
        packed["/" + file.path] = found.contents[at : at + file.size]
        at += file.size
    assert packed == {
        path: data for path, data in flashed.items() if path not in ("/boot.py", "/config.json")
    }
    first = open("app.ota", "rb").read()
    assert ota(PACK)[0] == 0 and open("app.ota", "rb").read() == first


def test_what_a_board_does_not_need_is_left_out(ota):
    assert ota(PACK + " --without aliot/gateway --without table.bin --board ESP32_GENERIC_C3")[0] == 0
    found = package.read("app.ota").manifest
    assert found.board == "ESP32C3"
    assert not [file.path for file in found.files if file.path.startswith(("aliot/gateway", "table"))]


@pytest.mark.parametrize(
    "message, complaint",
    [
        (
            PACK + " --without aliot/nothing",
            "--without aliot/nothing: the release has no such file or folder",
        ),
        (PACK + " --without main.py", "main.py is missing, without which no release runs and becomes good"),
        (
            PACK + " --delete /config.json",
            "delete /config.json: no release deletes that; it belongs to the board",
        ),
        (PACK + " --board NO_SUCH", "board 'NO_SUCH' is not known"),
        (PACK.replace("app --release", "missing --release"), "FILES=missing is not a folder"),
        ("key factory --bits 4096", "a key for packages has 2048 or 3072 bits, not 4096"),
        ("key factory --passphrase-file app/notes", "the passphrase is empty"),
        ("sign app/main.py --key factory", "app/main.py is no package of a release"),
        ("verify app/main.py --key app/main.py", "app/main.py is no public key"),
    ],
)
def test_bad_input_gets_one_line(ota, message, complaint):
    status, text = ota(message)
    lines = [line for line in text.splitlines() if not line.startswith("warning: ")]
    assert status == 1 and len(lines) == 1 and lines[0].startswith("error: ") and complaint in text, text


@pytest.mark.parametrize(
    "message, complaint",
    [
        (
            "sign app.ota --key factory --out factory/ota.key",
            "factory/ota.key lies in factory, the folder of the",
        ),
        (
            "sign app.ota --key factory --out factory/new",
            "factory/new lies in factory, the folder of the key",
        ),
        ("sign app.ota --key factory --out link", "link lies in factory, the folder of the key"),
        ("sign app.ota --key factory --out other", "other is there already and is no package"),
        ("sign app.ota --key factory --out app", "app is there already and is no package"),
        (PACK.replace("app.ota", "app/main.py"), "app/main.py lies in app, the application's folder"),
        (PACK.replace("app.ota", "other"), "other is there already and is no package"),
    ],
)
def test_a_package_replaces_nothing_but_a_package(ota, made, message, complaint):
    Path("factory").mkdir()
    Path("link").symlink_to("factory/ota.key")
    kept = {
        "factory/ota.key": b"the key",
        "other": b"mine",
        "app.ota": made.encode(),
        "app/main.py": b"import app\n",
    }
    for name, data in kept.items():
        Path(name).write_bytes(data)
    status, text = ota(message)
    assert status == 1 and text.startswith("error: " + complaint) and text.count("\n") == 1
    assert {name: Path(name).read_bytes() for name in kept} == kept and Path("link").is_symlink()


def test_a_package_behind_a_link_is_signed_where_it_lies(ota):
    ota("key factory")
    ota(PACK)
    Path("newest").symlink_to("app.ota")
    assert ota("sign newest --key factory")[0] == 0
    assert Path("newest").is_symlink() and package.read("app.ota").key


def test_a_link_out_of_the_application_is_refused_until_it_is_ignored(ota):
    Path("elsewhere").write_text("secret")
    Path("app/passwd.txt").symlink_to("../elsewhere")
    status, text = ota(PACK)
    assert (status, text) == (
        1,
        "error: app/passwd.txt is a symbolic link out of the folder: copy the file, or name it in .aliotignore\n",
    )
    assert not Path("app.ota").exists()
    Path("app/.aliotignore").write_text("notes\npasswd.txt\n")
    Path("app/rows").symlink_to("table.bin")
    assert ota(PACK)[0] == 0
    assert "rows" in [file.path for file in package.read("app.ota").manifest.files]
