"""Values against the dataTypes of a model: each code of application.md 1.2, strict and weak."""

import pytest

from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.thing import checking, model
from tools.emulator.cloud.thing.values import NONE, STRICT, WEAK

MODEL = model.read(TSL)
# property, value, code when strict, code when weak (0: it fits)
VALUES = [
    ("Switch", 0, 0, 0),
    ("Switch", 1, 0, 0),
    ("Switch", 2, 6308, 6308),
    ("Switch", True, 6308, 6308),
    ("Switch", "1", 6308, 6308),
    ("Count", 100, 0, 0),
    ("Count", 101, 6306, 0),
    ("Count", -1, 6306, 0),
    ("Count", 2**31, 6306, 6306),
    ("Count", 1.0, 6306, 6306),
    ("Count", "5", 6306, 6306),
    ("Count", None, 6306, 6306),
    ("Count", False, 6306, 6306),
    ("Temp", 21.5, 0, 0),
    ("Temp", -40, 0, 0),
    ("Temp", 125.1, 6307, 0),
    ("Temp", "21.5", 6307, 6307),
    ("Exact", 0.5, 0, 0),
    ("Exact", 1.5, 6322, 0),
    ("Exact", [0.5], 6322, 6322),
    ("Mode", 2, 0, 0),
    ("Mode", 1, 6309, 0),
    ("Mode", "2", 6309, 6309),
    ("Label", "eight ch", 0, 0),
    ("Label", "nine char", 6310, 0),
    ("Label", "x" * 10_241, 6310, 6310),
    ("Label", 5, 6310, 6310),
    ("Since", "1524448722000", 0, 0),
    ("Since", 1524448722000, 6311, 6311),
    ("Since", "today", 6326, 6326),
    ("Place", {"x": 9, "name": "a"}, 0, 0),
    ("Place", {}, 0, 0),
    ("Place", {"x": 10}, 6306, 0),
    ("Place", {"x": "9"}, 6306, 6306),
    ("Place", {"y": 1}, 6304, 6304),
    ("Place", "here", 6312, 6312),
    ("List", [1, 2, 3], 0, 0),
    ("List", [], 0, 0),
    ("List", [1, 2, 3, 4], 6324, 0),
    ("List", [0] * 513, 6324, 6324),
    ("List", [1, "2"], 6325, 6325),
    ("List", 1, 6328, 6328),
    ("Rows", [{"x": 1}], 0, 0),
    ("Rows", [{"x": "1"}], 6325, 6325),
    ("Rows", [1], 6325, 6325),
    ("engine:Speed", 9000, 0, 0),
    ("engine:Speed", 9001, 6306, 0),
    ("Speed", 1, 6304, 6304),
    ("nobody", 1, 6304, 6304),
]


@pytest.mark.parametrize(("name", "value", "strict", "weak"), VALUES)
def test_a_value_is_checked(name, value, strict, weak):
    for level, code in ((STRICT, strict), (WEAK, weak), (NONE, 0)):
        found = checking.properties(MODEL, level, {name: value}, 5)
        assert [one["code"] for one in found.failed.values()] == ([code] if code else [])
        assert [(one.name, one.value, one.time) for one in found.accepted] == (
            [] if code else [(name, value, 5)]
        )


def test_the_text_of_a_failure_names_the_property():
    found = checking.properties(MODEL, STRICT, {"nobody": 1, "Count": 101}, 5)
    assert found.failed == {
        "nobody": {"value": 1, "time": 5, "code": 6304, "message": "tsl parse: params not exist -> nobody"},
        "Count": {"value": 101, "time": 5, "code": 6306, "message": "tsl parse: int value error -> Count"},
    }


# what is posted -> (value, time), or the code
TIMES = [
    ({"value": 5, "time": 7}, (5, 7)),
    ({"value": 5}, (5, 1)),
    (5, (5, 1)),
    ({"value": 5, "time": "7"}, 6326),
    ({"value": 5, "time": -1}, 6326),
    ({"value": 5, "time": 7.5}, 6326),
    ({"value": 5, "time": None}, 6326),
    ({"value": 5, "time": 2**53}, 6326),
    ({"value": 5, "other": 7}, 6306),
]


@pytest.mark.parametrize(("posted", "expected"), TIMES)
def test_a_value_comes_with_its_time_or_gets_the_clouds(posted, expected):
    found = checking.properties(MODEL, WEAK, {"Count": posted}, 1)
    if isinstance(expected, int):
        assert found.failed["Count"]["code"] == expected
    else:
        assert [(one.value, one.time) for one in found.accepted] == [expected]
