"""DeviceNames by rule, and lists of MACs."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_10

from host_tests.line.conftest import PRODUCT, WHO
from tools.errors import UserError
from tools.line import device_names
from tools.line.intake import name_lists, tables
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/ledger.db", plain=True) as made:
        yield made


def case(name):
    return Path(__file__).with_name(name).read_bytes()


@pytest.mark.parametrize("rule", device_names.MAC_RULES)
def test_mac_rules_are_those_of_the_firmware(rule):
    """The firmware itself makes the same name from the same MAC."""
    from aliot import identities

    from tools.firmware import record  # puts firmware/ on the path

    fields = {
        record.KIND: b"product",
        record.PRODUCT_KEY: PRODUCT.encode(),
        record.PRODUCT_SECRET: b"s" * 16,
        record.NAME_RULE: rule.encode(),
        record.METHOD: b"https",
    }
    made = identities.burned(fields, 1, bytes.fromhex("240ac40000ab"), None)
    assert device_names.of_mac(rule, "24:0a:c4:00:00:ab") == made.device_name


@given(st.integers(0, 10**8 - 1))
def test_a_serial_s_check_digit_finds_every_mistyped_digit(number):
    name = device_names.serial("LAMP-", number, 8)
    assert mod_11_10.validate(name[5:])
    device_names.check_serial("LAMP-", name)
    for place in range(5, len(name)):
        wrong = name[:place] + str((int(name[place]) + 1) % 10) + name[place + 1 :]
        with pytest.raises(UserError, match="check digit is wrong"):
            device_names.check_serial("LAMP-", wrong)


def test_pieces_hold_what_the_console_takes_and_every_name_once(tmp_path):
    wanted = [device_names.serial("S", n, 8) for n in range(25_001)]
    paths = name_lists.write_pieces(wanted, tmp_path, "names")
    sizes, found = [], []
    for path in paths:
        with open(path, newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["DeviceName"]
        sizes.append(len(rows) - 1)
        found += [row[0] for row in rows[1:]]
    assert sizes == [10_000, 10_000, 5_001] and found == wanted
    with pytest.raises(UserError, match="is there already"):
        name_lists.write_pieces(wanted, tmp_path, "names")


def test_a_list_of_macs_tells_bad_and_double_ones():
    assert name_lists.macs(b"MAC\r\n24:0a:c4:00:00:01\r\n# spare\r\n240AC4000002,x\r\n") == [
        "240ac4000001",
        "240ac4000002",
    ]
    with pytest.raises(tables.BadRows) as refused:
        name_lists.macs(b"24:0a:c4:00:00:01\nnonsense\n240ac4000001\n01:00:5e:00:00:01\n")
    assert [line for line, _ in refused.value.rows] == [2, 3, 4]


MACS = {
    "second column": (case("macs_second_column.csv"), ["240ac4000011"]),
    "semicolons": (b"Nr;MAC;Date\r\n1;24:0a:c4:00:00:11;2026\r\n", ["240ac4000011"]),
    "no header": (b"1\t240AC4000011\n2\t240AC4000012\n", ["240ac4000011", "240ac4000012"]),
    "Chinese, a title": ("设备清单\n序号,MAC地址\n1,24-0a-c4-00-00-11\n".encode("gbk"), ["240ac4000011"]),
    "sep=": (b"sep=;\r\nno;WiFi MAC\r\n1;240AC4000011\r\n", ["240ac4000011"]),
    "BOM": (b"\xef\xbb\xbf24:0a:c4:00:00:11\n", ["240ac4000011"]),
}


@pytest.mark.parametrize("form", MACS)
def test_macs_are_found_in_any_column(form):
    data, found = MACS[form]
    assert name_lists.macs(data) == found


@pytest.mark.parametrize(
    "data, message",
    [
        (b"MAC\n2.4E+11\n", "line 2: '2.4E\\+11' looks like a number that a spreadsheet made"),
        (b"MAC\n1122334455\n", "line 2: '1122334455' looks like a number without its zeros .* 001122334455"),
        (b"MAC\n24:0a:c4:00:00:1\n", "line 2: '24:0a:c4:00:00:1' is not a MAC"),
        ("MAC\n\u200e24:0a:c4:00:00:11\n".encode(), "line 2: '<U.200E>24:0a"),
        (b"MAC,BaseMAC\n24:0a:c4:00:00:11,24:0a:c4:00:00:12\n", "line 1: two columns are MACs"),
        (b"MAC\n", "there is no MAC in it"),
        (b"", "there is no MAC in it"),
    ],
)
def test_what_is_no_mac_is_told(data, message):
    with pytest.raises(UserError, match=message):
        name_lists.macs(data)


def test_names_taken_in_become_the_list_of_a_product(ledger):
    product = Product("p9B2c3D4e5F", "product", "serial")
    made = [device_names.serial("S", n, 4) for n in range(3)]
    assert name_lists.take_names(ledger, product, made, WHO).new == 3
    assert name_lists.take_names(ledger, product, made, WHO).known == 3
    assert ledger.reserve("240ac4000001", "p9B2c3D4e5F", WHO).device_name == made[0]


def test_files_are_read_with_one_line_of_complaint(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        tables.load(tmp_path / "none.csv")
    os.mkdir(tmp_path / "folder.csv")
    with pytest.raises(UserError, match="cannot be read"):
        tables.load(tmp_path / "folder.csv")
