"""The console's lines: one JSON object each, whatever is put in."""

import json

from aliot.log import line
from aliot.refusals import ConnectRefused


def test_the_state_comes_first_and_the_rest_is_sorted():
    assert line("connected", {"port": 8883, "host": "h"}) == '{"aliot":"connected","host":"h","port":8883}'
    assert line("boot", {}) == '{"aliot":"boot"}'


def test_every_value_is_one_line_of_json():
    for value in (None, True, 0, -5, "text", "quote\" back\\ new\nline \x01", "\u4e2d\u6587", [1, "a"], ("x",),
                  ConnectRefused(4), b"bytes"):
        text = line("error", {"value": value})
        assert "\n" not in text
        assert json.loads(text)["aliot"] == "error"
    assert json.loads(line("x", {"v": True}))["v"] is True
    assert json.loads(line("x", {"v": [1, "a"]}))["v"] == [1, "a"]
