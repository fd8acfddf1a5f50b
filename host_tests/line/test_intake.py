"""The console's CSV in every spelling, and what is refused with its line."""

import csv
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.line.conftest import PRODUCT, WHO, secret
from tools.ca import device_list
from tools.errors import UserError
from tools.line import device_names
from tools.line.intake import tables
from tools.line.ledger.ledger import Ledger

THOUSAND = [(PRODUCT, f"dev{n:05d}", secret(n)) for n in range(1000)]
COLUMNS = ("product_key", "device_name", "device_secret")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/ledger.db", plain=True) as made:
        yield made


def sheet(header, rows, encoding="utf-8", newline="\n", delimiter=",", order=(0, 1, 2), before=""):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=newline, delimiter=delimiter)
    writer.writerow([header[i] for i in order])
    writer.writerows([row[i] for i in order] for row in rows)
    return (before + text.getvalue()).encode(encoding)


def spellings():
    """Every spelling of every column once, beside the first spelling of the others."""
    first = [tables.HEADERS[column][0] for column in COLUMNS]
    for place, column in enumerate(COLUMNS):
        for spelling in tables.HEADERS[column]:
            yield [spelling if i == place else first[i] for i in range(3)]
    yield ["PRODUCTKEY", "devicename", "Device-Secret"]
    yield ['"ProductKey"', " DeviceName ", "device secret"]
    yield ["ＰｒｏｄｕｃｔＫｅｙ", "设备名称", "设备密钥"]


@pytest.mark.parametrize("header", list(spellings()), ids=lambda header: "|".join(header))
def test_a_thousand_rows_under_every_spelling_of_a_header(header):
    read = tables.read(sheet(header, THOUSAND))
    assert [(row.product_key, row.device_name, row.fields["device_secret"]) for row in read.rows] == THOUSAND
    assert read.bad == []


FORMS = {
    "BOM": {"encoding": "utf-8-sig"},
    "CRLF": {"newline": "\r\n"},
    "BOM and CRLF": {"encoding": "utf-8-sig", "newline": "\r\n"},
    "GBK": {"encoding": "gbk"},
    "UTF-16": {"encoding": "utf-16"},
    "tabs": {"delimiter": "\t"},
    "semicolons": {"delimiter": ";"},
    "empty lines first": {"before": "\n,,\n"},
    "bars": {"delimiter": "|"},
    "sep=": {"delimiter": ";", "newline": "\r\n", "before": "sep=;\r\n"},
    "sep= and BOM": {"delimiter": "\t", "encoding": "utf-8-sig", "before": '"sep=\t"\n'},
    "a title": {"before": "List of devices; as of today\n\n"},
    "titles and semicolons": {"delimiter": ";", "before": "Devices, all of them, of 2026\nDeviceName list\n"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_a_thousand_rows_in_every_form_and_column_order(form, order):
    header = (
        ["产品Key", "设备名称", "设备密钥"]
        if form in ("GBK", "BOM")
        else ["ProductKey", "DeviceName", "DeviceSecret"]
    )
    read = tables.read(sheet(header, THOUSAND, order=order, **FORMS[form]))
    assert [(row.product_key, row.device_name, row.fields["device_secret"]) for row in read.rows] == THOUSAND


@pytest.mark.parametrize("form", FORMS)
def test_the_ca_reads_every_form_too(tmp_path, form):
    data = sheet(
        ["ProductKey", "设备名称", "备注"] if form == "GBK" else ["ProductKey", "DeviceName", "DeviceSecret"],
        THOUSAND[:3],
        order=(2, 1, 0),
        **FORMS[form],
    )
    (tmp_path / "list.csv").write_bytes(data)
    assert device_list.read(tmp_path / "list.csv") == ([row[:2] for row in THOUSAND[:3]], [])


@pytest.mark.parametrize("form", FORMS)
def test_products_of_sub_devices_are_read_in_every_form(form):
    data = sheet(
        ["ProductKey", "x", "ProductSecret"], [("a1SubProdu1", "", "Xh2sKw0Lq7PzT3vN")], **FORMS[form]
    )
    assert tables.sub_products(data) == (("a1SubProdu1", "Xh2sKw0Lq7PzT3vN"),)


def test_a_western_spreadsheet_s_remarks_are_no_matter():
    text = f"ProductKey;Bemerkung;DeviceName;DeviceSecret\n{PRODUCT};für;dev00001;{secret(1)}\n"
    assert tables.read(text.encode("cp1252")).rows[0].device_name == "dev00001"


def case(name):
    return Path(__file__).with_name(name).read_bytes()


MANGLED = {
    "1-Mar": "looks like a date that a spreadsheet made; it may have been 03-01 or 01-03 or MAR1",
    "7-Sep": "may have been 09-07 or 07-09 or SEP7",
    "01.Mrz": "may have been 03-01 or 01-03 or MRZ1",
    "Mar-01": "may have been MAR01 or MAR-2001",
    "3月1日": "may have been 03-01",
    "2026/3/1": "may have been 03-01",
    "2026-03-01": "may have been 03-01",
    "1.2E+46": "looks like a number that a spreadsheet made; it may have been 12E45",
    "1.23457E+11": "a number of 12 digits that begins with 123457",
    "17": "looks like a number without its zeros that a spreadsheet made; it may have been 00000017",
    "1234567": "may have been 01234567",
    "123456789012345000": "looks like a number whose digits after the 15th a spreadsheet made zeros",
    "#NAME?": "what a spreadsheet writes for a formula",
}


@pytest.mark.parametrize("name", MANGLED)
def test_a_name_that_a_spreadsheet_mangled_is_told_with_its_row_and_what_it_was(name, tmp_path):
    rows = [(PRODUCT, "00000100" if len(name) < 9 else "lamp-0001", secret(1)), (PRODUCT, name, secret(2))]
    data = sheet(["ProductKey", "DeviceName", "DeviceSecret"], rows)
    read = tables.read(data)
    ((line, message),) = read.warned + read.bad
    assert line == 3 and f"DeviceName {name} " in message and MANGLED[name] in message
    assert bool(read.warned) == bool(names_are_good(name))
    (tmp_path / "list.csv").write_bytes(data)
    warned = []
    _, faults = device_list.read(tmp_path / "list.csv", warn=warned.append)
    (reported,) = warned + faults
    assert "line 3: " in reported and MANGLED[name] in reported


def names_are_good(name):
    try:
        device_names.check(name)
    except UserError:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["lamp-0001", "240ac4000001", "1-Marble", "march-01", "12E45", "E1234567", "may-2"]
)
def test_a_name_of_a_person_s_own_choice_is_not_warned_of(name):
    read = tables.read(sheet(["ProductKey", "DeviceName", "DeviceSecret"], [(PRODUCT, name, secret(1))]))
    assert (read.warned, read.bad, len(read.rows)) == ([], [], 1)


def test_dates_are_taken_in_with_a_warning(ledger):
    taken = tables.take_csv(ledger, case("excel_date_names.csv"), WHO)
    assert taken.new == 2 and [line for line, _ in taken.warned] == [2, 3]


def test_a_declared_delimiter_is_no_row():
    assert [(row.line, row.device_name) for row in tables.read(case("excel_sep_line.csv")).rows] == [
        (3, "lamp-0006")
    ]


def test_what_nobody_sees_is_shown():
    ((line, message),) = tables.read(case("zero_width_space.csv")).bad
    assert (
        line == 2 and "'lamp-0021<U+200B>' holds the invisible character U+200B (zero width space)" in message
    )


def test_a_cell_that_is_guarded_from_spreadsheets_is_its_text():
    data = sheet(["ProductKey", "DeviceName", "DeviceSecret"], [(PRODUCT, '="00012345"', secret(1))])
    assert tables.read(data).rows[0].device_name == "00012345"


def test_other_columns_are_passed_over():
    text = (
        "备注名称,DeviceName,IotId,DeviceSecret,ProductKey,状态\nLampe,dev00001,x,"
        + secret(1)
        + f",{PRODUCT},未激活\n"
    )
    assert tables.read(text.encode()).rows[0].device_name == "dev00001"


def test_a_file_that_names_no_product_takes_it_from_the_command_line():
    text = f"DeviceName,DeviceSecret\ndev00001,{secret(1)}\n".encode()
    with pytest.raises(UserError, match="line 1: the header names no ProductKey"):
        tables.read(text)
    assert tables.read(text, PRODUCT).rows[0].product_key == PRODUCT


BAD = {
    f"{PRODUCT},de,{secret(1)}": "DeviceName 'de' is not 4 to 32 letters",
    f"{PRODUCT},dev 00001,{secret(1)}": "DeviceName 'dev 00001' is not",
    f"{PRODUCT},,{secret(1)}": "has no DeviceName",
    f",dev00001,{secret(1)}": "has no ProductKey",
    f"a1-b2,dev00001,{secret(1)}": "ProductKey 'a1-b2' is not",
    f"{PRODUCT},dev00001,": "has no DeviceSecret",
    f"{PRODUCT},dev00001,1.23E+31": "turned into a number by a spreadsheet",
    f"{PRODUCT},dev00001,********************************": "masked with stars",
    f"{PRODUCT},dev00001,short": "is not 6 to 64 printable characters",
    f"{PRODUCT},dev00001": "has 2 cells",
    f"{PRODUCT},good0001,{secret(9)}": "is the same device as line 2",
    f"{PRODUCT},good0001,{secret(8)}": "was in line 2 with another DeviceSecret",
}


@pytest.mark.parametrize("row", BAD, ids=BAD.values())
def test_a_bad_row_is_told_with_its_line_and_stops_everything(ledger, row):
    good = f"ProductKey,DeviceName,DeviceSecret\n{PRODUCT},good0001,{secret(9)}\n\n"
    data = (good + row + "\n").encode()
    with pytest.raises(UserError) as refused:
        tables.take_csv(ledger, data, WHO)
    line, message = refused.value.rows[0]
    assert (
        (line, len(refused.value.rows)) == (4, 1)
        and BAD[row] in message
        and f"line 4: {message}" in str(refused.value)
    )
    assert secret(8) not in str(refused.value) and ledger.counts() == {}
    taken = tables.take_csv(ledger, data, WHO, skip_bad=True)
    assert (taken.new, [line for line, _ in taken.bad]) == (1, [4])


def test_every_bad_row_is_told_not_only_the_first(ledger):
    lines = [f"{PRODUCT},x,{secret(n)}" for n in range(30)]
    with pytest.raises(tables.BadRows) as refused:
        tables.take_csv(ledger, "\n".join(["ProductKey,DeviceName,DeviceSecret", *lines]).encode(), WHO)
    assert [line for line, _ in refused.value.rows] == list(range(2, 32))
    assert "and 10 more" in str(refused.value)


def test_taking_the_same_file_twice_changes_nothing(ledger):
    data = sheet(["ProductKey", "DeviceName", "DeviceSecret"], THOUSAND)
    assert tables.take_csv(ledger, data, WHO).new == 1000
    before = ledger.history()
    again = tables.take_csv(ledger, data, WHO)
    assert (again.new, again.known, ledger.history()) == (0, 1000, before)


def test_a_row_against_the_ledger_is_a_bad_row(ledger):
    tables.take_csv(ledger, sheet(["ProductKey", "DeviceName", "DeviceSecret"], THOUSAND[:2]), WHO)
    other = [THOUSAND[0], (PRODUCT, "dev00001", secret(777)), THOUSAND[2]]
    data = sheet(["ProductKey", "DeviceName", "DeviceSecret"], other)
    with pytest.raises(UserError, match="line 3: DeviceName dev00001 is in the ledger with another secret"):
        tables.take_csv(ledger, data, WHO)
    assert ledger.counts()[PRODUCT]["free"] == 2
    assert tables.take_csv(ledger, data, WHO, skip_bad=True).new == 1


NO_SHEETS = {
    b"": "the file is empty",
    b"\n\n": "the file is empty",
    b"\xef\xbb\xbf": "the file is empty",
    b"ProductKey,DeviceName,DeviceSecret\n": "there is no device in it",
    b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00": "no CSV text",
    b"a,b,c\n1,2,3\n": "the header names no DeviceName",
    b"DeviceName,DeviceName,DeviceSecret,ProductKey\n": "two columns are a DeviceName",
    b'ProductKey,DeviceName,DeviceSecret\n"a1"x,b\n': "it is no CSV from here on",
}


@pytest.mark.parametrize("data", NO_SHEETS, ids=NO_SHEETS.values())
def test_what_is_no_list_of_devices_is_one_line(data):
    with pytest.raises(UserError, match=NO_SHEETS[data]):
        tables.read(data)


@given(st.binary(max_size=400))
def test_no_bytes_make_a_traceback(data):
    try:
        tables.read(b"ProductKey,DeviceName,DeviceSecret\n" + data)
    except UserError:
        pass


@pytest.mark.parametrize("seed", range(5))
def test_whatever_cells_a_row_has_it_is_good_or_told(seed):
    rng = random.Random(seed)
    rows = [
        [
            rng.choice(["", "dev00001", "坏", "a" * 40, '"', "a1B2c3D4e5F", secret(3)])
            for _ in range(rng.randint(0, 5))
        ]
        for _ in range(200)
    ]
    read = tables.read(sheet_of(rows))
    lines = {row.line for row in read.rows} | {line for line, _ in read.bad}
    assert len(lines) == sum(any(cell.strip() for cell in row) for row in rows)


def sheet_of(rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ProductKey", "DeviceName", "DeviceSecret"])
    writer.writerows(rows)
    return text.getvalue().encode()
