"""Bays bound to USB locations, and what the doctor says of ports, clocks and disks."""

import datetime
from dataclasses import dataclass

import pytest

from tools.errors import UserError
from tools.line.station import bays, checks
from tools.line.station.station_file import Bay


@dataclass
class Port:
    device: str
    location: str | None
    vid: int | None = 0x10C4
    pid: int | None = 0xEA60
    serial_number: str = "0001"  # cheap adapters all say the same


HUB = [
    Port("/dev/ttyUSB0", "1-1.4.2:1.0"),
    Port("/dev/ttyUSB1", "1-1.4.3:1.0"),
    Port("/dev/ttyS0", None, None, None),
]
RENUMBERED = [Port("/dev/ttyUSB7", "1-1.4.2:1.0"), Port("/dev/ttyUSB0", "1-1.4.3:1.0")]


def test_a_bay_stays_where_it_is_when_ports_renumber():
    bay = Bay("1", usb="1-1.4.2")
    assert bays.locate(bay, HUB) == "/dev/ttyUSB0"
    assert bays.locate(bay, RENUMBERED) == "/dev/ttyUSB7"
    assert bays.locate(bay, HUB[1:]) is None


def test_a_location_is_not_taken_for_one_that_begins_like_it():
    assert bays.locate(Bay("1", usb="1-1.4"), HUB) is None


def test_without_bays_every_usb_port_is_one():
    assert [(bay.name, bay.usb) for bay in bays.found(HUB)] == [
        ("1-1.4.2", "1-1.4.2"),
        ("1-1.4.3", "1-1.4.3"),
    ]


@pytest.mark.parametrize(
    "text, bay",
    [
        ("a=1-1.4.2", Bay("a", usb="1-1.4.2")),
        ("a=/dev/ttyUSB0", Bay("a", port="/dev/ttyUSB0")),
        ("a=rfc2217://h:1", Bay("a", port="rfc2217://h:1")),
        ("rfc2217://h:1?x=2", Bay("1", port="rfc2217://h:1?x=2")),
        ("1-2", Bay("1", usb="1-2")),
        ("a=COM3", Bay("a", port="COM3")),
    ],
)
def test_bays_are_named_on_the_command_line(text, bay):
    assert bays.parse([text]) == (bay,)


@pytest.mark.parametrize(
    "texts, message",
    [
        (["a=1-1", "a=1-2"], "two bays have the name a"),
        (["a=1-1", "b=1-1"], "two bays have the port 1-1"),
        (["a="], "is no bay"),
    ],
)
def test_bays_that_clash_are_refused(texts, message):
    with pytest.raises(UserError, match=message):
        bays.parse(texts)


def rows(findings):
    return [(finding.what, finding.good, finding.found, finding.advice) for finding in findings]


def test_the_doctor_names_bridge_driver_and_permission():
    found = rows(checks.ports(HUB, (), access=lambda device, _: device != "/dev/ttyUSB1"))
    assert found[0] == ("port", True, "/dev/ttyUSB0: CP210x at 1-1.4.2", "")
    assert found[1][1] is False and "usermod -aG dialout" in found[1][3]


def test_the_doctor_names_an_empty_bay():
    assert rows(checks.ports(HUB, [Bay("3", usb="1-9")], access=lambda *_: True))[-1][:3] == (
        "bay 3",
        None,
        "nothing at 1-9",
    )


NOW = datetime.datetime(2026, 11, 21, 7, 0, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    "now, database, good",
    [
        (NOW, None, True),
        (NOW, NOW + datetime.timedelta(seconds=29), True),
        (NOW, NOW - datetime.timedelta(seconds=31), False),
        (NOW.replace(year=2000), None, False),
    ],
)
def test_a_clock_that_is_off_is_red(now, database, good):
    assert [finding.good for finding in checks.clock(now, database)] == [good]


def test_a_disk_that_is_nearly_full_is_red(tmp_path):
    assert [f.good for f in checks.room(tmp_path / "no" / "such" / "folder" / "x", free=5 << 20)] == [False]
    assert [f.good for f in checks.room(tmp_path / "x", free=1 << 30)] == [True]
