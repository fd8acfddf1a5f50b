"""The console's lines: one JSON object each, whatever is put in."""

import json

from aliot.log import line
from aliot.refusals import ConnectRefused


def test_the_state_comes_first_and_the_rest_is_sorted():
    assert line("connected", {"port": 8883, "host": "h"}) == '{"aliot":"connected","host":"h","port":8883}'
    assert line("boot", {}) == '{"aliot":"boot"}'


def test_every_value_is_one_line_of_json():
    for value in (
        None,
        True,
        "\x1b]0;title\x07",
        "\x9b2J",
        "\x7f",
        "\U0001f4f6",
        0,
        -5,
        "text",
        'quote" back\\ new\nline \x01',
        "\u4e2d\u6587",
        [1, "a"],
        ("x",),
        ConnectRefused(4),
        b"bytes",
    ):
        text = line("error", {"value": value})
        assert not [c for c in text if not " " <= c <= "~"], "a terminal would obey that"
        assert json.loads(text)["aliot"] == "error"
    assert json.loads(line("x", {"v": True}))["v"] is True
    assert json.loads(line("x", {"v": [1, "a"]}))["v"] == [1, "a"]


def test_what_is_not_ascii_comes_back_whole():
    for value in ("\u4e2d\u6587", "\U0001f4f6 Caf\u00e9", "\x7f\x9b"):
        assert json.loads(line("x", {"v": value}))["v"] in (value, halves(value))


def halves(value):
    """What MicroPython's json makes of an escaped character above U+FFFF: both halves."""
    found = ""
    for c in value:
        number = ord(c) - 0x10000
        found += c if number < 0 else chr(0xD800 | number >> 10) + chr(0xDC00 | number & 0x3FF)
    return found
