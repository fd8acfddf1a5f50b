"""The association file: cut, written, remembered (x509.md 1 and 3.2)."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.ca import association, check, device_list, rules
from tools.ca.ledger import Signed
from tools.errors import UserError


def enter(ca, product_key, count, now=1_800_000_000):
    """Enter `count` devices as issued without making certificates; returns their rows."""
    named = [(product_key, f"dev-{number:05}") for number in range(count)]
    drawn = ca.ledger.reserve("device", named, now)
    ca.ledger.finish(
        [Signed(serial, now, now + 1, f"f{serial}", f"p{serial}", "host", b"") for serial in drawn], now
    )
    return [(*device, serial) for device, serial in zip(named, drawn, strict=True)]


def read_all(written):
    rows = []
    for path, count in written:
        lines = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
        assert tuple(lines[0]) == association.HEADER
        assert len(lines) - 1 == count <= association.MOST
        rows += [tuple(line) for line in lines[1:]]
    return rows


def test_published_header_and_line(vectors):
    product_key, device_name, serial = vectors["csv"]["line_example"].split(",")
    (piece,) = association.cut([(product_key, device_name, serial)])
    header, line, rest = association.render(piece).decode().split("\r\n")
    assert header == vectors["csv"]["header"]
    assert line == vectors["csv"]["line_example"]
    assert rest == ""
    assert vectors["csv"]["max_records"] == association.MOST


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1]),
        (9_999, [9_999]),
        (10_000, [10_000]),
        (10_001, [10_000, 1]),
        (25_000, [10_000, 10_000, 5_000]),
    ],
)
def test_rows_are_cut_at_ten_thousand(count, sizes):
    rows = [("a1", f"dev{number}", "1A") for number in range(count)]
    pieces = association.cut(rows)
    assert [len(piece.rows) for piece in pieces] == sizes
    assert [piece.number for piece in pieces] == list(range(1, len(sizes) + 1))
    assert [row for piece in pieces for row in piece.rows] == rows


@given(
    st.lists(st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.text("ab"), st.text("12")), max_size=60),
    st.integers(1, 7),
)
def test_a_piece_is_of_one_product_and_no_row_is_lost(rows, most):
    pieces = association.cut(rows, {"p2": 5}, most)
    assert sorted(row for piece in pieces for row in piece.rows) == sorted(rows)
    assert all(row[0] == piece.product_key for piece in pieces for row in piece.rows)
    assert all(1 <= len(piece.rows) <= most for piece in pieces)
    assert len({(piece.product_key, piece.number) for piece in pieces}) == len(pieces)
    assert min((piece.number for piece in pieces if piece.product_key == "p2"), default=5) == 5


def test_25000_and_10001_devices_of_two_products_from_the_ledger(ca, tmp_path):
    rows = enter(ca, "a1First", 25_000) + enter(ca, "a1Second", 10_001)
    written = association.write(ca, tmp_path / "out")
    assert [count for _, count in written] == [10_000, 10_000, 5_000, 10_000, 1]
    assert read_all(written) == rows
    checker = check.Checker(1_800_000_000, ledger=None)
    assert all(checker.check(path).good for path, _ in written)


def test_only_what_is_new_is_written_and_numbers_go_on(ca, tmp_path):
    first = enter(ca, "a1First", 5)
    assert read_all(association.write(ca, tmp_path, most=2)) == first
    assert association.write(ca, tmp_path) == []
    now = 1_900_000_000
    (serial,) = ca.ledger.reserve("device", [("a1First", "late-one")], now)
    ca.ledger.finish([Signed(serial, now, now, "f", "p", "host", b"")], now)
    ((path, count),) = association.write(ca, tmp_path)
    assert (path.name, count) == (f"association_a1First_{ca.serial}_004.csv", 1)
    everything = association.write(ca, tmp_path / "again", everything=True)
    assert read_all(everything) == [*first, ("a1First", "late-one", serial)]


def test_a_renewed_device_stands_once_with_its_newest_serial(ca, tmp_path):
    enter(ca, "a1First", 2)
    (serial,) = ca.ledger.reserve("device", [("a1First", "dev-00001")], 1_900_000_000, renew=True)
    ca.ledger.finish([Signed(serial, 0, 1, "f", "p", "host", b"")], 1_900_000_000)
    rows = read_all(association.write(ca, tmp_path))
    assert [row[1] for row in rows] == ["dev-00000", "dev-00001"]
    assert rows[1][2] == serial


def test_a_killed_run_writes_the_same_file_again(ca, tmp_path, monkeypatch):
    rows = enter(ca, "a1First", 3)
    monkeypatch.setattr(ca.ledger, "associated", lambda files: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        association.write(ca, tmp_path)
    monkeypatch.undo()
    written = association.write(ca, tmp_path)
    assert [path.name for path, _ in written] == [f"association_a1First_{ca.serial}_001.csv"]
    assert read_all(written) == rows


def test_nothing_issued_is_said(ca, tmp_path):
    with pytest.raises(UserError, match="issued nothing for product a1None"):
        association.write(ca, tmp_path, "a1None")


ROWS = {
    "header missing": ("a1,dev-1,1A\n", "first line is not"),
    "header in another case": ("productkey,DeviceName,CertSN\na1,dev-1,1A\n", "exactly"),
    "empty": ("", "empty"),
    "no rows": ("ProductKey,DeviceName,CertSN\n", "no rows"),
    "two products": ("ProductKey,DeviceName,CertSN\na1,dev-1,1A\nb2,dev-2,1B\n", "a file is of one"),
    "device twice": ("ProductKey,DeviceName,CertSN\na1,dev-1,1A\na1,dev-1,1B\n", "stands in line 2"),
    "serial twice in two spellings": (
        "ProductKey,DeviceName,CertSN\na1,dev-1,1A\na1,dev-2,0x1a\n",
        "stands in line 2",
    ),
    "serial not hex": ("ProductKey,DeviceName,CertSN\na1,dev-1,XY\n", "not hexadecimal"),
    "serial zero": ("ProductKey,DeviceName,CertSN\na1,dev-1,0\n", "zero"),
    "serial rounded": ("ProductKey,DeviceName,CertSN\na1,dev-1,1.2E+19\n", "spreadsheet"),
    "a column short": ("ProductKey,DeviceName,CertSN\na1,dev-1\n", "2 columns"),
    "a column long": ("ProductKey,DeviceName,CertSN\na1,dev-1,1A,secret\n", "4 columns"),
    "device name": ("ProductKey,DeviceName,CertSN\na1,d,1A\n", "4 to 32"),
    "too many": (
        "ProductKey,DeviceName,CertSN\n" + "".join(f"a1,dev-{n},1A{n:04X}\n" for n in range(10_001)),
        "10000",
    ),
    "not text": ("ProductKey,DeviceName,CertSN\na1,d\xe9v-1,1A\n", "UTF-8"),
    "zero byte": ("ProductKey,DeviceName,CertSN\na1,dev\0-1,1A\n", "zero bytes"),
    "broken quotes": ('ProductKey,DeviceName,CertSN\na1,"dev-1,1A\n', "not CSV"),
}


@pytest.mark.parametrize("bad", ROWS)
def test_check_refuses(bad, tmp_path):
    text, complaint = ROWS[bad]
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode("latin-1"))
    report = check.Checker(0).check(path)
    assert not report.good
    assert any(complaint in finding.text for finding in report.findings), report.findings


def test_every_bad_row_is_named_with_its_line(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(b"ProductKey,DeviceName,CertSN\r\na1,x,1A\r\n\r\na1,dev-1,0\r\n")
    rows = device_list.table(path)
    assert [finding.text[:7] for finding in rules.association_rows(rows)] == ["line 2:", "line 4:"]


def test_a_spelling_that_works_is_a_warning(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(
        "\ufeffProductKey,DeviceName,CertSN\na1,dev-1,9d:c6:0f\na1,dev-2,44409342144213933\n".encode()
    )
    report = check.Checker(0).check(path)
    assert report.good
    assert [
        "normal form 9DC60F" in report.findings[0].text,
        "not the decimal" in report.findings[1].text,
    ] == [1, 1]


def test_serials_are_compared_with_the_ledger(ca, tmp_path):
    rows = enter(ca, "a1First", 3)
    (unfinished,) = ca.ledger.reserve("device", [("a1First", "dev-00009")], 1_800_000_000)
    path = tmp_path / "file.csv"
    swapped = [
        (*rows[0][:2], rows[1][2]),
        rows[2],
        ("a1First", "dev-00009", unfinished),
        ("a1First", "dev-8", "1A"),
    ]
    path.write_bytes(association.render(association.Piece("a1First", 1, tuple(swapped))))
    texts = [finding.text for finding in check.Checker(0, ledger=ca.ledger).check(path).findings]
    assert texts == [
        f"line 2: CertSN {rows[1][2]} was issued to a1First,dev-00001",
        f"line 4: CertSN {unfinished} was not issued by this CA",
        "line 5: CertSN 1A was not issued by this CA",
    ]
