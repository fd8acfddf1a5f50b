"""Labels for finished boards: a QR code and a few lines of text, as SVG, PNG or ZPL. Never a secret.

What a label says is a template over the fields below, and nothing else can be
named in it: `{product_key},{device_name},{mac}`.
"""

import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import segno

from tools.errors import UserError
from tools.line import device_names
from tools.line.ledger.entries import Identity

FIELDS = (
    "product_key",
    "device_name",
    "mac",
    "MAC",
    "mac:",
    "MAC:",
    "station",
    "operator",
    "date",
    "time",
    "serial",
    "expires",
    "id2",
)
DEFAULT: dict[str, Any] = {
    "format": "svg",
    "qr": "{product_key},{device_name},{MAC:}",
    "text": ["{device_name}", "{MAC:}", "{date}"],
}
FORMATS = ("svg", "png", "zpl")
BORDER = 4  # modules of quiet zone: ISO/IEC 18004
WIDTH, HEIGHT = 50, 25  # mm
DOTS = 8  # per mm: a 203 dpi printer
_FIELD = re.compile(r"\{([^{}]*)\}")


def fields(identity: Identity) -> dict[str, str]:
    """What a label may say of an identity, by field name."""
    digits = identity.mac or identity.last_mac or ""
    forms = {rule: device_names.of_mac(rule, digits) if digits else "" for rule in device_names.MAC_RULES}
    return {
        "product_key": identity.product_key,
        "device_name": identity.device_name,
        **forms,
        "station": identity.station or "",
        "operator": identity.operator or "",
        "date": identity.changed[:10],
        "time": identity.changed[11:16],
        "serial": identity.serial or "",
        "expires": (identity.expires or "")[:10],
        "id2": identity.id2 or "",
    }


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled in. UserError for a field that a label does not have."""

    def value(match):
        if match[1] not in FIELDS:
            raise UserError(
                f"a label has no field '{match[0]}'; there are {', '.join(FIELDS)}, "
                "and secrets are never printed"
            )
        return values[match[1]]

    if set("{}") & set(_FIELD.sub("", template)):
        raise UserError(f"label template '{template}' has a brace without its partner")
    return _FIELD.sub(value, template)


def settings(table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A label's settings with their defaults. UserError for an unknown format or field."""
    chosen = {**DEFAULT, **(table or {})}
    if chosen["format"] not in FORMATS:
        raise UserError(f"a label is made as {', '.join(FORMATS)}, not as '{chosen['format']}'")
    for template in [chosen["qr"], *chosen["text"]]:
        fill(template, dict.fromkeys(FIELDS, ""))
    return chosen


def make(identity: Identity, table: Mapping[str, Any] | None = None) -> tuple[bytes, str]:
    """(bytes, file suffix) of one board's label."""
    chosen = settings(table)
    values = fields(identity)
    try:
        code = segno.make_qr(fill(chosen["qr"], values), error="m", boost_error=False)
    except segno.DataOverflowError:
        raise UserError(
            "the label's QR code would hold more than a QR code can; shorten its template"
        ) from None
    lines = [fill(template, values) for template in chosen["text"]]
    return {"svg": _svg, "png": _png, "zpl": _zpl}[chosen["format"]](code, lines), chosen["format"]


def file_name(identity: Identity) -> str:
    """A label's file name without its ending, one for each device.

    A colon, which Windows refuses in a file name, is %3A, as in the names of the CA's files; no
    DeviceName holds a percent sign, and no ProductKey a hyphen.
    """
    return f"{identity.product_key}-{identity.device_name.replace(':', '%3A')}"


def write(
    identities: Iterable[Identity], folder: Path | str, table: Mapping[str, Any] | None = None
) -> list[str]:
    """Write one label for each identity; returns the paths. A label that is there is made anew."""
    paths = []
    try:
        os.makedirs(folder, exist_ok=True)
        for identity in identities:
            data, suffix = make(identity, table)
            paths.append(os.path.join(folder, f"{file_name(identity)}.{suffix}"))
            with open(paths[-1], "wb") as file:
                file.write(data)
    except OSError as error:
        raise UserError(f"labels cannot be written to {folder}: {error.strerror}") from None
    return paths


def _modules(code):
    return [list(row) for row in code.matrix_iter(border=BORDER)]


def _svg(code, lines):
    modules = _modules(code)
    scale = HEIGHT / len(modules)
    runs = "".join(f"M{x} {y}h{n}v1h-{n}z" for y, row in enumerate(modules) for x, n in _runs(row))
    texts = "".join(
        f'<text x="{HEIGHT + 1}" y="{6 + 5 * number}" font-size="{_font(line):g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}mm" height="{HEIGHT}mm" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="monospace">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<path transform="scale({scale:.4f})" d="{runs}"/>{texts}</svg>\n'
    ).encode()


def _runs(row):
    """(start, length) of each run of dark modules."""
    start = None
    for x, dark in enumerate(row + [0]):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            yield start, x - start
            start = None


def _font(line):
    """Height in mm at which a line of monospaced text fits beside the code."""
    return min(4.0, (WIDTH - HEIGHT - 2) / max(1, len(line)) / 0.6)


def _png(code, lines):
    from PIL import Image, ImageDraw, ImageFont

    modules = _modules(code)
    scale = max(1, HEIGHT * DOTS // len(modules))
    image = Image.new("1", (WIDTH * DOTS, HEIGHT * DOTS), 1)
    draw = ImageDraw.Draw(image)
    for y, row in enumerate(modules):
        for x, n in _runs(row):
            draw.rectangle((x * scale, y * scale, (x + n) * scale - 1, (y + 1) * scale - 1), fill=0)
    for number, line in enumerate(lines):
        font = ImageFont.load_default(int(_font(line) * DOTS))
        draw.text(((HEIGHT + 1) * DOTS, (2 + 5 * number) * DOTS), line, font=font, fill=0)
    out = io.BytesIO()
    image.save(out, "PNG", dpi=(DOTS * 25.4, DOTS * 25.4))
    return out.getvalue()


def _zpl(code, lines):
    """ZPL II. The code goes as a picture (^GFA), so that every printer prints the same modules."""
    modules = _modules(code)
    scale = max(1, HEIGHT * DOTS // len(modules))
    width = (len(modules) * scale + 7) // 8
    rows = []
    for row in modules:
        bits = "".join(("1" if dark else "0") * scale for dark in row).ljust(width * 8, "0")
        rows += [f"{int(bits, 2):0{width * 2}X}"] * scale
    total = width * len(rows)
    parts = [
        f"^XA^CI28^PW{WIDTH * DOTS}^LL{HEIGHT * DOTS}",
        f"^FO0,0^GFA,{total},{total},{width},{''.join(rows)}^FS",
    ]
    for number, line in enumerate(lines):
        height = int(_font(line) * DOTS)
        parts.append(
            f"^FO{(HEIGHT + 1) * DOTS},{(2 + 5 * number) * DOTS}^A0N,{height},{height}^FH^FD{_hex(line)}^FS"
        )
    return ("\n".join(parts) + "\n^XZ\n").encode()


def _hex(text):
    """Text for ^FD with ^FH: what ZPL would take for a command goes as _XX."""
    return "".join(f"_{ord(c):02X}" if c in "^~_\\" else c for c in text)
