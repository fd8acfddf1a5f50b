"""The verbs of `python -m tools ca`: what they print, what they refuse, in the words of golden/*.txt."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tools import certificates
from tools.ca import issue
from tools.ca.authority import Authority

GOLDEN = Path(__file__).parent / "golden"


def plain(text):
    """Output with what differs from run to run named: serials, dates, counts of days."""
    text = re.sub(r"(?<![0-9A-Za-z])[1-7][0-9A-F]{19}(?![0-9A-Za-z])", "<SERIAL>", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\d\b", "<DATE>", text)
    return re.sub(r"\b\d+ days left\b", "<N> days left", text)


def blocks(name):
    """[(command, expected output, status)] of a golden file: `$ command`, lines, `[status]` if not 0."""
    found = []
    for line in (GOLDEN / name).read_text().splitlines():
        if line.startswith("$ "):
            found.append([line[2:], "", 0])
        elif match := re.fullmatch(r"\[(\d+)\]", line):
            found[-1][2] = int(match[1])
        else:
            found[-1][1] += line + "\n"
    return found


FILES = {
    "short": b"too short\n",
    "wrong": b"not the passphrase\n",
    "garbage": b"garbage\n",
    "garbage.cer": b"garbage\n",
    "list.csv": b"ProductKey,DeviceName\na1X509ProdK,sensor-01\na1X509ProdK,sensor-02\n",
    "empty.csv": b"",
    "header.csv": b"ProductKey,DeviceName\n",
    "columns.csv": b"ProductKey,Name\na1X509ProdK,sensor-01\n",
    "names.csv": b"DeviceName\nsensor-01\n",
    "list.xlsx": b"PK\x03\x04\x14\x00\x06\x00",
    "quotes.csv": b'ProductKey,DeviceName\na1X509ProdK,"sensor-01\n',
    "bad.csv": b"ProductKey,DeviceName\na1X509ProdK,abc\na1X509ProdK,sensor-02\na1-x,sensor-03\n"
    b"a1X509ProdK,sensor-02\na1X509ProdK\n",
    "association.csv": b"ProductKey,DeviceName,CertSN\n"
    b"a1X509ProdK,taken-01,1.23E+19\na1X509ProdK,taken-01,1A2B\n",
}


@pytest.fixture
def desk(folder, tmp_path, ca, pool):
    """A folder with a CA that has issued to one device elsewhere, and every bad file."""
    issue.issue(ca, "a1X509ProdK", "taken-01", key=pool[0])
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)
    (folder / "ca.key").chmod(0o600)
    return tmp_path


@pytest.mark.parametrize(("command", "output", "status"), blocks("refused.txt"))
def test_refused(desk, verb, command, output, status):
    issued = len(Authority(desk / "ca").ledger.rows())
    done = verb(*shlex.split(command)[1:])
    shown = "\n".join(line for line in (done.out + done.err).splitlines() if not line.startswith("usage:"))
    if status == 2:  # the words of a usage error are argparse's and differ between versions of Python
        assert shown.splitlines()[-1].split(": error: ")[0] == output.strip().split(": error: ")[0]
    else:
        assert plain(shown + "\n") == output
        assert "error: " in output.splitlines()[-1] and len(done.err.split("error: ")) == 2
    assert done.status == status != 0
    assert "Traceback" not in shown
    assert len(Authority(desk / "ca").ledger.rows()) == issued
    assert not (desk / "new").exists()
    assert not list(desk.glob(".new*"))
    assert not (desk / "issued").exists() or not list((desk / "issued").glob("*a1*"))


@pytest.fixture
def openings(monkeypatch):
    """`ca init` with a cheap scrypt, so that the story does not take long."""
    from tools.ca import authority

    real = authority.create
    monkeypatch.setattr(
        authority, "create", lambda *arguments, **named: real(*arguments, **named, cost=2**10)
    )


def test_the_story_from_an_empty_folder_to_an_association_file(verb, openings, tmp_path):
    (tmp_path / "devices.csv").write_bytes("\ufeffDeviceName\r\nsensor:02\r\nsensor-03\r\n".encode())
    for command, output, status in blocks("story.txt"):
        done = verb(*shlex.split(command)[1:])
        assert plain(done.out + done.err) == output, command
        assert done.status == status, command


def test_json_of_every_verb(verb, folder, tmp_path):
    code = "c7cdfde6" * 8
    verified = json.loads(verb("verify", "ca", "--code", code, "--json").out)
    assert verified == {"path": "verify.cer", "code": code}
    issued = json.loads(verb("issue", "ca", "--product", "a1Prod", "--device", "dev-01", "--json").out)
    assert issued["already_here"] == issued["already_elsewhere"] == 0
    (one,) = issued["issued"]
    held = certificates.certificate(Path(one["files"][0]).read_bytes())
    assert format(held.serial, "X") == one["serial"] and held.end == one["not_after"]
    assert json.loads(verb("associate", "ca", "--json").out)[0]["rows"] == 1
    assert json.loads(verb("associate", "ca", "--json").out) == []
    listed = json.loads(verb("list", "ca", "--json").out)
    assert [(row["serial"], row["days_left"], row["associated"]) for row in listed["certificates"]] == [
        (one["serial"], 3649, True)
    ]
    assert listed["ca"]["serial"] == Authority(folder).serial
    checked = verb("check", *one["files"], "verify.cer", "--ca", "ca", "--json")
    assert [(report["kind"], report["good"]) for report in json.loads(checked.out)] == [
        ("device", True),
        ("key", True),
        ("verification", True),
    ]
    shutil.copy(one["files"][1], tmp_path / "a.cer")
    refused = verb("check", "a.cer", "--json")
    assert refused.status == 1
    assert json.loads(refused.out)[0]["good"] is False


def test_init_in_json(verb, openings):
    made = json.loads(verb("init", "new", "--name", "Factory_CA", "--json").out)
    assert made["serial"] == Authority("new").serial


def test_a_csr_gives_a_certificate_and_no_key(verb, openssl, folder, tmp_path):
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        tmp_path / "own",
        "-out",
        tmp_path / "csr",
        "-subj",
        "/",
    )
    done = verb("issue", "ca", "--product", "a1Prod", "--device", "dev-01", "--csr", "csr")
    assert done.status == 0
    assert [path.suffix for path in (tmp_path / "issued").glob("a1*")] == [".cer"]
    again = verb("issue", "ca", "--product", "a1Prod", "--device", "dev-02", "--csr", "csr")
    assert (again.status, again.err) == (
        1,
        "error: the key for a1Prod,dev-02 is already the key of a1Prod,dev-01; "
        "every device needs a key of its own\n",
    )
    assert not list((tmp_path / "issued").glob("*dev-02*"))


def test_list_within_days(verb, ca, pool):
    issue.issue(ca, "a1Prod", "short-01", key=pool[0], days=5)
    issue.issue(ca, "a1Prod", "long-001", key=pool[1])
    shown = verb("list", "ca", "--within", "30").out
    assert "short-01" in shown and "long-001" not in shown


def test_no_verb_prints_a_secret(verb, openings, tmp_path):
    output = ""
    for arguments in (
        ("init", "new", "--name", "Factory_CA"),
        ("issue", "new", "--product", "a1Prod", "--device", "dev-01"),
        ("issue", "new", "--product", "a1Prod", "--device", "dev-02", "--json"),
        ("check", *(f"issued/{name}" for name in ("x.key",))),
        ("list", "new", "--json"),
        ("verify", "new", "--code", "abc", "--passphrase-file", "missing"),
    ):
        done = verb(*arguments)
        output += done.out + done.err
    assert "passphrase for tests" not in output
    for path in (tmp_path / "issued").glob("a1*.key"):
        assert path.read_text().splitlines()[5] not in output
    assert "PRIVATE" not in output
