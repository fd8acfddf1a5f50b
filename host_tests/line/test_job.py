"""Jobs: signed, pinned, and refused in one line when anything about them was changed."""

import datetime
import hashlib
import json
import os
import stat
import threading
from dataclasses import replace

import pytest

from host_tests.line.conftest import BOM, LAMP_JOB, PRODUCT, WHO, board, signed
from host_tests.support import filed_board, flashing, pairs
from host_tests.support.packages import signing_key
from tools import cli
from tools.emulator.chip.thread import Bench
from tools.errors import UserError
from tools.image import updates
from tools.line import job, job_contents, job_signature
from tools.line.ledger import connection
from tools.line.ledger.entries import Who
from tools.line.ledger.ledger import Ledger
from tools.line.station import checks, station_file, worker
from tools.line.station.port_wire import PortWire
from tools.line.verbs import burn


def test_a_signed_job_says_what_was_signed(folder, public):
    found = job_signature.load(signed(folder), public)
    assert (found.name, found.product_key, found.board, found.until, found.seconds, found.wifi) == (
        "lamp-2026-11",
        PRODUCT,
        "ESP32_GENERIC",
        "connected",
        45.0,
        True,
    )
    assert found.endpoint == {"region": "cn-shanghai", "instance": "iot-06z00abc"}
    assert found.firmware == str(folder / "micropython.bin") and len(found.firmware_hash) == 64
    assert set(found.pinned) == {"firmware", "root lab.der", "file main.py"}
    assert found.signer == job_signature.fingerprint(public)


def test_every_changed_byte_of_a_signed_job_is_refused(folder, public):
    path = signed(folder)
    good = open(path, "rb").read()
    for place in range(0, len(good) - 1, 7):
        with open(path, "wb") as file:
            file.write(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(UserError):
            job_signature.load(path, public)
    for cut in (
        good[:-40],
        good[: len(good) // 2],
        b"",
        good.replace(b"connected", b"boot"),
        good + b"\nboard = 'X'\n",
    ):
        with open(path, "wb") as file:
            file.write(cut)
        with pytest.raises(UserError):
            job_signature.load(path, public)


def test_what_does_not_go_onto_boards_is_not_signed(folder, public):
    app = folder / "app"
    for name in (".git/HEAD", "tests/test_a.py", "__pycache__/main.pyc", ".env", "table.csv"):
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text("x = 1\n")
    (app / ".aliotignore").write_text("/tests\n")
    path = signed(folder)
    assert {name for name in job_signature.load(path, public).pinned if name.startswith("file")} == {
        "file main.py",
        "file table.csv",
    }
    found = job_signature.load(path, public)
    rootless = {name: data for name, data in found.held.items() if name != "root lab.der"}
    brought = job_contents.with_tree(replace(found, held=rootless))
    assert {name for name, source in brought.sources.items() if source == "FILES"} == {
        "/main.py",
        "/table.csv",
    }
    assert not [name for name in brought.tree if "test" in name or "git" in name or "env" in name]
    (app / ".aliotignore").write_text("/table.csv\n/tests\n")
    with pytest.raises(
        UserError, match="file table.csv of job lamp-2026-11 was signed and does not go onto boards"
    ):
        job_signature.load(path, public)


def test_a_model_is_signed_as_it_is_exported_and_goes_onto_boards_as_a_table(folder, public):
    text = '{"schema": "", "properties": [{"identifier": "On", "accessMode": "r", "dataType": {"type": "bool"}}]}'
    (folder / "app" / "model.json").write_text(text)
    found = job_signature.load(signed(folder), public)
    assert found.held["file model.json"] == text.encode()
    rootless = {name: data for name, data in found.held.items() if name != "root lab.der"}
    assert job_contents.with_tree(replace(found, held=rootless)).tree["/model.json"].startswith(b"TSL2")


CHANGES = {
    "firmware": lambda folder: (folder / "micropython.bin").write_bytes(b"another"),
    "root lab.der": lambda folder: (folder / "lab.der").write_bytes(b"another"),
    "file main.py": lambda folder: (folder / "app" / "main.py").write_text("another"),
    "file extra.py": lambda folder: (folder / "app" / "extra.py").write_text("one more"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_file_under_the_same_name_is_refused(folder, public, name):
    path = signed(folder)
    CHANGES[name](folder)
    with pytest.raises(UserError, match=f"{name} of job lamp-2026-11 is not the file that was signed"):
        job_signature.load(path, public)


@pytest.mark.parametrize("moment", ["after it was verified", "after it was compiled"])
def test_what_was_verified_is_what_goes_onto_a_board(folder, public, tmp_path, moment):
    """The attack: the operator exchanges every file of a signed job while the station waits for a board."""
    (folder / "lab.der").write_bytes(pairs.cer(pairs.Encoding.DER))
    (folder / "micropython.bin").write_bytes(flashing.stock_bin(mark=b"S"))
    (folder / "app" / "data").mkdir()
    (folder / "app" / "data" / "line.txt").write_text("signed")
    path = signed(folder)
    wanted = job_signature.load(path, public)
    clean = job_contents.with_tree(wanted)
    if moment == "after it was compiled":
        wanted = clean
    (folder / "micropython.bin").write_bytes(flashing.stock_bin(mark=b"X"))
    (folder / "app" / "main.py").write_text("print('exchanged')")
    (folder / "app" / "data" / "line.txt").write_text("exchanged")
    (folder / "lab.der").write_bytes(pairs.cer(pairs.Encoding.DER, serial=7))
    wanted = job_contents.with_tree(wanted)
    assert wanted.tree == clean.tree and b"exchanged" not in b"".join(wanted.tree.values())
    assert wanted.tree["/main.py"] == b"print('hello')\n"
    with Bench(tmp_path / "flash.bin", size=4 << 20, boot_blank=True) as board:
        wire = PortWire(board.url, wanted, folder=str(tmp_path / "state"))
        wire.identify()
        wire.held()
        assert wire.flash(wanted, lambda step, part: None)["written"]
        wire.close()
    flash = (tmp_path / "flash.bin").read_bytes()
    assert b"S" * 1000 in flash and b"X" * 1000 not in flash and b"exchanged" not in flash
    assert wanted.firmware_hash == hashlib.sha256(flashing.stock_bin(mark=b"S")).hexdigest()


def test_the_hash_of_the_record_is_measured(folder, public):
    """Not copied from the job: an unsigned job's pins, or a wrong one, never reach the ledger."""
    found = job_signature.load(signed(folder), public)
    assert (
        replace(found, pinned={"firmware": "0" * 64}).firmware_hash
        == hashlib.sha256(b"firmware" * 100).hexdigest()
    )


def test_another_key_and_no_key_are_refused(folder, public):
    job_signature.keygen(str(folder / "other.key"))
    other = job_signature.private_key(str(folder / "other.key")).public_key()
    path = signed(folder)
    with pytest.raises(UserError, match="this station believes only " + job_signature.fingerprint(other)):
        job_signature.load(path, other)
    with pytest.raises(UserError, match="job.toml is not signed"):
        job_signature.load(str(folder / "job.toml"), public)


WRONG = {
    "colour = 'red'": "job.toml, line 3: colour: is not known here; known are name, product_key",
    "name = 7": "job.toml, line 2: name: must be a string",
    "[[": "job.toml is not valid TOML: ",
    "board = 'X'\n[self_test]\nuntil = 'luck'": "line 5: self_test.until: 'luck' is not one of 'boot', 'connected'",
    "board = 'X'\n[self_test]\nseconds = -1": "job.toml, line 5: self_test.seconds: must be above 0 and at most 3600",
    "roots = [1]\nboard='X'": "job.toml, line 3: roots: must be a list of strings",
    "board = 'X'\n[endpoint]\nregion = 'Shang Hai'": "region 'Shang Hai' is not",
    "board = 'X'\n[endpoint]\nauth = 'http'": "auth is not one of mqtt, https",
    "board = 'X'\n[endpoint]\nbootstrap = 'near'": "bootstrap is not one of none, region, global",
    "board = 'X'\n[endpoint]\nbootstrap = 1": "job.toml, line 5: endpoint.bootstrap: must be a string",
    "board = 'X'\n[endpoint]\nauth = 'https'\nmethod = 'regnwl'": "method regnwl issues none",
    "name = 'x'": "job.toml: board: is missing",
    "board = 'X'\n[label]\ncolour = 1": "job.toml, line 5: label.colour: is not known here; known are format",
    "board = 'X'\nnot_after = '2026-12-31'": "job.toml, line 4: not_after: must be a date",
    "board = 'X'\nfirmware = 'none.bin'": "none.bin cannot be read",
    "board = 'X'\n[pinned]\nfirmware = 'aa'": "job.toml, line 4: pinned: is written by 'line job sign'",
}


@pytest.mark.parametrize("text", WRONG, ids=WRONG.values())
def test_a_wrong_job_is_not_signed(folder, text):
    before = "" if text.startswith(("[[", "name")) else "name = 'x'\n"
    (folder / "job.toml").write_text(f"{before}product_key = '{PRODUCT}'\n{text}\n")
    with pytest.raises(UserError, match=WRONG[text]):
        job_signature.sign(str(folder / "job.toml"), job_signature.private_key(str(folder / "line.key")))


def test_the_private_key_is_private_and_may_have_a_passphrase(folder, tmp_path):
    assert stat.S_IMODE(os.stat(folder / "line.key").st_mode) == 0o600
    os.chmod(folder / "line.key", 0o644)
    with pytest.raises(UserError, match="chmod 600"):
        job_signature.private_key(str(folder / "line.key"))
    job_signature.keygen(str(tmp_path / "shut.key"), "OpenSesame99")
    with pytest.raises(UserError, match="needs its passphrase"):
        job_signature.private_key(str(tmp_path / "shut.key"))
    with pytest.raises(UserError, match="does not open"):
        job_signature.private_key(str(tmp_path / "shut.key"), "wrong")
    job_signature.private_key(str(tmp_path / "shut.key"), "OpenSesame99")
    with pytest.raises(UserError, match="never overwritten"):
        job_signature.keygen(str(tmp_path / "shut.key"))


def test_showing_a_job_shows_no_password(folder, public):
    shown = repr(job.shown(job_signature.load(signed(folder), public)))
    assert "OpenSesame99" not in shown and "ledger.example" in shown
    assert "OpenSesame99" not in repr(job_signature.load(signed(folder), public))


def mode_of(path):
    return f"{stat.S_IMODE(os.stat(path).st_mode):o}"


def test_a_signed_job_can_be_read_by_the_operator_s_account(folder, capsys):
    (folder / "job.toml").write_text(LAMP_JOB.replace(":OpenSesame99", ""))
    sign = ["line", "job", "sign", str(folder / "job.toml"), "--key", str(folder / "line.key")]
    assert cli.main(sign) == 0 and mode_of(folder / "job.signed.toml") == "644"
    (folder / "job.toml").write_text(LAMP_JOB)
    assert cli.main(sign) == 0 and mode_of(folder / "job.signed.toml") == "640", (
        "it holds the ledger's password"
    )


def test_the_doctor_says_what_an_operator_s_account_cannot_read_with_the_cure(folder, monkeypatch):
    at = station_file.Station("hall-2", key_file=str(folder / "line.key"))
    (folder / "job.toml").chmod(0o600)
    monkeypatch.setattr("tools.line.station.checks.os.access", lambda *_: False)
    found = [(one.what, one.good, one.advice) for one in checks.modes(at, str(folder / "job.toml"))]
    assert found == [
        (
            "key",
            False,
            f"chgrp GROUP {folder}/line.key (the operators' group) and chmod 640 {folder}/line.key",
        ),
        ("job", False, f"chmod 644 {folder}/job.toml"),
    ]
    monkeypatch.undo()
    (folder / "job.toml").chmod(0o644)
    (folder / "line.key").chmod(0o640)
    assert not list(checks.modes(at, str(folder / "job.toml")))


def test_a_signed_job_at_a_desk_is_signed_and_not_checked(folder):
    found = job_signature.load_unsigned(signed(folder))
    name = job_signature.fingerprint(job_signature.private_key(str(folder / "line.key")).public_key())
    assert job.shown(found)["signed by"] == f"key {name}, not checked: no key is pinned here"
    assert f"signed by key {name}, not checked" in burn.title(found, station_file.Station("desk"))
    assert "signed with key" in list(checks.firmware(found))[-1].found
    assert "(UNSIGNED JOB)" in burn.title(
        job_signature.load_unsigned(str(folder / "job.toml")), station_file.Station("desk")
    )


@pytest.mark.parametrize(
    "last, moment, over",
    [
        ("2026-12-31", "2026-12-31T23:59:00+00:00", False),
        ("2026-12-31", "2027-01-01T00:00:00+00:00", True),
        ("2026-12-31T12:00:00+08:00", "2026-12-31T04:00:01+00:00", True),
        ("2026-12-31T12:00:00", "2026-12-31T12:00:00+00:00", False),
    ],
)
def test_a_job_ends_when_it_says(folder, public, last, moment, over):
    (folder / "job.toml").write_text(f"not_after = {last}\n" + LAMP_JOB)
    found = job_signature.load(signed(folder), public)
    now = datetime.datetime.fromisoformat(moment)
    if over:
        with pytest.raises(UserError, match="job lamp-2026-11 is over since 2026-12-31"):
            found.check_time(now)
    else:
        found.check_time(now)


def test_a_job_that_ends_while_a_station_runs_is_given_to_no_further_board(folder, tmp_path):
    """The bay says it in one line, and the board is not touched."""
    ended = job.Job(
        "lamp", PRODUCT, "ESP32_GENERIC", not_after=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    )
    url = connection.parse_url(str(tmp_path / "l.db"))
    Ledger.create(url, plain=True).close()
    path = filed_board.create(tmp_path / "board.json", board(1))
    settings = worker.Settings(
        ended, url, None, WHO, wire="host_tests.support.filed_board:FiledWire", once=True
    )
    bay = worker.Worker(
        station_file.Bay("1", port=path), settings, lambda event, **facts: None, threading.Event()
    )
    with pytest.raises(UserError, match="job lamp is over since 2026-01-01"):
        bay.run()
    assert filed_board.burns(path) == []


def test_a_station_refuses_a_job_older_than_the_last_it_ran_of_that_name(tmp_path):
    with Ledger.create(str(tmp_path / "l.db"), plain=True) as ledger:

        def start(number, name="lamp", who=WHO, checked=True):
            ledger.start_job(job.Job(name, PRODUCT, "ESP32_GENERIC", number=number, checked=checked), who)

        start(99, checked=False)  # at a desk, anyone's number
        for number in (None, 3, 3, 7):
            start(number)
        for number in (6, None):
            with pytest.raises(UserError, match="this station ran number 7 of it"):
                start(number)
        start(1, "lamp-b")
        start(6, who=Who("another", "lin"))
        assert [event["action"] for event in ledger.history()] == ["job"] * 7


def with_config(folder, text, more=""):
    (folder / "lab.der").write_bytes(pairs.cer(pairs.Encoding.DER))
    (folder / "site.json").write_text(text, encoding="utf-8")
    (folder / "job.toml").write_text('config = "site.json"\n' + LAMP_JOB)
    return str(folder / "job.toml")


def test_a_job_brings_the_settings_of_the_place_where_boards_will_live(folder, public):
    with_config(folder, '{"ssid": "café \N{SLEEPING SYMBOL}", "password": "12345678"}')
    found = job_contents.with_tree(job_signature.load(signed(folder), public))
    assert "config" in found.pinned
    assert json.loads(found.tree["/config.json"])["ssid"] == "café \N{SLEEPING SYMBOL}"
    assert b"\\u" not in found.tree["/config.json"]
    (folder / "site.json").write_text("{}")
    with pytest.raises(UserError, match="config of job lamp-2026-11 is not the file that was signed"):
        job_signature.load(str(folder / "job.signed.toml"), public)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[]", "^site.json is not a JSON object"),
        ('{"keepalive": "x"}', "^site.json: keepalive"),
        ('{"device_secret": "x"}', "^site.json: 'device_secret' does not belong"),
    ],
)
def test_wrong_settings_are_refused_before_a_board_is_there(folder, text, message):
    with pytest.raises(UserError, match=message):
        job_contents.with_tree(job_signature.load_unsigned(with_config(folder, text)))


def test_a_job_brings_the_keys_for_updates_and_pins_them(folder, public):
    for name in ("factory", "platform"):
        signing_key(folder / name)
    keys = 'ota_keys = ["factory/ota.pub"]\nplatform_key = "platform/ota.pub"\n'
    (folder / "lab.der").write_bytes(pairs.cer(pairs.Encoding.DER))
    (folder / "job.toml").write_text(keys + LAMP_JOB)
    found = job_contents.with_tree(job_signature.load(signed(folder), public))
    wanted = updates.key_files([folder / "factory" / "ota.pub"], folder / "platform" / "ota.pub")
    assert len(wanted) == 2 and wanted.items() <= found.tree.items()
    assert {"key ota.pub", "platform key"} < set(found.pinned)
    assert job.shown(found)["keys for updates"] == [f"ota.pub {found.pinned['key ota.pub'][:16]}"]
    (folder / "factory" / "ota.pub").write_text("no key")
    with pytest.raises(UserError, match="key ota.pub of job lamp-2026-11 is not the file that was signed"):
        job_signature.load(str(folder / "job.signed.toml"), public)
    with pytest.raises(UserError, match="^ota.pub is no public key"):
        job_contents.with_tree(job_signature.load_unsigned(str(folder / "job.toml")))


def test_two_sets_of_settings_are_refused(folder):
    path = with_config(folder, "{}")
    (folder / "app" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="leave one of them away"):
        job_contents.with_tree(job_signature.load_unsigned(path))


def test_a_byte_order_mark_of_an_editor_changes_no_job(folder, public):
    (folder / "job.toml").write_text(BOM + LAMP_JOB, encoding="utf-8")
    assert job_signature.load_unsigned(str(folder / "job.toml")).name == "lamp-2026-11"
    assert job_signature.load(signed(folder), public).name == "lamp-2026-11"


def test_two_roots_of_one_file_name_are_both_pinned(folder, public):
    (folder / "other").mkdir()
    (folder / "other" / "lab.der").write_bytes(b"another root")
    (folder / "job.toml").write_text(LAMP_JOB.replace('["lab.der"]', '["lab.der", "other/lab.der"]'))
    path = signed(folder)
    assert {"root lab.der", "root lab.der (2)"} < set(job_signature.load(path, public).pinned)
    (folder / "lab.der").write_bytes(b"exchanged")
    with pytest.raises(UserError, match="root lab.der of job lamp-2026-11 is not the file that was signed"):
        job_signature.load(path, public)
