"""config.json on the host: what a board takes is taken, what it names is refused by the same table.

The rows are those of host_tests/firmware/device/test_settings.py.
"""

import json

import pytest

from host_tests.support.paths import VECTORS
from tools.errors import UserError
from tools.firmware import rules, settings
from tools.image import config

ROWS = json.loads((VECTORS / "settings.json").read_text(encoding="utf-8"))


def named(rows):
    return [pytest.param(row, id=row["name"]) for row in rows]


@pytest.mark.parametrize("row", named(ROWS["settings"]))
def test_a_setting_is_taken_or_refused_by_its_name(row):
    if "meant" in row:  # a board knows no more than that it is no setting
        with pytest.raises(UserError, match=f"did you mean {row['meant']}"):
            config.check(row["config"])
        return
    if not row["wrong"]:
        config.check(row["config"])
        return
    with pytest.raises(UserError) as caught:
        config.check(row["config"])
    line = str(caught.value)
    assert any(line.startswith(f"{name} ") for name in row["wrong"]) and "\n" not in line
    if len(row["wrong"]) == 1:
        name = row["wrong"][0]
        known = settings.RULES.get(name) or settings.ENDPOINT.get(name.removeprefix("endpoint."))
        assert line == (
            f"{name} has to be {rules.rule(*known)}"
            if known
            else f"{name} is not a setting; there are {', '.join(settings.ENDPOINT)}"
        )


@pytest.mark.parametrize("row", named(ROWS["files"]))
def test_a_file_is_read_or_said_to_be_none(row, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(row["bytes"].encode("latin-1").ljust(row["pad"]))
    if "config" in row:
        assert config.read(path) == row["config"]
        return
    with pytest.raises(UserError) as caught:
        config.read(path)
    assert str(caught.value).startswith(f"{path} {row['fault']}")


def test_every_rule_has_rows_that_keep_and_that_break_it():
    kept = {name for row in ROWS["settings"] for name in row["config"] if name not in row["wrong"]}
    broken = {name for row in ROWS["settings"] for name in row["wrong"]}
    assert set(settings.RULES) <= kept and set(settings.RULES) <= broken
    inner = {f"endpoint.{name}" for name in settings.ENDPOINT}
    assert inner <= broken
    places = [row["config"].get("endpoint") for row in ROWS["settings"] if not row["wrong"]]
    assert set(settings.ENDPOINT) <= {name for place in places if place for name in place}


@pytest.mark.parametrize(
    "name",
    [
        "device_secret",
        "product_secret",
        "id2_key",
        "private_key",
        "sub_products",
        "deviceSecret",
        "productSecret",
    ],
)
def test_an_identity_is_no_setting(name):
    with pytest.raises(UserError, match=f"'{name}' does not belong into settings"):
        config.check({name: "x"})


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        config.read(tmp_path / "config.json")
    with pytest.raises(UserError, match="cannot read"):
        config.read(tmp_path)


def test_the_public_instance_has_no_id_in_settings_either():
    with pytest.raises(UserError, match="endpoint.instance 'public' is not an instance id .*: leave it out"):
        config.check({"endpoint": {"instance": "public"}})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SSID", "ssid"),
        ("Ssid", "ssid"),
        ("ssdi", None),
        ("pass", "password"),
        ("Password", "password"),
        ("psk", "password"),
        ("passwort", "password"),
        ("wifi_password", "password"),
        ("wifi_ssid", "ssid"),
        ("keep_alive", "keepalive"),
        ("KeepAlive", "keepalive"),
        ("watch-dog", "watchdog"),
        ("region", "endpoint.region"),
        ("instance", "endpoint.instance"),
        ("timezone", None),
        ("pump", None),
        ("host", None),
        ("names", None),
        ("interval", None),
        ("sensor", None),
    ],
)
def test_a_near_miss_is_told_and_what_an_application_has_of_its_own_is_taken(name, meant):
    if meant is None:
        config.check({name: "x"})
        assert config.foreign({name: "x", "ssid": "a"}) == [name]
        return
    with pytest.raises(UserError) as caught:
        config.check({name: "12345678"})
    assert str(caught.value) == f"{name}: did you mean {meant}?"


def test_a_near_miss_in_the_endpoint_is_told():
    with pytest.raises(UserError, match=r"^endpoint.Region: did you mean endpoint.region\?$"):
        config.check({"endpoint": {"Region": "cn-shanghai"}})


def test_what_a_board_will_miss_is_said():
    assert "CONFIG=config.json brings them" in next(config.missing(None))
    assert list(config.missing({"every": 5})) == [
        "the board will have no Wi-Fi: its config.json names no ssid"
    ]
    assert not list(config.missing({"ssid": "a"})) and not list(config.missing({"ssid_hex": "61"}))
