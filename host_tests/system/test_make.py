"""`make` hears what a person types, or says in one line what to type instead."""

import re
import urllib.request
from pathlib import Path

import pytest

from host_tests.support.paths import ROOT, make
from tools import cli
from tools.emulator.chip import companion_cloud
from tools.emulator.cloud import config
from tools.errors import UserError
from tools.flash import port


@pytest.mark.parametrize(
    "word, message",
    [
        ("port=/dev/ttyUSB0", "say PORT=/dev/ttyUSB0 in capitals; port= is not heard"),
        ("cert=a.json", "say CERT=a.json in capitals; cert= is not heard"),
        ("root=ca.pem", "say ROOT=ca.pem in capitals; root= is not heard"),
        ("backup=x", "say BACKUP=x in capitals; backup= is not heard"),
    ],
)
def test_a_variable_in_small_letters_is_told(word, message):
    status, out, err = make("flash", word)
    assert status != 0 and not out and err.count("\n") == 1 and message in err


def test_variables_in_capitals_are_heard():
    assert make("restore", "PORT=x", "BACKUP=y")[1].split() == [
        ".venv/bin/python",
        "-m",
        "tools",
        "restore",
        "--port",
        "'x'",
        "--from",
        "'y'",
    ]


def test_roots_are_separated_by_blanks_unless_the_whole_is_one_file(tmp_path):
    (tmp_path / "my roots").mkdir()
    spaced = tmp_path / "my roots" / "ca.pem"
    spaced.write_text("")
    for target in ("flash", "image"):
        assert f"--root '{spaced}'" in make(target, f"ROOT={spaced}")[1]
        assert "--root 'a.pem' --root 'b.pem'" in " ".join(make(target, "ROOT=a.pem b.pem")[1].split())


def one_line(capsys, *arguments):
    assert cli.main(list(arguments)) == 1
    captured = capsys.readouterr()
    assert not captured.out and captured.err.count("\n") == 1 and captured.err.startswith("error: ")
    return captured.err


def test_burn_without_a_certificate_says_what_to_type(capsys):
    assert "say which identity to burn: CERT=FILE" in one_line(capsys, "burn")


def test_restore_without_a_backup_names_those_that_lie_there(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "say which backup: BACKUP=FILE (--from FILE); none lies in backups" in one_line(capsys, "restore")
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "240ac4000001-20260101-000000.identity").write_text("{}")
    assert "there are backups/240ac4000001-20260101-000000.identity\n" in one_line(capsys, "restore")


def test_auto_is_the_port_that_is_plugged_in(monkeypatch):
    monkeypatch.setattr(port, "plugged_in", lambda: [("/dev/ttyUSB7", "CP2102")])
    assert port.choose("auto") == port.choose(None) == "/dev/ttyUSB7"
    monkeypatch.setattr(port, "plugged_in", list)
    with pytest.raises(UserError, match="say PORT="):
        port.choose("auto")


def test_a_second_make_board_says_how_to_have_two(tmp_path):
    with companion_cloud.open_at(tmp_path, "24:0a:c4:00:00:01"):
        with pytest.raises(
            UserError, match="another 'make board' is running in .* say make board ARGS='--play"
        ) as reported:
            with companion_cloud.open_at(tmp_path, "24:0a:c4:00:00:01"):
                pass
    assert "--run-dir" not in str(reported.value)


def test_a_board_for_an_application_has_its_model_in_its_cloud(tmp_path):
    """host_tests/firmware/test_guide_thing.py asks that cloud for it."""
    assert "--files 'lamp'" in make("board", "FILES=lamp")[1]
    app = tmp_path / "lamp"
    with pytest.raises(UserError, match="lamp is no folder: FILES="):
        with companion_cloud.open_at(tmp_path / "play", "24:0a:c4:00:00:01", app):
            pass
    app.mkdir()
    (app / "model.json").write_text('{"schema": "", "properties": 5}')
    with pytest.raises(UserError, match="lamp/model.json: properties: 5 is no list"):
        with companion_cloud.open_at(tmp_path / "play", "24:0a:c4:00:00:01", app):
            pass


def test_the_flash_that_a_board_asks_for_names_the_application():
    there = companion_cloud.Playground(*map(Path, ("cloud", "ca.der", "cert.json", "config.json", "lamp")))
    assert any(line.endswith(" CONFIG=config.json FILES=lamp") for line in there.describe("rfc2217://x:1"))


def test_a_board_s_cloud_has_a_console_whose_address_opens_it(tmp_path):
    assert "--console" in make("board")[1]
    with companion_cloud.open_at(tmp_path, "24:0a:c4:00:00:01", console=True) as there:
        shown = [line.rpartition(" ")[2] for line in there.describe("rfc2217://x:1")]
        assert shown[-1] == there.console
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        # a browser finds a name below localhost by itself, urllib does not
        with browser.open(re.sub(r"//[^:/]+", "//127.0.0.1", there.console)) as page:
            assert b"<h1>" in page.read()


def test_make_console_serves_the_example_products():
    command = make("console")[1].split()
    assert "--console" in command
    found = config.load(ROOT / command[command.index("--config") + 1])
    assert {one.auth for one in found.products} == set(config.AUTHS)
    assert {one.node for one in found.products} == set(config.NODES)
    assert not any(one.product_secret for one in found.products)
