"""Whatever the platform sends to a thing, on both interpreters: an error of the package's at most, and little heap."""

import json
import random
from contextlib import ExitStack

import pytest

from host_tests.support.device_tests import INTERPRETERS, conversation
from host_tests.support.paths import ROOT, VECTORS
from tools.image import tsl

CASE = ROOT / "host_tests/firmware/thing/platform_sends.py"
SERVICES = ROOT / "host_tests/firmware/services/service_sends.py"
FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
PK, DN = "a1ThingPk01", "dev_0001"
RRPC = f"/ext/rrpc/{{messageId}}/sys/{PK}/{DN}/"
TOPICS = [one["topic"] + "_reply" * one["reply"] * (one["direction"] == "up") for one in FOUND["topics"]]
TOPICS += [RRPC + "thing/service/{id}", RRPC + "thing/model/down_raw", "/{pk}/{dn}/user/get", "/"]


PROPERTY = {"identifier": "Switch", "accessMode": "rw", "dataType": {"type": "bool"}}
TSL = {
    "properties": [
        PROPERTY,
        PROPERTY | {"identifier": "Count", "dataType": {"type": "int", "specs": {"max": "100"}}},
        PROPERTY | {"identifier": "Label", "dataType": {"type": "text", "specs": {"length": "400"}}},
    ],
    "services": [
        {
            "identifier": "Reset",
            "callType": "sync",
            "inputData": [{"identifier": "delay", "dataType": {"type": "int"}}],
            "outputData": [
                {"identifier": "accepted", "dataType": {"type": "bool"}},
                {"identifier": "delay", "dataType": {"type": "int"}},
            ],
        }
    ],
}


@pytest.fixture(params=list(INTERPRETERS))
def ask(request):
    """Asks a board that runs a case file: `CASE`, or that of the test's parameter `case`."""
    case = request.node.callspec.params.get("case", CASE)
    with ExitStack() as stack:
        asked = stack.enter_context(conversation(case, request.param, heap="384K"))

        def call(function, value):
            failed = asked(function, value)
            assert failed is None, failed

        yield call


def value(draw, depth=0):
    """What JSON may hold."""
    kind = draw.randrange(10 if depth < 3 else 7)
    if kind < 4:
        return draw.choice((0, 1, -1, 41, 2**31, 10**25, None, True, False, 1.5, -0.0, 1e300, 200, 460))
    if kind < 7:
        return draw.choice(("", "41", "200", "1", "x" * 300, "\u6e29", "\0", "thing.service.Reset", "Switch"))
    if kind < 8:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {name: value(draw, depth + 1) for name in draw.sample(NAMES, draw.randrange(4))}


NAMES = [
    "id",
    "code",
    "data",
    "params",
    "method",
    "version",
    "value",
    "time",
    "Switch",
    "Count",
    "Label",
    "delay",
    "",
    "x",
]
ODD = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"id":1e999,"params":{"Count":1e999}}',
    b'{"id":NaN,"params":{}}',
    b'{"id":"1","id":"41"}',
    b"\xff\xfe{}",
    b"[" * 1500,
    b'{"params":' + b'{"a":' * 300 + b"1" + b"}" * 301,
    b'{"id":"41","code":200,"data":"' + b"y" * 1500 + b'"}',
    b'{"id":' + b"9" * 400 + b"}",
    b'{"id":"1","params":{"Label":"' + b"z" * 5000 + b'"}}',
    b'{"id":"1","params":[[],{},1,"Switch"]}',
    b'{"id":"1","code":200,"data":{"Switch":{"value":1,"version":1e999},"Count":{"value":1e999,"version":{}}}}',
    b'{"id":"1","params":{"Switch":1,"delay":1e999},"method":"thing.service.Reset"}',
)


def message(draw):
    """(topic, payload as hex): an envelope of odd values, an odd text, or either with some bytes changed."""
    names = {"{pk}": PK, "{dn}": DN, "{id}": draw.choice(("Reset", "Other", "m:Reset", "property"))}
    names["{messageId}"] = draw.choice(("1", "9223372036854775807", "", "x"))
    topic = draw.choice(TOPICS)
    for name, text in names.items():
        topic = topic.replace(name, text)
    if draw.randrange(5) == 0:
        data = bytearray(draw.choice(ODD))
    else:
        keys = draw.sample(NAMES[:6], draw.randrange(7))
        body = {name: value(draw) for name in keys}
        if draw.randrange(2):
            body |= {"id": draw.choice(("41", 41, "42")), "params": value(draw, 1)}
        data = bytearray(json.dumps(body).encode())
    for _ in range(draw.choice((0, 0, 0, 1, 3)) if data else 0):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return topic, bytes(data).hex()


def messages(count):
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    print("seed", seed)
    return {"messages": [message(draw) for _ in range(count)]}


def test_whatever_comes_to_what_waits_and_asks(ask, campaign, tally):
    for _ in range(campaign(12)):
        ask("requests", messages(20))
        tally("messages of the platform", 20)
    ask("bounded", 6000)


@pytest.mark.parametrize(
    "table", [None, tsl.build(json.dumps(TSL).encode()).data.hex()], ids=["free", "model"]
)
def test_whatever_a_thing_is_set_asked_and_answered(ask, campaign, tally, table):
    """What may stay are the last values, and what may be desired."""
    for _ in range(campaign(7)):
        ask("things", {**messages(20), "table": table})
        tally("messages of the platform", 20)
    ask("bounded", 16000)


@pytest.mark.parametrize("case", [SERVICES], ids=["services"])
def test_whatever_comes_to_the_services(ask, case, campaign, tally):
    for _ in range(campaign(8)):
        ask("services", messages(20))
        tally("messages of the platform", 20)
    ask("bounded", 16000)
