"""What comes into the ledger: the console's CSV of created devices, and DeviceNames for products that
register.

The console's download is UTF-8 with or without a BOM, or GBK when a Chinese
spreadsheet saved it again; its columns come in any order and under any of the
names below. A bad row stops the whole file unless it is to be skipped.
"""

import csv
import io
import os
import re
import unicodedata
from dataclasses import dataclass, field

from tools.errors import UserError
from tools.line import names
from tools.line.ledger import Product

# column -> spellings: compared without case, width, blanks, quotes, brackets, '_' and '-'. The first of
# each is what the console's own download says; the others are the same words as its Chinese and English
# pages spell them, and what spreadsheets and factory tools in the field write.
HEADERS = {
    "product_key": (
        "ProductKey",
        "Product Key",
        "product_key",
        "ProductKey（产品标识）",
        "产品Key",
        "产品标识",
        "产品ProductKey",
        "产品证书ProductKey",
        "PK",
    ),
    "device_name": (
        "DeviceName",
        "Device Name",
        "device_name",
        "设备名称",
        "设备名",
        "设备DeviceName",
        "DeviceName（设备名称）",
        "设备标识",
        "DN",
    ),
    "device_secret": (
        "DeviceSecret",
        "Device Secret",
        "device_secret",
        "设备密钥",
        "设备秘钥",
        "设备DeviceSecret",
        "DeviceSecret（设备密钥）",
        "设备证书DeviceSecret",
        "DS",
    ),
    "product_secret": (
        "ProductSecret",
        "Product Secret",
        "product_secret",
        "产品密钥",
        "产品秘钥",
        "产品ProductSecret",
        "ProductSecret（产品密钥）",
        "PS",
    ),
}
# one upload of the console takes what one BatchCheckDeviceNames call takes: 10,000 names, 1,000 for
# products that authenticate with X.509, and drops the rest without a word (Cloud API page of
# BatchCheckDeviceNames: documented for the call; inferred for the console's upload)
PIECE = 10_000
PIECE_X509 = 1_000
LIMIT = 64 << 20  # bytes: more is no list of devices


@dataclass
class Sheet:
    """A read CSV: good rows, and what is wrong with the others as (line number, words)."""

    rows: list = field(default_factory=list)  # Row
    bad: list = field(default_factory=list)
    encoding: str = ""


@dataclass(frozen=True)
class Row:
    line: int
    product_key: str
    device_name: str
    device_secret: str = field(repr=False)


def _plain(text):
    """A header without case, width, blanks and punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_\-'\"`()\[\].:*\ufeff\u200b]", "", text)


_COLUMNS = {_plain(spelling): column for column, spellings in HEADERS.items() for spelling in spellings}


def decode(data):
    """(text, encoding) of a CSV's bytes: UTF-8, UTF-16 with its mark, or GB 18030. UserError when it is
    none.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        tries = ("utf-16",)
    else:
        tries = ("utf-8-sig", "gb18030")
    for encoding in tries:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
    raise UserError("it is no CSV text (neither UTF-8 nor GBK); a spreadsheet must be saved as CSV first")


def load(path):
    """A file's bytes. UserError when it cannot be read, or is far too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise UserError(f"{path} is larger than {LIMIT >> 20} MB; that is no list of devices")
    return data


def read(data, product_key=None):
    """The Sheet in a console CSV's bytes.

    `product_key` stands in for a missing column. UserError when no header row
    is found or a column is missing: then nothing can be said about rows.
    """
    text, encoding = decode(data)
    sheet = Sheet(encoding=encoding)
    lines = _lines(text)
    columns = _header(lines, product_key)
    seen = {}
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        row, wrong = _row(number, cells, columns, product_key)
        if not wrong:
            wrong = _again(row, seen)
        if wrong:
            sheet.bad.append((number, wrong))
        else:
            sheet.rows.append(row)
    if not sheet.rows and not sheet.bad:
        raise UserError("there is no device in it, only a header")
    return sheet


def _lines(text):
    """(line number, cells) of each record; the line is the one where the record begins."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"line {line}: it is no CSV from here on ({error})") from None


def _header(lines, product_key):
    """{column: index} of the first record that is not empty."""
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        found = {}
        for index, cell in enumerate(cells):
            column = _COLUMNS.get(_plain(cell))
            if column in found:
                raise UserError(f"line {number}: two columns are a {HEADERS[column][0]}")
            if column:
                found[column] = index
        needed = ["device_name", "device_secret"] + ([] if product_key else ["product_key"])
        missing = [HEADERS[column][0] for column in needed if column not in found]
        if missing:
            raise UserError(
                f"line {number}: the header names no {' and no '.join(missing)} "
                f"(it has: {', '.join(cell.strip()[:20] for cell in cells)[:120]})"
            )
        return found
    raise UserError("the file is empty")


def _row(number, cells, columns, product_key):
    """(Row, None) or (None, what is wrong)."""

    def cell(column):
        index = columns.get(column)
        return cells[index].strip() if index is not None and index < len(cells) else ""

    if len(cells) <= max(columns.values()):
        return None, f"has {len(cells)} cells, the header has {max(columns.values()) + 1} or more"
    key = cell("product_key") or (product_key if "product_key" not in columns else "")
    if product_key and key != product_key:
        return None, f"is of product {key[:20]}, not of {product_key}"
    if not names.PRODUCT_KEY.fullmatch(key):
        return (
            None,
            f"ProductKey '{key[:40]}' is not 6 to 20 letters and digits" if key else "has no ProductKey",
        )
    name = cell("device_name")
    if not names.VALID.fullmatch(name):
        return None, (
            f"DeviceName '{name[:40]}' is not 4 to 32 letters, digits and - _ @ . :"
            if name
            else "has no DeviceName"
        )
    wrong = _wrong_secret(cell("device_secret"))
    if wrong:
        return None, wrong
    return Row(number, key, name, cell("device_secret")), None


def _wrong_secret(text):
    """What is wrong with a DeviceSecret, in words that do not show it; or None."""
    if not text:
        return "has no DeviceSecret"
    if re.fullmatch(r"[0-9.]+E\+?[0-9]+", text):
        return "its DeviceSecret was turned into a number by a spreadsheet; download the file again"
    if text.count("*") > len(text) // 3:
        return "its DeviceSecret is masked with stars; download the file with the real one"
    if not names.SECRET.fullmatch(text):
        return f"its DeviceSecret ({len(text)} characters) is not 6 to 64 printable characters"
    return None


def _again(row, seen):
    """What is wrong with a row whose name was there before; the very same row again is not wrong."""
    before = seen.setdefault((row.product_key, row.device_name), row)
    if before is row:
        return None
    if before.device_secret == row.device_secret:
        return f"is the same device as line {before.line}"
    return f"DeviceName {row.device_name} was in line {before.line} with another DeviceSecret"


@dataclass(frozen=True)
class Taken:
    """What one intake did: new and known identities, and the rows that were skipped."""

    new: int
    known: int
    bad: list


def take_csv(ledger, data, who, name="", product_key=None, skip_bad=False):
    """Take a console CSV into the ledger, all of it or nothing; with `skip_bad`, its good rows.

    Returns Taken. UserError lists every bad row with its line when any is bad
    and they are not to be skipped.
    """
    sheet = read(data, product_key)
    bad = sheet.bad + _clashes(ledger, sheet)
    if bad and not skip_bad:
        raise BadRows(sorted(bad))
    wrong = {line for line, _ in bad}
    rows = [row for row in sheet.rows if row.line not in wrong]
    batches = {}
    for row in rows:
        batches.setdefault(row.product_key, []).append(
            (row.device_name, {"device_secret": row.device_secret})
        )
    taken = ledger.add_batches(
        batches, who, note=os.path.basename(name)[:200] or None, products=[Product(key) for key in batches]
    )
    return Taken(taken.new, taken.known, sorted(bad))


def _clashes(ledger, sheet):
    """Rows that are good in themselves but contradict the ledger."""
    names_by_key = {}
    for row in sheet.rows:
        names_by_key.setdefault(row.product_key, []).append(row.device_name)
    known = {key: ledger.known_secrets(key, wanted) for key, wanted in names_by_key.items()}
    bad = []
    for row in sheet.rows:
        stored = known[row.product_key].get(row.device_name)
        if stored is not None and stored != {"device_secret": row.device_secret}:
            bad.append((row.line, f"DeviceName {row.device_name} is in the ledger with another secret"))
    return bad


class BadRows(UserError):
    """Rows that stopped an intake: `rows` is [(line, words)]."""

    SHOWN = 20

    def __init__(self, rows):
        self.rows = rows
        lines = "; ".join(f"line {line}: {words}" for line, words in rows[: self.SHOWN])
        more = f"; and {len(rows) - self.SHOWN} more" if len(rows) > self.SHOWN else ""
        super().__init__(
            f"{len(rows)} bad row{'s' if len(rows) > 1 else ''}, nothing was taken in: {lines}{more}. "
            "Mend them, or take the good ones with --skip-bad"
        )


def macs(data):
    """The MACs in a list, one a line or in a column named MAC; UserError names every bad line."""
    text, _ = decode(data)
    found, bad = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        cell = line.split(",")[0].strip().strip('"')
        if (
            not cell
            or cell.startswith("#")
            or (number == 1 and _plain(cell) in ("mac", "macaddress", "mac地址"))
        ):
            continue
        try:
            mac = names.mac(cell)
        except UserError as error:
            bad.append((number, str(error)))
            continue
        if mac in found:
            bad.append((number, f"is the same MAC as line {found[mac]}"))
        found.setdefault(mac, number)
    if bad:
        raise BadRows(bad)
    return list(found)


def take_names(ledger, product, device_names, who):
    """Take DeviceNames without secrets in, for a product whose devices register; returns Taken."""
    for name in device_names:
        names.check(name)
    rows = [(name, {}) for name in device_names]
    taken = ledger.add_batches({product.product_key: rows}, who, products=[product])
    return Taken(taken.new, taken.known, [])


def pieces(device_names, size=PIECE):
    """Texts of the CSVs to upload for pre-registration: at most `size` names each, header in the
    first row.
    """
    for start in range(0, len(device_names), size):
        yield "DeviceName\r\n" + "".join(f"{name}\r\n" for name in device_names[start : start + size])


def write_pieces(device_names, folder, stem, size=PIECE):
    """Write the pieces into a folder; returns their paths. Existing files are never overwritten."""
    os.makedirs(folder, exist_ok=True)
    paths = []
    for number, text in enumerate(pieces(device_names, size), 1):
        path = os.path.join(folder, f"{stem}-{number:03d}.csv")
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            raise UserError(f"{path} is there already; give another folder with --out") from None
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from None
        paths.append(path)
    return paths
