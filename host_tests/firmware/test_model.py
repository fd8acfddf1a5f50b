"""The device's model on both interpreters, over the tables that tools/image/tsl.py makes."""

import json
import random
from contextlib import ExitStack

import pytest

from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT, VECTORS
from tools.image import tsl

CASE = ROOT / "host_tests/firmware/thing/model_calls.py"


@pytest.fixture(scope="module", params=list(INTERPRETERS))
def ask(request):
    with ExitStack() as stack:
        asked = stack.enter_context(conversation(CASE, request.param, heap="512K"))

        def call(function, value):
            failed = asked(function, value)
            assert failed is None, failed

        yield call


def prop(identifier, kind, specs=None, mode="rw"):
    data = {"type": kind} if specs is None else {"type": kind, "specs": specs}
    return {"identifier": identifier, "name": identifier, "accessMode": mode, "dataType": data}


def member(identifier, kind, specs=None):
    return {"identifier": identifier, "dataType": prop("x", kind, specs)["dataType"]}


def refused(number, detail=None):
    return {"raises": number, "detail": detail}


MODEL = {
    "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json",
    "profile": {"productKey": "a1TestTslKey", "version": "1.0"},
    "properties": [
        prop("Int", "int", {"min": "-5", "max": "100", "step": "5"}),
        prop("AnyInt", "int", {}),
        prop("Temp", "float", {"min": "-40", "max": "125", "step": "0.1"}, "r"),
        prop("Third", "float", {"min": "0", "max": "1", "step": "0.3"}),
        prop("AnyFloat", "float"),
        prop("Double", "double", {"min": "0.5", "max": "1e6"}),
        prop("Least", "double", {"min": "2"}),
        prop("Switch", "bool", {"0": "off", "1": "on"}),
        prop("Mode", "enum", {"0": "auto", "2": "cool", "-7": "odd"}),
        prop("Text", "text", {"length": "8"}),
        prop("When", "date"),
        prop("Place", "struct", [member("lat", "double", {"max": "90"}), member("on", "bool")]),
        prop("Ints", "array", {"size": "3", "item": {"type": "int"}}),
        prop("Texts", "array", {"size": "2", "item": {"type": "text"}}),
        prop("Rows", "array", {"size": "2", "item": {"type": "struct", "specs": [member("at", "date")]}}),
        prop("room:Light", "bool"),
    ],
    "events": [
        {"identifier": "post", "type": "info", "method": "thing.event.property.post", "outputData": []},
        {
            "identifier": "Overheat",
            "type": "alert",
            "method": "thing.event.Overheat.post",
            "outputData": [member("Temp", "float"), member("Since", "date")],
        },
        {"identifier": "room:alarm", "type": "error", "outputData": []},
    ],
    "services": [
        {"identifier": "set", "method": "thing.service.property.set", "inputData": [], "outputData": []},
        {"identifier": "get", "method": "thing.service.property.get", "inputData": [], "outputData": []},
        {
            "identifier": "Reset",
            "callType": "sync",
            "inputData": [member("delay", "int", {"min": "0", "max": "9"}), member("hard", "bool")],
            "outputData": [member("accepted", "bool")],
        },
        {"identifier": "Ping", "callType": "async"},
    ],
}

# identifier, a value of the application's, what goes over the wire
TO_WIRE = [
    ("Int", -5, -5),
    ("Int", 7, 7),
    ("Int", 101, refused(6306)),
    ("Int", -6, refused(6306)),
    ("Int", 1.0, refused(6306)),
    ("Int", True, refused(6306)),
    ("Int", "7", refused(6306)),
    ("Int", None, refused(6306)),
    ("AnyInt", 2147483647, 2147483647),
    ("AnyInt", -2147483648, -2147483648),
    ("AnyInt", 2147483648, refused(6306)),
    ("Temp", 21.5, 21.5),
    ("Temp", 21, 21.0),
    ("Temp", 21.5371, 21.5),
    ("Temp", -39.96, -40.0),
    ("Temp", 125.01, refused(6307)),
    ("Temp", -41, refused(6307)),
    ("Temp", "21", refused(6307)),
    ("Temp", True, refused(6307)),
    ("Third", 0.65, 0.6),
    ("Third", 1.0, 0.9),
    ("AnyFloat", -1.25e30, -1.25e30),
    ("AnyFloat", None, refused(6307)),
    ("Double", 0.5, 0.5),
    ("Double", 1000000, 1000000.0),
    ("Double", 0.25, refused(6322)),
    ("Double", [], refused(6322)),
    ("Least", 1.5, refused(6322)),
    ("Least", 1e200, 1e200),
    ("Switch", True, 1),
    ("Switch", False, 0),
    ("Switch", 1, 1),
    ("Switch", 2, refused(6308)),
    ("Switch", 1.0, refused(6308)),
    ("Switch", "on", refused(6308)),
    ("Mode", 2, 2),
    ("Mode", -7, -7),
    ("Mode", 1, refused(6309)),
    ("Mode", False, refused(6309)),
    ("Mode", "2", refused(6309)),
    ("Text", "12345678", "12345678"),
    ("Text", "", ""),
    ("Text", "123456789", refused(6310)),
    ("Text", "\u6e29\u5ea6", "\u6e29\u5ea6"),
    ("Text", "\u6e29\u5ea6\u6e29", refused(6310)),
    ("Text", 5, refused(6310)),
    ("When", 1524448722000, "1524448722000"),
    ("When", "1524448722000", "1524448722000"),
    ("When", "yesterday", refused(6311)),
    ("When", -1, refused(6311)),
    ("When", 1.5, refused(6311)),
    ("When", True, refused(6311)),
    ("Place", {"lat": 45.5, "on": True}, {"lat": 45.5, "on": 1}),
    ("Place", {"on": False}, {"on": 0}),
    ("Place", {"lat": 91}, refused(6322)),
    ("Place", {"lon": 1}, refused(6303)),
    ("Place", [1], refused(6312)),
    ("Ints", [1, 2, 3], [1, 2, 3]),
    ("Ints", [], []),
    ("Ints", [1, 2, 3, 4], refused(6324)),
    ("Ints", [1, "2"], refused(6325)),
    ("Ints", "123", refused(6328)),
    ("Ints", {"0": 1}, refused(6328)),
    ("Texts", ["a", "b"], ["a", "b"]),
    ("Texts", ["a", 1], refused(6325)),
    ("Rows", [{"at": 5}, {}], [{"at": "5"}, {}]),
    ("Rows", [{"at": "x"}], refused(6311)),
    ("Rows", [5], refused(6312)),
    ("room:Light", True, 1),
    ("Light", True, refused(6320)),
    ("", 1, refused(6321)),
    ("Overheat", 1, refused(6320)),
    ("x" * 300, 1, refused(6320)),
]
# the way back: only what differs
FROM_WIRE = [
    ("Switch", 1, True),
    ("Switch", 0, False),
    ("Switch", 2, refused(6308)),
    ("When", "1524448722000", 1524448722000),
    ("When", "", refused(6311)),
    ("AnyFloat", 21, 21.0),
    ("Int", 200, refused(6306)),
    ("Mode", 0, 0),
    ("Place", {"lat": 1, "on": 1}, {"lat": 1.0, "on": True}),
    ("Rows", [{"at": "5"}], [{"at": 5}]),
    ("Temp", 21.5, refused(460)),
    ("Nothing", 1, refused(6320)),
]
CALLS = [
    ("event", "Overheat", {"Temp": 90, "Since": 5}, {"Temp": 90.0, "Since": "5"}),
    ("event", "Overheat", {}, {}),
    ("event", "Overheat", {"Temp": "hot"}, refused(6307)),
    ("event", "Overheat", {"Other": 1}, refused(6303)),
    ("event", "Overheat", 90, refused(6312)),
    ("event", "Underheat", {}, refused(5160)),
    ("event", "post", {}, refused(5160)),
    ("event", "room:alarm", {}, {}),
    ("service_inputs", "Reset", {"delay": 3, "hard": 1}, {"delay": 3, "hard": True}),
    ("service_inputs", "Reset", {"delay": 3}, refused(6302)),
    ("service_inputs", "Reset", {"delay": 10, "hard": 1}, refused(6306)),
    ("service_inputs", "Reset", {"delay": 3, "hard": 1, "x": 1}, refused(6303)),
    ("service_inputs", "Reset", [], refused(6312)),
    ("service_inputs", "Ping", {}, {}),
    ("service_inputs", "Pong", {}, refused(6313)),
    ("service_inputs", "set", {}, refused(6313)),
    ("service_outputs", "Reset", {"accepted": True}, {"accepted": 1}),
    ("service_outputs", "Reset", {}, refused(6302)),
    ("service_outputs", "Reset", {"accepted": 1, "delay": 1}, refused(6303)),
    ("service_outputs", "Ping", {}, {}),
]
SENTENCES = [
    ("Int", 101, 6306, "Int: 101 is not an integer from -5 to 100"),
    ("Temp", 130.5, 6307, "Temp: 130.5 is not a number from -40 up to 125"),
    ("Mode", "cool", 6309, "Mode: text of 4 bytes is not one of -7, 0, 2"),
    ("Place", {"lat": 91}, 6322, "Place.lat: 91 is not a number up to 90"),
    ("Ints", [1, 2, None], 6325, "Ints[2]: NoneType is not an integer from -2147483648 to 2147483647"),
    ("Int", 10**4000, 6306, "Int: int is not an integer from -5 to 100"),
    ("Ints", [1] * 4, 6324, "Ints: 4 elements are more than 3"),
    ("Lamp", 1, 6320, "the model has no Lamp"),
]


def table(model=MODEL):
    return tsl.build(json.dumps(model).encode()).data.hex()


def call(method, identifier, value, wanted):
    is_refused = isinstance(wanted, dict) and "raises" in wanted
    return [method, [identifier, value], wanted if is_refused else {"is": wanted}]


def test_values_and_the_platform_s_codes(ask):
    calls = [call("property_value", *row) for row in TO_WIRE]
    calls += [call("from_wire", *row) for row in FROM_WIRE]
    calls += [call(*row) for row in CALLS]
    for at in range(0, len(calls), 20):
        ask("calls", {"table": table(), "calls": calls[at : at + 20]})


def test_the_values_of_the_vectors(ask):
    found = json.loads((VECTORS / "vectors_application.json").read_text())
    kinds = [prop(name, kind["type"], kind["specs"]) for name, kind in found["kinds"].items()]
    for at in range(0, len(found["values"]), 20):
        ask("vectors", {"table": table({"properties": kinds}), "values": found["values"][at : at + 20]})


def test_a_sentence_names_the_value_and_what_is_allowed(ask):
    calls = [
        call("property_value", name, value, refused(number, detail))
        for name, value, number, detail in SENTENCES
    ]
    ask("calls", {"table": table(), "calls": calls})


def test_a_file_that_is_no_table_says_so(ask):
    ask("not_there", 0)
    for text in (b"", b"TSL", b"TSL2\x01\x00", json.dumps(MODEL).encode()):
        ask("damaged", {"tables": [text.hex()], "calls": [], "whole": table()})


def big(properties):
    """A model of so many properties of all types."""
    kinds = [p for p in MODEL["properties"] if ":" not in p["identifier"]]
    made = [{**kinds[at % len(kinds)], "identifier": f"Property{at}"} for at in range(properties)]
    return {**MODEL, "properties": made}


@pytest.mark.parametrize("properties", [20, 200])
def test_a_model_takes_the_same_heap_however_large_it_is(ask, properties):
    calls = [["property_value", [f"Property{at}", 1]] for at in range(0, properties, 15)]
    ask("heap", {"table": table(big(properties)), "calls": calls, "most": 600})


def test_damaged_tables_give_nothing_but_errors_of_the_package(ask, campaign, tally):
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    whole = bytes.fromhex(table())
    asked = [call("property_value", *row)[:2] for row in TO_WIRE]
    asked += [call("from_wire", *row)[:2] for row in FROM_WIRE]
    asked += [call(*row)[:2] for row in CALLS]
    lines = whole.replace(b"accepted", b"acc\npted")  # a sentence with that name would be two lines
    ask("damaged", {"tables": [lines.hex()], "calls": asked, "whole": whole.hex()})
    for _ in range(campaign(10)):
        tables = [spoiled(draw, whole).hex() for _ in range(4)]
        ask("damaged", {"tables": tables, "calls": draw.sample(asked, 30), "whole": whole.hex()})
        tally("damaged models", len(tables))


def test_whatever_an_application_or_the_platform_gives_is_a_value_or_a_refusal(ask, campaign, tally):
    draw = random.Random(random.randrange(2**32))
    names = [p["identifier"] for p in MODEL["properties"]] + ["Overheat", "Reset", "Ping", "", "Lamp"]
    methods = ["property_value", "from_wire", "event", "service_inputs", "service_outputs"]
    for _ in range(campaign(10)):
        calls = [[draw.choice(methods), [draw.choice(names), anything(draw)]] for _ in range(100)]
        ask("damaged", {"tables": [table()], "calls": calls, "whole": table()})
        tally("values for a model", len(calls))


def anything(draw, depth=0):
    """What JSON may hold, likelier what the model knows."""
    kind = draw.randrange(12 if depth < 4 else 8)
    if kind < 4:
        return draw.choice((0, 1, -1, 7, 2**31, -(2**31) - 1, 10**40, 10**400, None, True, False))
    if kind < 6:
        return draw.choice((0.5, -0.0, 1e300, 21.55, 1e-300, 125.0000001, -40.04))
    if kind < 8:
        return draw.choice(
            ("", "1", "-1", "on", "1524448722000", "\u0000", "\u6e29" * 5, "x" * 2000, "\u0663")
        )
    if kind < 10:
        return [anything(draw, depth + 1) for _ in range(draw.randrange(5))]
    keys = ("lat", "on", "at", "Temp", "Since", "delay", "hard", "accepted", "", "x" * 300, "\u6e29")
    return {draw.choice(keys): anything(draw, depth + 1) for _ in range(draw.randrange(4))}


def spoiled(draw, whole):
    data = bytearray(whole)
    for _ in range(draw.choice((1, 3, 20, 200))):
        data[draw.randrange(4 if draw.random() < 0.9 else 0, len(data))] = draw.choice(
            (0, 255, draw.randrange(256))
        )
    return bytes(data[: draw.randrange(len(data))] if draw.random() < 0.2 else data)
