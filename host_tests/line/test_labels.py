"""Labels that a reader reads back, and reports whose numbers are right. Never a secret in either."""

import csv
import io
import json
import re
import xml.etree.ElementTree

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from host_tests.line.conftest import PRODUCT, WHO, Clock, board, secret, stock
from tools.errors import UserError
from tools.line.job import Job
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger
from tools.line.reports import labels, report


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger.create(f"sqlite:///{tmp_path}/ledger.db", plain=True, clock=clock) as made:
        made.add_product(Product(PRODUCT), WHO)
        stock(made, 10)
        yield made


def burn(ledger, number, fail=None):
    identity = ledger.begin_write(ledger.reserve(board(number), PRODUCT, WHO), WHO)
    if identity.state == "reserved":
        identity = ledger.move(identity, "write", WHO, firmware="f" * 64)
        identity = ledger.move(identity, "verify", WHO)
    return ledger.move(identity, "fail" if fail else "finish", WHO, note=fail)


def decode(image):
    return [found.text for found in zxingcpp.read_barcodes(image.convert("L"))]


def drawn_svg(data):
    """The SVG's modules as a picture: its one path of horizontal runs, at its own scale."""
    root = xml.etree.ElementTree.fromstring(data)
    path = root.find("{http://www.w3.org/2000/svg}path").get("d")
    image = Image.new("L", (800, 800), 255)
    draw = ImageDraw.Draw(image)
    for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)v1", path):
        draw.rectangle((int(x) * 10, int(y) * 10, (int(x) + int(n)) * 10 - 1, int(y) * 10 + 9), fill=0)
    return image


def drawn_zpl(data):
    width, rows = re.search(rb"\^GFA,\d+,\d+,(\d+),([0-9A-F]+)\^FS", data).groups()
    bits = bytes(255 - value for value in bytes.fromhex(rows.decode()))
    return Image.frombytes("1", (int(width) * 8, len(bits) // int(width)), bits)


READERS = {"png": lambda data: Image.open(io.BytesIO(data)), "svg": drawn_svg, "zpl": drawn_zpl}


@pytest.mark.parametrize("form", labels.FORMATS)
def test_a_reader_reads_what_the_label_says(ledger, form):
    identity = burn(ledger, 1)
    data, suffix = labels.make(identity, {"format": form})
    assert suffix == form
    assert decode(READERS[form](data)) == [f"{PRODUCT},dev00000,24:0A:C4:00:00:01"]


@pytest.mark.parametrize("form", labels.FORMATS)
def test_the_label_says_what_its_template_says(ledger, form):
    identity = burn(ledger, 1)
    data, _ = labels.make(
        identity,
        {"format": form, "qr": "https://example.com/d/{mac}?d={date}", "text": ["SN {device_name}", "a^b~c"]},
    )
    assert decode(READERS[form](data)) == ["https://example.com/d/240ac4000001?d=2026-11-21"]
    if form != "png":
        assert b"SN dev00000" in data
    if form == "zpl":
        assert b"a_5Eb_7Ec" in data, "a caret in a text is no ZPL command"


@pytest.mark.parametrize(
    "template",
    ["{device_secret}", "{product_secret}", "{secrets}", "{0}", "{mac!r}", "{mac.__class__}", "{", "x}"],
)
def test_a_label_never_says_a_secret_or_anything_not_listed(template):
    with pytest.raises(UserError, match="never printed|without its partner"):
        labels.settings({"qr": template})


def test_labels_are_files_named_by_product_and_device(ledger, tmp_path):
    rows = [burn(ledger, n) for n in range(3)]
    paths = labels.write(rows, str(tmp_path / "out"))
    assert [path.rpartition("/")[2] for path in paths] == [f"{PRODUCT}-dev0000{n}.svg" for n in range(3)]


def test_names_that_differ_in_a_sign_have_a_label_each(tmp_path):
    given = ["lamp:0030", "lamp@0030", "lamp-0030", "lamp.0030", "lamp_0030"]
    with Ledger.create(f"sqlite:///{tmp_path}/signs.db", plain=True) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
        ledger.add_identities(PRODUCT, [(name, {"device_secret": secret(1)}) for name in given], WHO)
        rows = [burn(ledger, number) for number in range(len(given))]
        paths = labels.write(rows, str(tmp_path / "out"))
    assert len(list((tmp_path / "out").iterdir())) == len(given)
    stems = [path.rpartition("/")[2].removesuffix(".svg") for path in paths]
    assert [stem.partition("-")[2].replace("%3A", ":") for stem in stems] == given
    assert not any(set('<>:"|?*') & set(stem) for stem in stems), "Windows takes the name"


@pytest.fixture
def worked(ledger, clock):
    """Three hours: two passes; one fail; nothing; one pass and a fail that passes later."""
    burn(ledger, 1)
    burn(ledger, 2)
    burn(ledger, 3, fail="no state line within 60 s")
    clock.forward(hours=2)
    burn(ledger, 4, fail="no state line within 60 s")
    burn(ledger, 4)
    ledger.note_failure(board(9), WHO, "this is an esp32s3, the job is for an esp32")
    return ledger


def test_the_numbers_of_a_report(worked):
    made = report.make(worked)
    assert made["totals"] | {"states": None} == {
        "states": None,
        "boards": 5,
        "passed": 3,
        "failed": 2,
        "first_pass_yield": 0.4,
        "final_yield": 0.6,
    }
    assert made["totals"]["states"]["done"] == 3 and made["totals"]["states"]["free"] == 6
    assert [(slot["at"], slot["passed"], slot["failed"], slot["yield"]) for slot in made["timeline"]] == [
        ("2026-11-21T07:00Z", 2, 1, 0.6667),
        ("2026-11-21T08:00Z", 0, 0, None),
        ("2026-11-21T09:00Z", 1, 2, 0.3333),
    ]
    assert made["failures"] == [
        ("no state line within 60 s", 2),
        ("this is an esp32s3, the job is for an esp32", 1),
    ]
    assert [row["visits"] for row in made["boards"]] == [1, 1, 1, 2]


def test_a_report_since_a_moment_counts_from_there(worked):
    made = report.make(worked, since="2026-11-21T08:00")
    assert (made["totals"]["boards"], made["totals"]["passed"]) == (2, 1)


@pytest.mark.parametrize("form", report.FORMATS)
def test_each_form_of_a_report_tells_the_same_and_no_secret(worked, tmp_path, form):
    path = str(tmp_path / f"report.{form}")
    report.write(report.make(worked), path)
    text = open(path, encoding="utf-8-sig").read()
    assert not any(secret(n) in text for n in range(10))
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["device_name"] for row in rows] == ["dev00000", "dev00001", "dev00002", "dev00003"]
        assert [row["note"] for row in rows] == ["", "", "no state line within 60 s", ""], (
            "dev00003 is good by now"
        )
    elif form == "json":
        assert json.loads(text)["totals"]["passed"] == 3
    else:
        assert (
            "<svg" in text
            and "passed in the end" in text
            and "24:0a:c4:00:00:03" in text
            and "40.0 %" in text
        )
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), (
            "the page needs nothing from elsewhere"
        )


def a_job(name="lamp-2026-11", number=3, signer="ab" * 8):
    return Job(name, PRODUCT, "ESP32_GENERIC", number=number, signer=signer, checked=signer is not None)


def test_a_report_says_which_product_job_and_days_it_is_of(ledger, clock):
    ledger.start_job(a_job(), WHO)
    burn(ledger, 1)
    clock.forward(days=1)
    burn(ledger, 2)
    made = report.make(ledger, now=clock())
    page = report.as_html(made)
    for text in (
        PRODUCT,
        "lamp-2026-11, number 3 (key abababababababab)",
        "2026-11-21 07:00 UTC to 2026-11-22 07:00 UTC",
    ):
        assert text in page
    assert report.make(ledger, since="2026-11-22")["jobs"] == made["jobs"], "it started the day before"
    ledger.start_job(a_job("trial", None, None), WHO)
    assert report.make(ledger)["jobs"][1:] == ["trial (not signed)"]


@pytest.mark.parametrize("passed, failed", [(1, 0), (3, 2), (11, 1), (9, 8)])
def test_the_axis_of_boards_has_whole_numbers_and_a_single_hour_is_a_bar(passed, failed):
    slot = {"at": "2026-11-21T07:00Z", "passed": passed, "failed": failed, "yield": None, "per_hour": 1}
    plot = report._plot({"timeline": [slot], "minutes": 60})
    axis = re.findall(r'<text x="-5"[^>]*>([^<]*)</text>', plot)
    assert axis and all(text.isdigit() for text in axis), axis
    assert plot.count("<rect") >= 2 and "<circle" not in plot


def test_what_a_board_said_is_printable_in_every_form(ledger):
    burn(ledger, 1, fail="said \x1b[2J\x9b1A\u202e<b>x")
    made = report.make(ledger)
    for form in (report.as_csv, report.as_json, report.as_html):
        text = form(made)
        assert all(c.isprintable() or c in "\r\n" for c in text) and "x1b[2J" in text
    assert "<b>x" not in report.as_html(made)


def test_an_empty_ledger_has_a_report_too(ledger, tmp_path):
    for form in report.FORMATS:
        report.write(report.make(ledger), str(tmp_path / f"r.{form}"))
    assert "No board has finished yet" in open(tmp_path / "r.html").read()


@pytest.mark.parametrize("text", ["=1+1", "+x", "@SUM", "-5"])
def test_no_cell_is_a_formula(ledger, text):
    burn(ledger, 1, fail=text)
    rows = list(csv.DictReader(io.StringIO(report.as_csv(report.make(ledger)))))
    assert rows[0]["note"] == "'" + text
