"""Every sub-verb's output, held against host_tests/line/goldens: each a script of commands with what they
print.

A line that begins with `$ ` is a command (`ALIOT_GOLDEN=write` writes the
outputs anew); `< text` after it is its standard input. What differs from run
to run (folders, times, keys, digests) is replaced by a word.
"""

import io
import os
import re
import shlex
from pathlib import Path

import pytest

from host_tests.line.conftest import IDS, PRODUCT, X509, board, pair, secret
from host_tests.line.test_kinds_at_the_station import TOKEN
from host_tests.support import pairs
from tools import cli
from tools.line import identities
from tools.line.ledger.entries import Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Key
from tools.line.station import station_file

FOLDER = Path(__file__).parent / "goldens"
WRITE = os.environ.get("ALIOT_GOLDEN") == "write"
WHO = Who("hall-2", "lin")
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.txt"))
REPLACED = [
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d\.\d{3})?Z"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "TIME"),
    (re.compile(r"\bmade \d{4}-\d\d-\d\d"), "made DATE"),
    (re.compile(r"\b[0-9a-f]{16,64}\b"), "DIGEST"),
    (re.compile(r"(?<=key )[0-9a-f]{8}\b"), "KEYID"),
    (re.compile(r"\b\d+ MB free at \S+"), "ROOM"),
    (re.compile(r"(?<=was )[0-9a-f]{8}\b"), "KEYID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \(in \d+ days\)"), "DATE (in SOME days)"),
    (re.compile(r"(?<=it ended on )\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\bBURN ([0-9a-f:]{17}) [0-9a-f]{8}"), r"BURN \1 WORD"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a CSV, a job and its files, in which commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(station_file, "PLACE", str(tmp_path / "etc" / "station.toml"))
    monkeypatch.setattr("tools.line.station.bays.plugged", lambda: [])
    monkeypatch.setattr("socket.gethostname", lambda: "desk-7.example")
    for name in list(os.environ):
        if name.startswith("ALIOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ALIOT_OPERATOR", "lin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    (tmp_path / "devices.csv").write_text(
        "ProductKey,DeviceName,DeviceSecret\n"
        + "".join(f"{PRODUCT},dev0000{n},{secret(n)}\n" for n in range(4))
    )
    (tmp_path / "bad.csv").write_text(
        f"设备名称,设备密钥,产品Key\nx,{secret(1)},{PRODUCT}\ndev00009,{secret(9)},{PRODUCT}\n"
    )
    (tmp_path / "macs.txt").write_text("24:0a:c4:00:00:01\n24:0a:c4:00:00:02\n")
    (tmp_path / "station.toml").write_text('name = "hall-2"\n')
    (tmp_path / "micropython.bin").write_bytes(b"firmware")
    (tmp_path / "job.toml").write_text(
        f'name = "lamp"\nproduct_key = "{PRODUCT}"\nboard = "ESP32_GENERIC"\nfirmware = "micropython.bin"\n'
        '[endpoint]\nregion = "cn-shanghai"\n'
    )
    for number in range(2):
        (tmp_path / "issued").mkdir(exist_ok=True)
        pair(tmp_path / "issued", number)
    (tmp_path / "bad").mkdir()
    pair(tmp_path / "bad", 3, start=-9, days=3)
    pair(tmp_path / "bad", 4, private=pairs.key(9))
    pair(tmp_path / "bad", 5, public=pairs.elliptic().public_key())
    (tmp_path / "ids.csv").write_text(
        "ProductKey,DeviceName,ID,Key,KeyType\n" + "".join(",".join(row) + "\n" for row in IDS)
    )
    (tmp_path / "subs.csv").write_text(
        "ProductKey,ProductSecret\na1SubProdu1,\na1SubProdu2,Xh2sKw0Lq7PzT3vN\n"
    )
    (tmp_path / "x509.toml").write_text(
        f'name = "x"\nproduct_key = "{X509}"\nboard = "ESP32_GENERIC"\n[endpoint]\nauth = "https"\n'
    )
    (tmp_path / "flash.key").write_bytes(bytes(range(32)))
    return tmp_path


def burned(folder):
    """Two boards done, one failed: what a station would have left in the ledger."""
    with Ledger.open(
        f"sqlite:///{folder}/ledger.db", Key(bytes.fromhex((folder / "ledger.key").read_text().strip()))
    ) as ledger:
        for number in (1, 2, 3):
            identity = ledger.begin_write(ledger.reserve(board(number), PRODUCT, WHO), WHO)
            identity = ledger.move(ledger.move(identity, "write", WHO, firmware="f" * 64), "verify", WHO)
            ledger.move(
                identity,
                "finish" if number < 3 else "fail",
                WHO,
                note=None if number < 3 else "no state line",
            )


def run(command, given, capsys, monkeypatch, folder):
    """What one command prints, its exit status with it when it is not 0."""
    if command == "(a station burned three boards)":
        burned(folder)
        return ""
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    try:
        status = cli.main(
            ["line", *shlex.split(command)[1:]] if command.startswith("line ") else shlex.split(command)
        )
    except SystemExit as error:
        status = error.code
    out = capsys.readouterr()
    text = out.out + out.err
    for value, word in [(str(folder), "FOLDER")]:
        text = text.replace(value, word)
    for pattern, word in REPLACED:
        text = pattern.sub(word, text)
    return text + (f"[exit {status}]\n" if status else "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_output_is_as_written_down(name, place, capsys, monkeypatch):
    wanted = (FOLDER / name).read_text()
    steps = re.findall(r"^\$ (.*)\n((?:< .*\n)*)", wanted, flags=re.M)
    text = wanted[: wanted.index("$ ")]
    word = ""
    for command, given in steps:
        stdin = "".join(line[2:] + "\n" for line in given.splitlines()).replace("WORD", word)
        text += f"$ {command}\n{given}" + run(command, stdin, capsys, monkeypatch, place)
        plan = place / "plan.json"
        if plan.exists():
            from tools.line import security

            word = security.load(plan).word.rpartition(" ")[2]
    if WRITE:
        (FOLDER / name).write_text(text)
        wanted = text
    assert text == wanted
    assert not any(secret(n) in text for n in range(10))
    key = pairs.key_bytes(encoding=pairs.Encoding.DER)
    hidden = [row[3] for row in IDS] + [
        TOKEN,
        "Xh2sKw0Lq7PzT3vN",
        identities.of_pair(b"", key)["private_key"][-8:],
    ]
    assert not any(word in text.replace(TOKEN + "\n", "\n") for word in hidden)


def test_there_is_a_golden_for_every_sub_verb():
    from tools.line.verbs.line import SUBVERBS

    text = "".join((FOLDER / name).read_text() for name in SCRIPTS)
    for name in SUBVERBS.keys() - {"demo"}:  # test_demo.py
        assert re.search(rf"^\$ line {name}\b(?! --help)", text, re.M), f"no golden for line {name}"
