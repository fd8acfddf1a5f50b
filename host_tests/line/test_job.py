"""Jobs: signed, pinned, and refused in one line when anything about them was changed."""

import os
import stat

import pytest

from host_tests.line.conftest import PRODUCT
from tools.errors import UserError
from tools.line import job, station_file

JOB = f"""
name = "lamp-2026-11"
product_key = "{PRODUCT}"
board = "ESP32_GENERIC"
firmware = "micropython.bin"
files = "app"
roots = ["lab.der"]
ledger = "postgresql+psycopg://line:OpenSesame99@ledger.example/line"

[endpoint]
region = "cn-shanghai"
instance = "iot-06z00abc"

[self_test]
until = "connected"
seconds = 45
wifi = true
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    (tmp_path / "micropython.bin").write_bytes(b"firmware" * 100)
    (tmp_path / "lab.der").write_bytes(b"root")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('hello')\n")
    job.keygen(str(tmp_path / "line.key"))
    return tmp_path


@pytest.fixture
def public(folder):
    return job.private_key(str(folder / "line.key")).public_key()


def signed(folder, name="job.signed.toml"):
    data = job.sign(str(folder / "job.toml"), job.private_key(str(folder / "line.key")))
    (folder / name).write_bytes(data)
    return str(folder / name)


def test_a_signed_job_says_what_was_signed(folder, public):
    found = job.load(signed(folder), public)
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
    assert found.signer == job.fingerprint(public)


def test_every_changed_byte_of_a_signed_job_is_refused(folder, public):
    path = signed(folder)
    good = open(path, "rb").read()
    for place in range(0, len(good) - 1, 7):
        with open(path, "wb") as file:
            file.write(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(UserError):
            job.load(path, public)
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
            job.load(path, public)


def test_what_does_not_go_onto_boards_is_not_signed(folder, public):
    app = folder / "app"
    for name in (".git/HEAD", "tests/test_a.py", "__pycache__/main.pyc", ".env", "table.csv"):
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text("x = 1\n")
    (app / ".aliotignore").write_text("/tests\n")
    path = signed(folder)
    assert {name for name in job.load(path, public).pinned if name.startswith("file")} == {"file main.py", "file table.csv"}
    found = job.load(path, public)
    brought = job.with_tree(job._with(found, roots=()))
    assert {name for name, source in brought.sources.items() if source == "FILES"} == {"/main.py", "/table.csv"}
    assert not [name for name in brought.tree if "test" in name or "git" in name or "env" in name]
    (app / ".aliotignore").write_text("/table.csv\n/tests\n")
    with pytest.raises(UserError, match="file table.csv of job lamp-2026-11 was signed and does not go onto boards"):
        job.load(path, public)


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
        job.load(path, public)


def test_another_key_and_no_key_are_refused(folder, public):
    job.keygen(str(folder / "other.key"))
    other = job.private_key(str(folder / "other.key")).public_key()
    path = signed(folder)
    with pytest.raises(UserError, match="this station believes only " + job.fingerprint(other)):
        job.load(path, other)
    with pytest.raises(UserError, match="job.toml is not signed"):
        job.load(str(folder / "job.toml"), public)


WRONG = {
    "colour = 'red'": "colour is no setting of a job",
    "name = 7": "name has the wrong kind",
    "[[": "job.toml: ",
    "board = 'X'\n[self_test]\nuntil = 'luck'": "until is one of boot, connected",
    "board = 'X'\n[self_test]\nseconds = -1": "seconds is between",
    "roots = [1]\nboard='X'": "roots is a list",
    "board = 'X'\n[endpoint]\nregion = 'Shang Hai'": "region 'Shang Hai' is not",
    "board = 'X'\n[endpoint]\nauth = 'http'": "auth is not one of mqtt, https",
    "board = 'X'\n[endpoint]\nbootstrap = 'near'": "bootstrap is not one of none, region, global",
    "board = 'X'\n[endpoint]\nbootstrap = 1": "endpoint.bootstrap has the wrong kind of value",
    "board = 'X'\n[endpoint]\nauth = 'https'\nmethod = 'regnwl'": "method regnwl issues none",
    "name = 'x'": "board is missing",
    "board = 'X'\nfirmware = 'none.bin'": "none.bin cannot be read",
    "board = 'X'\n[pinned]\nfirmware = 'aa'": "written by 'line job sign'",
}


@pytest.mark.parametrize("text", WRONG, ids=WRONG.values())
def test_a_wrong_job_is_not_signed(folder, text):
    before = "" if text.startswith(("[[", "name")) else "name = 'x'\n"
    (folder / "job.toml").write_text(f"{before}product_key = '{PRODUCT}'\n{text}\n")
    with pytest.raises(UserError, match=WRONG[text]):
        job.sign(str(folder / "job.toml"), job.private_key(str(folder / "line.key")))


def test_the_private_key_is_private_and_may_have_a_passphrase(folder, tmp_path):
    assert stat.S_IMODE(os.stat(folder / "line.key").st_mode) == 0o600
    os.chmod(folder / "line.key", 0o644)
    with pytest.raises(UserError, match="chmod 600"):
        job.private_key(str(folder / "line.key"))
    job.keygen(str(tmp_path / "shut.key"), "OpenSesame99")
    with pytest.raises(UserError, match="needs its passphrase"):
        job.private_key(str(tmp_path / "shut.key"))
    with pytest.raises(UserError, match="does not open"):
        job.private_key(str(tmp_path / "shut.key"), "wrong")
    job.private_key(str(tmp_path / "shut.key"), "OpenSesame99")
    with pytest.raises(UserError, match="never overwritten"):
        job.keygen(str(tmp_path / "shut.key"))


def test_showing_a_job_shows_no_password(folder, public):
    shown = repr(job.shown(job.load(signed(folder), public)))
    assert "OpenSesame99" not in shown and "ledger.example" in shown
    assert "OpenSesame99" not in repr(job.load(signed(folder), public))


# -- the station file ----------------------------------------------------------------------------------


@pytest.fixture
def pinned(folder, public):
    place = folder / "etc"
    place.mkdir()
    text = (folder / "line.key.pub").read_text()
    (place / "station.toml").write_text(
        f'name = "hall-2"\njob_key = """{text}"""\n'
        'bays = [{name = "1", usb = "1-1.4"}, {name = "2", port = "rfc2217://h:1"}]\n'
    )
    return place / "station.toml"


def test_the_pinned_key_is_the_one_that_counts(folder, pinned, public):
    found = station_file.find(place=str(pinned), uid=0)
    assert (found.name, found.desk, job.fingerprint(found.job_key)) == (
        "hall-2",
        False,
        job.fingerprint(public),
    )
    assert [(bay.name, bay.usb, bay.port) for bay in found.bays] == [
        ("1", "1-1.4", None),
        ("2", None, "rfc2217://h:1"),
    ]


def test_no_other_station_file_can_be_named_on_a_station(folder, pinned):
    other = folder / "mine.toml"
    other.write_text('name = "desk"\n')
    with pytest.raises(UserError, match="another station file cannot be named"):
        station_file.find(str(other), str(pinned), uid=0)


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_station_file_within_the_operator_s_reach_proves_nothing(pinned, mode):
    os.chmod(pinned, mode)
    with pytest.raises(UserError, match="can be changed by the operator"):
        station_file.find(place=str(pinned), uid=0)


def test_a_station_file_that_the_operator_owns_proves_nothing(pinned):
    with pytest.raises(UserError, match="can be changed by the operator"):
        station_file.find(
            place=str(pinned), uid=os.stat(pinned).st_uid or 12345
        ) if os.getuid() else _as_owner(pinned)


def _as_owner(path):
    os.chown(path, 12345, 12345)
    station_file.find(place=str(path), uid=12345)


def test_without_a_station_file_the_machine_is_a_desk(tmp_path):
    assert station_file.find(place=str(tmp_path / "none")).desk


@pytest.mark.parametrize(
    "text, words",
    [
        ("name = 1", "wrong kind"),
        ("", "name is missing"),
        ("x = 1", "no setting"),
        ("name = 'a'\njob_key = 'x'", "no Ed25519"),
        ("name = 'a'\nbays = [{name = '1'}]", "a bay is"),
        ("name = 'a'\nbays = [{name = '1', usb = '1', port = '2'}]", "a bay is"),
    ],
)
def test_a_wrong_station_file_is_one_line(tmp_path, text, words):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UserError, match=words):
        station_file.read(str(tmp_path / "s.toml"))
