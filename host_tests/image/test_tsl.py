"""A TSL becomes a table, or is refused in one line that names file and place."""

import copy
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import UserError
from tools.image import tsl

LEAST = {
    "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json",
    "profile": {"productKey": "a1TestTslKey"},
    "properties": [
        {
            "identifier": "Temp",
            "accessMode": "rw",
            "dataType": {"type": "float", "specs": {"min": "-40", "max": "125", "step": "0.1"}},
        },
        {
            "identifier": "Place",
            "accessMode": "r",
            "dataType": {
                "type": "struct",
                "specs": [{"identifier": "lat", "dataType": {"type": "double", "specs": {}}}],
            },
        },
        {
            "identifier": "List",
            "accessMode": "r",
            "dataType": {"type": "array", "specs": {"size": "3", "item": {"type": "int"}}},
        },
    ],
    "events": [{"identifier": "Hot", "outputData": [{"identifier": "Temp", "dataType": {"type": "float"}}]}],
    "services": [{"identifier": "Reset", "inputData": [], "outputData": []}],
}
TEMP, PLACE, LIST = (
    ("properties", 0, "dataType"),
    ("properties", 1, "dataType"),
    ("properties", 2, "dataType"),
)
# where something else is put, what, and the line
BAD = [
    ((), 5, "it: 5 is no object"),
    (("properties",), {}, "properties: {} is no list"),
    (("properties", 0), "x", 'properties[0]: "x" is no object'),
    (("properties", 0, "identifier"), None, "properties[0].identifier: missing"),
    (("properties", 0, "identifier"), "a-b", "'a-b' is not letters, digits and _, at most 50"),
    (("properties", 0, "identifier"), "x" * 51, "at most 50"),
    (("properties", 0, "identifier"), "a:b:c", "properties[0].identifier: 'a:b:c'"),
    (("properties", 0, "identifier"), "time", "'time' is a name that the platform keeps for itself"),
    (("properties", 0, "identifier"), "Place", "properties[1].identifier: 'Place' stands there twice"),
    (("properties", 0, "accessMode"), "w", "properties[0].accessMode: neither r nor rw"),
    (TEMP, None, "properties[0].dataType: nothing is no object"),
    ((*TEMP, "type"), "decimal", 'properties[0].dataType.type: "decimal" is none of int, float,'),
    ((*TEMP, "type"), ["int"], 'dataType.type: ["int"] is none of'),
    ((*TEMP, "specs"), [], "properties[0].dataType.specs: [] is no object"),
    ((*TEMP, "specs", "min"), "cold", 'properties[0].dataType.specs.min: "cold" is no number'),
    ((*TEMP, "specs", "min"), "200", "specs.min: 200 is more than max, 125"),
    ((*TEMP, "specs", "max"), True, "specs.max: true is no number"),
    ((*TEMP, "specs", "max"), "1e400", "specs.max"),
    ((*TEMP, "specs", "step"), "0", "specs.step: 0 is not above 0"),
    (TEMP, {"type": "int", "specs": {"max": "3000000000"}}, "specs.max: 3000000000 is no int32"),
    (TEMP, {"type": "int", "specs": {"min": "0.5"}}, "specs.min: 0.5 is no int32"),
    (TEMP, {"type": "enum", "specs": {"on": "1"}}, 'properties[0].dataType.specs: "on", a key, is no'),
    *(
        (TEMP, {"type": "enum", "specs": {key: ""}}, "a key, is no integer")
        for key in (" 1", "1_0", "١", "", "+1")
    ),
    (TEMP, {"type": "enum", "specs": {"1" * 5000: ""}}, "a key, is no integer"),
    (
        TEMP,
        {"type": "enum", "specs": {"1": "", "01": ""}},
        "properties[0].dataType.specs: a key stands there twice",
    ),
    *(
        ((*TEMP, "specs", "min"), text, "specs.min: ")
        for text in (" 1", "1_0", "١", "NaN", "1" * 5000, "1e" + "9" * 30)
    ),
    (("properties", 0, "identifier"), "a\nb", "properties[0].identifier: 'a\\nb' is not letters, digits"),
    (TEMP, {"type": "enum", "specs": {}}, "specs: 0 keys; 1 to 100 it has to have"),
    (TEMP, {"type": "enum", "specs": {str(n): "" for n in range(101)}}, "specs: 101 keys"),
    (TEMP, {"type": "text", "specs": {"length": "10241"}}, "specs.length: 10241 is not 1 to 10240"),
    ((*PLACE, "specs"), None, "properties[1].dataType.specs: nothing is no list"),
    ((*PLACE, "specs", 0, "identifier"), "", "properties[1].dataType.specs[0].identifier: missing"),
    ((*PLACE, "specs", 0, "dataType"), {"type": "struct", "specs": []}, "a struct in a struct"),
    ((*PLACE, "specs"), [copy.deepcopy(LEAST["properties"][1]["dataType"]["specs"][0])] * 2, "twice"),
    ((*LIST, "specs", "size"), "513", "properties[2].dataType.specs.size: 513 is not 1 to 512"),
    ((*LIST, "specs", "item"), None, "properties[2].dataType.specs.item: nothing is no object"),
    ((*LIST, "specs", "item", "type"), "bool", 'specs.item.type: "bool" is none of int, float, double'),
    (("events", 0, "outputData"), {}, "events[0].outputData: {} is no list"),
    (("services", 0, "inputData"), [5], "services[0].inputData[0]: 5 is no object"),
    (("services", 0, "identifier"), "get", "services[0].identifier: 'get' is a name"),
    (("functionBlockId",), "a b", "functionBlockId: not letters, digits and _"),
]


def changed(place, value):
    if not place:
        return value
    model = copy.deepcopy(LEAST)
    inner = model
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return model


def build(model, name="app/model.json"):
    return tsl.build(json.dumps(model).encode(), name)


@pytest.mark.parametrize("place, value, line", BAD, ids=[row[2][:60] for row in BAD])
def test_what_is_wrong_is_said_in_one_line_with_file_and_place(place, value, line):
    with pytest.raises(UserError) as refused:
        build(changed(place, value))
    message = str(refused.value)
    assert message.startswith("app/model.json: ") and line in message and "\n" not in message


@pytest.mark.parametrize(
    "data, line",
    [
        (b'{"schema": 1,\n"properties": [}', "model.json: line 2 is not JSON: "),
        (b"\xff\xfe{", "model.json is not UTF-8: export the TSL"),
        (b"[" * 100000, "model.json"),
        (b"{}", "it has neither properties, events nor services"),
        (b"[]", "it has neither properties, events nor services"),
    ],
)
def test_a_file_that_is_no_json_is_refused_in_one_line(data, line):
    with pytest.raises(UserError) as refused:
        tsl.build(data)
    assert line in str(refused.value) and "\n" not in str(refused.value)


def test_a_definition_that_no_board_could_read_is_refused():
    item = {
        "type": "struct",
        "specs": [{"identifier": f"member{n}" + "x" * 40, "dataType": {"type": "bool"}} for n in range(50)],
    }
    member = {"dataType": {"type": "array", "specs": {"item": item}}}
    outputs = [{**member, "identifier": f"list{n}"} for n in range(100)]
    with pytest.raises(
        UserError, match=r"events\[0\]: its definition takes \d+ bytes; a board reads at most 8192"
    ):
        build(changed(("events", 0, "outputData"), outputs))


@pytest.mark.parametrize(
    "name, data, wanted",
    [
        ("model.json", json.dumps(LEAST).encode(), True),
        ("room/model.json", json.dumps([LEAST]).encode(), True),
        ("model.json", b'{"schema": "x", "properties": [', True),
        ("model.json", b'{"layers": 3}', False),
        ("model.json", b"\x00\xff", False),
        ("tsl.json", json.dumps(LEAST).encode(), False),
        ("mymodel.json", json.dumps(LEAST).encode(), False),
    ],
)
def test_a_tsl_is_known_by_name_and_content(name, data, wanted):
    assert tsl.is_tsl(name, data) is wanted


def test_the_bytes_of_the_least_table():
    model = {
        "profile": {},
        "properties": [{"identifier": "On", "accessMode": "rw", "dataType": {"type": "bool"}}],
    }
    made = build(model)
    checked = struct.pack("<HI", 1, 14) + struct.pack("<HB", 2, 3) + b"pOn" + b"\x01b"
    assert made.data == b"TSL2" + struct.pack("<I", zlib.crc32(checked)) + checked
    assert made.describe() == "1 property, 0 events, 0 services as a table of 22 bytes"


def test_what_every_tsl_has_is_left_out_and_modules_keep_their_names():
    model = changed(("functionBlockId",), "room")
    model["events"].append({"identifier": "post", "method": "thing.event.property.post", "outputData": []})
    model["services"] += [
        {"identifier": "set", "method": "thing.service.property.set"},
        {"identifier": "get", "method": "thing.service.property.get"},
    ]
    made = build([LEAST, model])
    assert made.counts == (6, 2, 2)
    for key in (b"pTemp", b"proom:Temp", b"eHot", b"eroom:Hot", b"sReset", b"sroom:Reset"):
        assert bytes([len(key)]) + key in made.data
    with pytest.raises(
        UserError, match=r"model.json: \[1\].properties\[0\].identifier: 'Temp' stands there twice"
    ):
        build([LEAST, LEAST])


def test_numbers_without_quotation_marks_and_a_byte_order_mark_are_taken():
    plain = changed((*TEMP, "specs"), {"min": -40, "max": 125, "step": 0.1})
    assert tsl.build(b"\xef\xbb\xbf" + json.dumps(plain).encode()).data == build(LEAST).data


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["struct", "array", "int", "1", "x", ""])
)
odd = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "specs", "item", "min", "max", "step", "size", "length", "identifier", "dataType"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


def places(model, place=()):
    yield place
    if isinstance(model, (dict, list)):
        for key, value in model.items() if isinstance(model, dict) else enumerate(model):
            yield from places(value, (*place, key))


@given(st.sampled_from(list(places(LEAST))), odd)
def test_whatever_stands_in_a_tsl_it_is_a_table_or_one_line(place, value):
    try:
        assert build(changed(place, value)).data[:4] == tsl.MAGIC
    except UserError as refused:
        assert "\n" not in str(refused)


def test_a_number_of_5000_digits_is_refused_at_its_place():
    text = json.dumps(LEAST).replace('"-40"', "9" * 5000)
    with pytest.raises(UserError, match=r"properties\[0\]\.dataType\.specs\.min: .{1,50} is no number"):
        tsl.build(text.encode())
    with pytest.raises(UserError, match=r"properties\[0\]: .{1,50} is no object"):
        tsl.build(b'{"properties": [' + b"9" * 5000 + b"]}")
