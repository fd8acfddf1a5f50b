"""The station file: whose it is, what it pins, and what a command line cannot say beside it."""

import argparse
import os
import stat

import pytest

from host_tests.line.conftest import BOM, LAMP_JOB, PRODUCT, WHO, signed
from host_tests.support import pairs
from tools import cli
from tools.errors import UserError
from tools.line import job_signature
from tools.line.ledger import seal
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger
from tools.line.station import station, station_file
from tools.line.verbs import arguments


@pytest.fixture
def pinned(folder, public, monkeypatch):
    place = folder / "etc"
    place.mkdir()
    text = (folder / "line.key.pub").read_text()
    (place / "station.toml").write_text(
        f'name = "hall-2"\njob_key = """{text}"""\n'
        'bays = [{name = "1", usb = "1-1.4"}, {name = "2", port = "rfc2217://h:1"}]\n'
    )
    monkeypatch.setattr(station_file, "ROOT", os.getuid())
    return place / "station.toml"


def test_the_pinned_key_is_the_one_that_counts(folder, pinned, public):
    found = station_file.find(place=str(pinned))
    assert (found.name, found.desk, job_signature.fingerprint(found.job_key)) == (
        "hall-2",
        False,
        job_signature.fingerprint(public),
    )
    assert [(bay.name, bay.usb, bay.port) for bay in found.bays] == [
        ("1", "1-1.4", None),
        ("2", None, "rfc2217://h:1"),
    ]


def test_no_other_station_file_can_be_named_on_a_station(folder, pinned):
    other = folder / "mine.toml"
    other.write_text('name = "desk"\n')
    with pytest.raises(UserError, match="another station file cannot be named"):
        station_file.find(str(other), str(pinned))


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_station_file_within_the_operator_s_reach_proves_nothing(pinned, mode):
    os.chmod(pinned, mode)
    with pytest.raises(UserError, match="can be changed by others than root"):
        station_file.find(place=str(pinned))


@pytest.mark.parametrize("what", ["station.toml", "."])
def test_a_station_file_that_is_not_root_s_is_refused_whoever_asks(pinned, monkeypatch, what):
    """Of the operator, or of a third user: whoever owns the file, or its folder, names the key of jobs."""
    stat_of = os.stat

    def owned(path, *args, **kwargs):
        found = list(stat_of(path, *args, **kwargs))
        found[stat.ST_UID] = (
            12345 if os.fspath(path) == os.path.normpath(pinned.parent / what) else found[stat.ST_UID]
        )
        return os.stat_result(found)

    monkeypatch.setattr("tools.line.station.station_file.os.stat", owned)
    with pytest.raises(UserError, match="can be changed by others than root"):
        station_file.find(place=str(pinned))


def test_a_station_file_that_cannot_be_read_is_refused_and_never_a_desk(pinned, monkeypatch):
    def closed(path, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tools.line.station.station_file.os.lstat", closed)
    with pytest.raises(UserError, match="station.toml cannot be read: Permission denied; chmod 755"):
        station_file.find(place=str(pinned))


def test_a_station_file_that_is_a_link_to_nothing_is_refused(pinned):
    pinned.unlink()
    pinned.symlink_to("gone.toml")
    with pytest.raises(UserError, match="station.toml cannot be read"):
        station_file.find(place=str(pinned))


SETTINGS = ("--ledger=mine.db", "--key-file=mine.key", "--bay=1=/dev/null")


@pytest.mark.parametrize("option", SETTINGS)
@pytest.mark.parametrize("named", [False, True], ids=["at its place", "named"])
@pytest.mark.parametrize("full", [False, True], ids=["left out", "said"])
def test_nothing_on_the_command_line_says_what_a_station_file_says_or_leaves_out(
    folder, pinned, monkeypatch, capsys, option, named, full
):
    if full:
        pinned.write_text(
            f'ledger = "{folder}/line.db"\nkey_file = "{folder}/line.hex"\n' + pinned.read_text()
        )
    monkeypatch.setattr(station_file, "PLACE", str(folder / "none" if named else pinned))
    more = ["--station-file", str(pinned)] if named else []
    assert cli.main(["line", "burn", signed(folder), option, *more]) == 1
    assert f"{option.partition('=')[0]} does not count on a station" in capsys.readouterr().err


def test_the_environment_says_nothing_of_what_a_station_file_leaves_out(folder, pinned, monkeypatch, capsys):
    (folder / "job.toml").write_text(LAMP_JOB.replace("ledger =", "# "))
    monkeypatch.setattr(station_file, "PLACE", str(pinned))
    monkeypatch.setenv("ALIOT_LEDGER", str(folder / "mine.db"))
    Ledger.create(str(folder / "mine.db"), plain=True).close()
    assert cli.main(["line", "status"]) == 1
    assert "station.toml names no ledger" in capsys.readouterr().err
    monkeypatch.setenv("ALIOT_LEDGER_KEY", "0" * 64)
    assert arguments.key(argparse.Namespace(key_file=None), station_file.find(place=str(pinned))) is None


def test_without_a_station_file_the_machine_is_a_desk(tmp_path):
    assert station_file.find(place=str(tmp_path / "none")).desk


@pytest.mark.parametrize(
    "text, message",
    [
        ("name = 1", "s.toml, line 1: name: must be a string$"),
        ("", "station file .*s.toml: name: is missing$"),
        ("name = ''", "s.toml, line 1: name: must not be empty$"),
        ("name = 'a'\nx = 1", "s.toml, line 2: x: is not known here; known are name, job_key"),
        ("name = 'a'\njob_key = 'x'", "no Ed25519"),
        ("name = 'a'\nbays = [{name = '1'}]", "a bay is"),
        ("name = 'a'\n\n[[bays]]\nname = '1'", "s.toml, line 3: bays: a bay is"),
        ("name = 'a'\nbays = [{name = 1, usb = '1'}]", "s.toml: bays.name: must be a string$"),
        ("name = 'a'\nbays = [1]", "s.toml: bays: must be a table$"),
        ("name = 'a'\nbays = [{name = '1', usb = '1', port = '2'}]", "a bay is"),
    ],
)
def test_a_wrong_station_file_is_one_line(tmp_path, text, message):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        station_file.read(str(tmp_path / "s.toml"))


@pytest.mark.parametrize(
    "mode, owner, good",
    [(0o640, 0, True), (0o644, 0, False), (0o660, 0, False), (0o640, 5, False), (0o600, 5, True)],
)
def test_root_s_key_may_be_read_by_one_group(tmp_path, monkeypatch, mode, owner, good):
    seal.make_key(str(tmp_path / "k"))
    os.chmod(tmp_path / "k", mode)
    monkeypatch.setattr(seal, "ROOT", os.getuid() if owner == 0 else os.getuid() + 1)
    if good:
        seal.read_key(str(tmp_path / "k"))
    else:
        with pytest.raises(UserError, match=f"chmod {'640' if owner == 0 else '600'} "):
            seal.read_key(str(tmp_path / "k"))


def test_line_burn_refuses_an_older_signed_job(folder, pinned, monkeypatch, capsys):
    """The attack re-run: the operator keeps last month's signed job and runs it again."""
    pinned.write_text(f'ledger = "{folder}/l.db"\n' + pinned.read_text())
    monkeypatch.setattr(station_file, "PLACE", str(pinned))
    monkeypatch.setattr(station.Station, "run", lambda self: 0)
    with Ledger.create(str(folder / "l.db"), plain=True) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
    (folder / "lab.der").write_bytes(pairs.cer(pairs.Encoding.DER))
    paths = []
    for number in (4, 5):
        (folder / "job.toml").write_text(
            f"number = {number}\n" + LAMP_JOB.replace("ledger =", "# ").replace("wifi = true", "")
        )
        paths.append(signed(folder, f"job{number}.toml"))
    assert [cli.main(["line", "burn", path]) for path in (paths[0], paths[1], paths[0])] == [0, 0, 1]
    assert "job lamp-2026-11 has number 4, and this station ran number 5 of it" in capsys.readouterr().err


def test_a_byte_order_mark_changes_no_station_file(tmp_path):
    (tmp_path / "station.toml").write_text(BOM + 'name = "hall-2"\n', encoding="utf-8")
    assert station_file.read(tmp_path / "station.toml").name == "hall-2"
