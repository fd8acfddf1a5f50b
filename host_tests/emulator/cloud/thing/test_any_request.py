"""Whatever a device sends on a topic of the thing model: a known code, the id as it was, and the cloud goes on."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.emulator.cloud.test_fuzz import json_values, many
from host_tests.support.cloud.asker import Asker
from host_tests.support.cloud.thing import DN, GDN, GPK, ONE, OTHER, PK, SPK, TSL, World
from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import MESSAGES
from tools.emulator.cloud.thing import model

TAILS = (
    "thing/event/property/post",
    "thing/event/alarm/post",
    "thing/event/property/batch/post",
    "thing/event/property/history/post",
    "thing/event/property/pack/post",
    "thing/property/desired/get",
    "thing/property/desired/delete",
    "thing/dsltemplate/get",
    "thing/service/property/set_reply",
    "thing/service/property/get_reply",
    "thing/service/Reset_reply",
    "thing/model/up_raw",
)
names = st.sampled_from(
    [*(one["identifier"] for one in TSL["properties"]), "alarm", "errorCode", "", "nobody"]
)
times = st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.none()
values = json_values | st.fixed_dictionaries({"value": json_values}, optional={"time": times})
features = st.dictionaries(names, values | st.lists(values, max_size=3), max_size=3)
identities = st.sampled_from([(PK, DN), (PK, OTHER), (SPK, ONE), (GPK, GDN), ("", "x"), (1, None)]).map(
    lambda key: dict(zip(("productKey", "deviceName"), key))
)
parts = st.fixed_dictionaries(
    {},
    optional={
        "identity": identities | json_values,
        "properties": features | st.lists(features, max_size=2) | json_values,
        "events": features | st.lists(features, max_size=2) | json_values,
        "subDevices": st.lists(
            st.fixed_dictionaries({"identity": identities, "properties": features}), max_size=2
        ),
    },
)
params = features | parts | st.lists(parts, max_size=2) | st.lists(names, max_size=3) | json_values
ids = st.text(max_size=3) | st.integers() | st.none() | st.sampled_from(["1", 7, 1.5])
requests = st.fixed_dictionaries(
    {},
    optional={
        "id": ids,
        "params": params,
        "sys": json_values,
        "method": st.text(max_size=3),
        "code": json_values,
    },
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("any") / "run", tsl_check="strict")
    made.askers = [made.device, made.gateway(), Asker(made.instance, PK, OTHER)]
    yield made
    made.close()


@settings(many, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2), st.sampled_from(TAILS), requests)
def test_any_request_is_answered_with_a_known_code_and_its_id(world, asker, tail, request):
    payload = json.dumps(request).encode()
    for packet in world.askers[asker].publish(tail, payload):
        reply = json.loads(packet.payload)
        assert reply["code"] in MESSAGES and packet.topic.endswith("_reply")
        body = alink.parse(payload)
        assert json.dumps(reply["id"]) == json.dumps((body or {}).get("id", ""))
    for name in world.values():
        assert name in model.read(TSL).properties


@many
@given(st.binary(max_size=40), st.sampled_from(TAILS))
def test_any_bytes_are_refused_or_passed_over(world, payload, tail):
    for packet in world.device.publish(tail, payload):
        assert json.loads(packet.payload)["code"] in MESSAGES


specs = st.dictionaries(
    st.sampled_from(["min", "max", "length", "size", "item", "0"]),
    json_values | st.just({"type": "int"}),
    max_size=3,
)
types = st.fixed_dictionaries(
    {"type": st.sampled_from(["int", "text", "enum", "array", "struct", "x"]) | json_values},
    optional={"specs": specs},
)
listed = st.fixed_dictionaries(
    {"identifier": names | json_values},
    optional={"dataType": types | json_values, "accessMode": json_values, "outputData": json_values},
)
models = st.fixed_dictionaries(
    {},
    optional={
        kind: st.lists(listed, max_size=2) | json_values for kind in ("properties", "events", "services")
    },
)


@many
@given(models | json_values)
def test_any_specification_is_a_model_or_one_line(source):
    try:
        model.template(model.read(source))
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
