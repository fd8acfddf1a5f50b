"""What a burn leaves on this machine: where it lies, what a kill leaves of it, and that git never takes it."""

import json
import os
import signal
import subprocess
import sys

import pytest

from host_tests.image.burning import ELSEWHERE, SECRET, burned, holds, registered
from host_tests.support.nor import PowerCut
from host_tests.support.nor_board import MAC, Booted
from host_tests.support.paths import ROOT
from tools import secrets
from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup, contents
from tools.image import burn, journal

# writes a private file; at the moment that it would get its name, the process is killed or waits
WRITES = """
import os, signal, sys
from tools import secrets
def replace(*_):
    print("written", flush=True)
    {end}
os.replace = replace
secrets.write(sys.argv[1], "secret")
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's state folder, and a checkout without journals."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(journal, "EARLIER", tmp_path / "checkout" / "journal")
    return tmp_path / "state" / "aliot" / "journal"


def writer(path, end):
    """A process that is in the middle of a private write of `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES.format(end=end), str(path)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == "written\n"
    return process


def killed(path):
    """What a killed write of `path` leaves."""
    writer(path, "os.kill(os.getpid(), signal.SIGKILL)").communicate()
    (left,) = path.parent.glob(".*.partial")
    assert left.read_text() == "secret"
    return left


@pytest.mark.parametrize(
    "name",
    [
        "journal/.240ac4000001.identity.123.partial",
        "journal/240ac4000001.identity",
        "journal/240ac4000001.files.identity",
        "backups/240ac4000001-20261130-010203.identity",
        "backups/.240ac4000001-20261130-010203.identity.5.partial",
        "issued/.a1X509ProdK_x_50.key.7.partial",
        "line.key",
        "ledger.db",
        "ledger.db-wal",
        "ledger.copy.partial",
        "efuses.bin",
        "efuses.bin.part",
        "flash.bin",
        "product.json",
        "config.json",
        "devices.csv",
        "job.toml",
        "job.signed.toml",
        "passphrase",
        "station/job.signed.toml",
        "cloud/state.sqlite",
        "cloud/state.sqlite-wal",
        "cloud/cloud.toml",
        "cloud/ca.key.pem",
        "cloud/server.key.pem",
    ],
)
def test_git_takes_nothing_that_holds_an_identity(name, tmp_path):
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("secret")
    done = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "-uall"], capture_output=True, text=True
    )
    assert done.stdout == "?? .gitignore\n"


def test_git_takes_everything_that_is_tracked():
    done = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-ci", "--exclude-standard"], capture_output=True, text=True
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    "start",
    [
        lambda folder: journal.load(folder, MAC),
        lambda folder: backup.load_rescue(MAC, folder),
        lambda folder: backup.save_rescue("24:0a:c4:00:00:02", (), {}, folder),
    ],
    ids=["burn", "flash", "relayout"],
)
def test_what_a_killed_write_left_is_gone_at_the_next_start(start, tmp_path):
    left = killed(tmp_path / "240ac4000001.identity")
    start(tmp_path)
    assert not left.exists()


def test_a_private_file_that_is_written_anew_takes_what_a_kill_left_of_it_along(tmp_path):
    mine, other = killed(tmp_path / "line.key"), tmp_path / ".other.5.partial"
    other.write_text("of somebody else")
    secrets.write(tmp_path / "line.key", "new")
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
        ".gitignore",
        "240ac4000001.files.identity",
        "240ac4000001.identity",
    ]
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
        secrets.folder(tmp_path / "file")


def test_an_empty_folder_of_ones_own_is_left_as_it_is(tmp_path):
    assert secrets.folder(tmp_path) == tmp_path and os.listdir(tmp_path) == []


# --- backups and journals as files of a person's: edited, cut, copied, owned by somebody else

KEYED = {record.KIND: b"x509", record.CERTIFICATE: b"first", record.PRIVATE_KEY: b"key"}
RENEWED = {
    record.CERTIFICATE: b"second",
    record.PRIVATE_KEY: b"key",
    record.FOR_GENERATION: (9).to_bytes(4, "little"),
}
OWN = {record.PRODUCT_KEY: b"a1MZxOdcBnO", record.DEVICE_NAME: b"dev1", record.DEVICE_SECRET: b"s" * 32}


def saved(*records, mac=MAC):
    """The text of a backup of (name, fields)."""
    kinds = {"burned": record.BURNED}
    rows = [
        ["nvs", name, record.encode(kinds.get(name, record.ISSUED), 9 + number, fields).hex()]
        for number, (name, fields) in enumerate(records)
    ]
    return json.dumps({"format": 1, "mac": mac, "records": rows}).encode()


@pytest.mark.parametrize(
    "text, held",
    [
        (saved(("burned", KEYED), ("renewed", RENEWED)), {"renewed"}),  # what a board holds after a renewal
        (saved(("burned", KEYED), ("next", RENEWED)), {"next"}),
        (b"\xef\xbb\xbf" + saved(("burned", OWN)), set()),  # an editor's BOM
    ],
)
def test_a_backup_is_read_whole(text, held, tmp_path):
    (tmp_path / "b.identity").write_bytes(text)
    assert set(backup.load(tmp_path / "b.identity").slots) == held


@pytest.mark.parametrize(
    "text, message",
    [
        (saved(("burned", OWN), mac=5), "is not a backup"),
        (saved(("burned", OWN), mac="zz"), "is not a backup"),
        (saved(("burned", OWN), ("later", OWN)), "is not a backup"),
        (saved(("issued", OWN)), "holds no burned record"),
        (
            saved(("burned", OWN), ("issued", OWN)).replace(b"73" * 32, b"74" * 32, 1),
            "its burned record cannot be read",
        ),
        (b"[" * 100_000, "is not a backup"),
        (b"[]", "is not a backup"),
    ],
)
def test_a_backup_that_is_none_is_told_in_one_line(text, message, tmp_path):
    (tmp_path / "b.identity").write_bytes(text)
    with pytest.raises(UserError, match=message) as caught:
        backup.load(tmp_path / "b.identity")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"format": 1, "entries": [], "tree": []}',
        b'{"format": 2, "entries": [], "tree": {}}',
    ],
    ids=range(5),
)
def test_a_journal_that_is_none_is_told_in_one_line_and_stays(text, tmp_path):
    for name, load in (("240ac4000001.identity", journal.load), ("240ac4000001.files.identity", None)):
        (tmp_path / name).write_bytes(text)
        with pytest.raises(UserError, match=name) as caught:
            load(tmp_path, MAC) if load else backup.load_rescue(MAC, tmp_path)
        assert "\n" not in str(caught.value) and (tmp_path / name).exists()


def test_no_backup_is_written_over_another(tmp_path):
    """Two in one second; or a desk whose clock starts at the same time each day."""
    copies = [burn.Copy("nvs", "burned", 9, OWN, record.encode(record.BURNED, 9, OWN))]
    paths = [backup.save(MAC, copies, tmp_path / "b", now=0) for _ in range(3)]
    assert len(set(paths)) == 3 and all(backup.load(path).burned == OWN for path in paths)


def test_what_a_board_holds_never_steers_the_terminal():
    evil = {**OWN, record.PRODUCT_KEY: b"\x1b[2J\xff", record.DEVICE_NAME: b"a\nb\x07"}
    held = (burn.Copy("nvs", "issued", 9, evil, b""), burn.Copy("nvs", "burned", 8, evil, b""))
    found = contents.Contents(contents.GOOD, None, burn.Found(None, b"", "none", None, held, ()), {})
    assert found.who(MAC).isprintable()
    with pytest.raises(UserError) as caught:
        burn.decide(held, ELSEWHERE.fields(), MAC)
    assert str(caught.value).isprintable() and r"\x1b[2J" in str(caught.value)
