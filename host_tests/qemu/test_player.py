"""Scenarios on the emulated board behind a fake QEMU, against the emulated cloud: rows as a chip would give them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from host_tests.support.fake_qemu import SSID
from tools import cli
from tools.errors import UserError
from tools.flash.verbs import image as build
from tools.qemu import network, player, scenarios
from tools.qemu.machine import MachineError
from tools.qemu.player import Player, Settings


@pytest.fixture
def played(qemu, tmp_path, monkeypatch):
    """`played(patience)`: a `Player`; its images have no MicroPython in them, since none of it would run."""
    monkeypatch.setattr(build, "with_firmware", lambda image, *_: image)
    monkeypatch.setattr(player, "OUTAGE_SECONDS", 0)

    def make(patience=60.0, ssid=SSID):
        reports = []
        made = Player(
            Settings(qemu, ssid=ssid, patience=patience),
            SimpleNamespace(ports={}),
            tmp_path / "played",
            reports.append,
        )
        made.reports = reports
        return made

    return make


def test_a_board_boots_twice(played):
    first, second = played().play("https", 1, 0)
    assert [row.moment for row in (first, second)] == ["first boot", "second boot"]
    for row in (first, second):
        assert row.verdict == "ok, 1 of 1" and not row.refusals
        assert 0 < row.seconds[0] < 60
        assert 20_000 < row.worst("gc", max) < 56_000
        assert row.worst("c_least", min) <= row.worst("c_free", min)


def test_a_board_finds_back_after_kicks_and_an_outage(played, monkeypatch):
    plain = next(one for one in scenarios.SCENARIOS if one.name == "application")
    monkeypatch.setattr(
        scenarios,
        "SCENARIOS",
        (replace(plain, held=0, kicks=1, moments=(scenarios.FIRST, scenarios.KICK, scenarios.OUTAGE)),),
    )
    first, kick, outage = played().play("application", 1, 0)
    assert first.verdict == "ok, 1 of 1"
    assert kick.verdict == "ok, 1 of 1" and sum(kick.refusals.values()) == 1
    assert outage.verdict == "ok, 1 of 1" and outage.seconds
    assert outage.worst("gc", max)


def test_power_cuts_are_spread_over_the_first_boot(played):
    made = played()
    (row,) = made.play(scenarios.CUTS, 1, 2)
    assert row.verdict == "ok, 2 of 2", made.reports
    moments = [float(text.split(" after ")[1].split(" s")[0]) for text in made.reports]
    assert moments == sorted(moments)


def test_a_board_that_does_not_come_online_is_named_with_what_it_said_last(played):
    first, second = played(patience=1.0, ssid="another").play("unique", 1, 0)
    for row in (first, second):
        assert not row.passed and row.seconds is None
        assert row.verdict == "failed, 0 of 1"
        assert row.reason.startswith("not online: not within 1 s; the last line: ")


def test_an_access_point_is_found_by_a_scan(played, tmp_path, monkeypatch):
    made = played(ssid="")
    for lines, name, message in (
        (["network 61 3", "network 66616b65 0", "network 62 0", "scanned"], "fake", None),
        (["network 61 3", "scanned"], None, r"not open \(a\): say --ssid and --password"),
        (
            ["rst:0x1", "scanned"],
            None,
            "finds no access point in this QEMU; the console's last line: scanned",
        ),
    ):
        (tmp_path / "script").write_text("\n".join(lines) + "\n")
        monkeypatch.setenv("ALIOT_FAKE_QEMU", str(tmp_path / "script"))
        if message:
            with pytest.raises(UserError, match=message):
                made.find_network()
        else:
            made.find_network()
            assert made.settings.ssid == name


@pytest.fixture
def chip(qemu, played, monkeypatch, capsys):
    """`chip(*words)`: (status, output, error output) of the verb, in this machine's own network."""
    monkeypatch.setattr(network, "enter", lambda: "127.0.0.1")
    monkeypatch.setattr(network, "doors", list)
    monkeypatch.setattr(network, "NAMES", 0)

    def run(*arguments):
        status = cli.main(["chip", "--qemu", str(qemu), "--ssid", SSID, *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def test_the_verb_prints_one_table_or_json(chip, tmp_path):
    status, out, err = chip("--only", "unique", "--json", "--keep", str(tmp_path / "kept"))
    rows = json.loads(out)["rows"]
    assert status == 0 and json.loads(out)["ok"] and [row["verdict"] for row in rows] == ["ok, 1 of 1"] * 2
    assert err.startswith("unique, first boot: online after ")
    assert list((tmp_path / "kept").glob("unique-*/board/console.log"))

    status, out, _ = chip("--only", "unique", "--patience", "1", "--ssid", "another")
    assert status == 1 and "failed, 0 of 1" in out and "no chip: times are this machine's" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--qemu", "missing"], "there is no 'missing'"),
        (["--firmware", "missing.bin"], "cannot read missing.bin"),
        (["--only", "nothing"], "--only nothing is no scenario; there are unique, https"),
        (["--keep", "."], "--keep . holds the state of another run: name a folder that is new or empty"),
    ],
)
def test_the_verb_refuses_in_one_line(chip, arguments, message):
    status, out, err = chip(*arguments)
    assert status == 1 and not out and err.startswith(f"error: {message}") and err.count("\n") == 1


def test_a_gateway_is_online_when_all_its_subdevices_are(monkeypatch):
    gateway = next(one for one in scenarios.SCENARIOS if one.name == "gateway-3")
    asked = []

    def admin(*_):
        asked.append("online" if asked else "offline")
        others = [("a1Another00", "probe-3", "online"), (*gateway.device, "online")]
        mine = [(gateway.asked[0], name, "online") for name in gateway.subdevices[:-1]]
        return [
            dict(zip(("product_key", "device_name", "status"), row))
            for row in (*others, *mine, (*gateway.asked, asked[-1]))
        ]

    monkeypatch.setattr(player, "LOOK_SECONDS", 0)
    made = SimpleNamespace(settings=Settings("qemu", patience=0.0))
    trial = player.Trial(made, gateway, SimpleNamespace(admin=admin), None)
    with pytest.raises(MachineError, match="^2 of 3 sub-devices within 0 s$"):
        trial._wait_for_subdevices()
    trial._wait_for_subdevices()
    assert gateway.asked == (gateway.asked[0], "probe-3")
    assert gateway.files["/subdevices.txt"].decode().splitlines() == [
        f"{gateway.asked[0]} probe-{n}" for n in (1, 2, 3)
    ]
