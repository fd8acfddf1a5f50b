"""What a burn leaves on this machine: where it lies, what a kill leaves of it, and that git never takes it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from host_tests.image.nor import PowerCut
from host_tests.image.nor_board import MAC, Booted
from host_tests.image.test_burn import ELSEWHERE, SECRET, burned, holds, registered
from tools import burn, private
from tools.errors import UserError
from tools.flash import backup
from tools.image import journal

ROOT = Path(__file__).resolve().parents[2]
# writes a private file; at the moment that it would get its name, the process is killed or waits
WRITES = """
import os, signal, sys
from tools import private
def replace(*_):
    print("written", flush=True)
    {end}
os.replace = replace
private.write(sys.argv[1], "secret")
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's state folder, and a checkout without journals."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(journal, "EARLIER", tmp_path / "checkout" / "journal")
    return tmp_path / "state" / "aliot" / "journal"


def writer(path, end):
    """A process that is in the middle of a private write of `path`."""
    process = subprocess.Popen([sys.executable, "-c", WRITES.format(end=end), str(path)], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "written\n"
    return process


def killed(path):
    """What a killed write of `path` leaves."""
    writer(path, "os.kill(os.getpid(), signal.SIGKILL)").communicate()
    (left,) = path.parent.glob(".*.partial")
    assert left.read_text() == "secret"
    return left


@pytest.mark.parametrize("name", [
    "journal/.240ac4000001.identity.123.partial", "journal/240ac4000001.identity",
    "journal/240ac4000001.files.identity", "backups/240ac4000001-20261130-010203.identity",
    "backups/.240ac4000001-20261130-010203.identity.5.partial", "issued/.a1X509ProdK_x_50.key.7.partial",
    "line.key", "ledger.db", "ledger.db-wal", "ledger.copy.partial", "efuses.bin", "efuses.bin.part", "flash.bin",
    "product.json", "config.json", "devices.csv", "job.toml", "job.signed.toml", "passphrase", "station/job.signed.toml",
    "cloud/state.sqlite", "cloud/state.sqlite-wal", "cloud/cloud.toml", "cloud/ca.key.pem", "cloud/server.key.pem",
])
def test_git_takes_nothing_that_holds_an_identity(name, tmp_path):
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("secret")
    said = subprocess.run(["git", "-C", tmp_path, "status", "--porcelain", "-uall"], capture_output=True, text=True)
    assert said.stdout == "?? .gitignore\n"


def test_git_takes_everything_that_is_tracked():
    said = subprocess.run(["git", "-C", ROOT, "ls-files", "-ci", "--exclude-standard"], capture_output=True, text=True)
    assert said.stdout == ""


@pytest.mark.parametrize("start", [
    lambda folder: journal.load(folder, MAC),
    lambda folder: backup.load_rescue(MAC, folder),
    lambda folder: backup.save_rescue("24:0a:c4:00:00:02", (), {}, folder),
], ids=["burn", "flash", "relayout"])
def test_what_a_killed_write_left_is_gone_at_the_next_start(start, tmp_path):
    left = killed(tmp_path / "240ac4000001.identity")
    start(tmp_path)
    assert not left.exists()


def test_a_private_file_that_is_written_anew_takes_what_a_kill_left_of_it_along(tmp_path):
    mine, other = killed(tmp_path / "line.key"), tmp_path / ".other.5.partial"
    other.write_text("of somebody else")
    private.write(tmp_path / "line.key", "new")
    assert not mine.exists() and other.exists() and (tmp_path / "line.key").read_text() == "new"


def test_what_another_process_writes_right_now_stays(tmp_path):
    process = writer(tmp_path / "240ac4000002.identity", "sys.stdin.readline()")
    try:
        journal.load(tmp_path, MAC)
        (living,) = tmp_path.glob(".*.partial")
        assert living.read_text() == "secret"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    journal.load(tmp_path, MAC)
    assert not living.exists()


def test_journals_lie_in_the_users_state_folder(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = registered(None)
    made.cut(2)
    with pytest.raises(PowerCut):
        burned(made, ELSEWHERE, None)
    backup.save_rescue(MAC, (), {})
    assert sorted(path.name for path in home.iterdir()) == [
        ".gitignore", "240ac4000001.files.identity", "240ac4000001.identity"]
    assert home.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_journal_in_the_checkout_is_found_named_and_taken_away(home):
    made = registered(None)
    made.cut(2)
    with pytest.raises(PowerCut):
        burned(made, ELSEWHERE, journal.EARLIER)
    left = killed(journal.EARLIER / "240ac4000002.identity")
    made.cut(3)
    with pytest.raises(PowerCut):  # once more: now there is one in each place, and what is newer counts
        burned(made, ELSEWHERE, None)
    assert journal.path_of(None, MAC).parent == home and not left.exists()
    report = burn.finish(made, made.layout, MAC)
    assert any("240ac4000001.identity" in note for note in report.notes)
    assert holds(made, ELSEWHERE) and Booted(made).secret == SECRET
    assert journal.load(None, MAC) is None and not list(journal.EARLIER.glob("*.identity"))


def test_a_rescue_in_the_checkout_is_found_and_taken_away(home):
    backup.save_rescue(MAC, (), {"/mine.txt": b"x"}, journal.EARLIER)
    assert backup.load_rescue(MAC).tree == {"/mine.txt": b"x"}
    backup.remove_rescue(MAC)
    assert backup.load_rescue(MAC) is None


def test_another_folder_is_asked_for_nothing_but_itself(home, tmp_path):
    (tmp_path / "mine").mkdir()
    backup.save_rescue(MAC, (), {}, journal.EARLIER)
    assert backup.load_rescue(MAC, tmp_path / "mine") is None
    backup.remove_rescue(MAC, tmp_path / "mine")
    assert backup.load_rescue(MAC)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder .*file.*: ") as caught:
        backup.save_rescue(MAC, (), {}, tmp_path / "file" / "journal")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot make the folder .*file: Not a directory"):
        private.folder(tmp_path / "file")


def test_an_empty_folder_of_ones_own_is_left_as_it_is(tmp_path):
    assert private.folder(tmp_path) == tmp_path and os.listdir(tmp_path) == []
