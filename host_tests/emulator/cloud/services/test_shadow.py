"""Device shadows: versions, metadata, codes, limits, and what an application desires (application.md 6)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.support.cloud.asker import START
from host_tests.support.cloud.client import DN as CDN
from host_tests.support.cloud.client import PK as CPK
from host_tests.support.cloud.client import connect_packet
from host_tests.support.cloud.thing import DN, PK
from host_tests.support.paths import VECTORS
from tools.emulator.cloud.codec import Publish

FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
UPDATE, GET = f"/shadow/update/{PK}/{DN}", f"/shadow/get/{PK}/{DN}"
T = int(START)


def report(reported, version=1, **more):
    return {"method": "update", "state": {"reported": reported}, "version": version, **more}


def send(world, body):
    """What comes on /shadow/get for a message, a dict or bytes."""
    packets = world.device.publish(UPDATE, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert [(one.topic, one.qos) for one in packets] == [(GET, 0)]
    return json.loads(packets[0].payload)


def good(version):
    return {"method": "reply", "payload": {"status": "success", "version": version}, "timestamp": T}


def code(answer):
    assert set(answer) == {"method", "payload", "timestamp"} and answer["payload"]["status"] == "error"
    assert answer["payload"]["content"]["errormessage"]
    return int(answer["payload"]["content"]["errorcode"])


def test_a_report_a_read_and_the_time_of_each_leaf(world):
    found = world()
    assert send(found, report({"color": "red", "lamp": {"on": 1, "rgb": [1, 2]}})) == good(1)
    found.now += 5
    assert send(found, report({"lamp": {"rgb": [3]}, "new": {}}, 2))["payload"]["version"] == 2
    assert send(found, {"method": "get"}) == {
        "method": "reply",
        "payload": {
            "status": "success",
            "state": {"reported": {"color": "red", "lamp": {"on": 1, "rgb": [3]}, "new": {}}},
            "metadata": {
                "reported": {
                    "color": {"timestamp": T},
                    "lamp": {"on": {"timestamp": T}, "rgb": {"timestamp": T + 5}},
                    "new": {"timestamp": T + 5},
                }
            },
        },
        "version": 2,
        "timestamp": T + 5,
    }


# stored version, sent -> the version then, or a code
VERSIONS = [
    (0, 1, 1),
    (0, 0, 409),
    (5, 5, 409),
    (5, 4, 409),
    (5, -2, 409),
    (5, -1, 0),
    (5, 6, 6),
    (5, 1_750_000_000_000, 1_750_000_000_000),
    (2**62, 2**63 - 1, 2**63 - 1),
    (5, 2**63, 403),
    (5, "6", 403),
    (5, 6.0, 403),
    (5, True, 403),
    (5, None, 403),
]


@pytest.mark.parametrize(("stored", "sent", "result"), VERSIONS)
@pytest.mark.parametrize("method", ["update", "delete"])
def test_the_arithmetic_of_versions(world, method, stored, sent, result):
    found = world()
    if stored:
        send(found, report({"a": 1}, stored))
    answer = send(found, report({"a": "null"}, sent) | {"method": method})
    if result in (403, 409):
        assert code(answer) == result
        assert send(found, {"method": "get"})["version"] == stored
    else:
        assert answer == good(result)
        assert send(found, {"method": "get"})["version"] == result


@pytest.mark.parametrize(
    "vector", FOUND["shadow_versions"], ids=lambda one: f"{one['stored']} {one['version']}"
)
def test_the_versions_of_the_vectors(world, vector):
    found = world()
    if vector["stored"]:
        send(found, report({"a": 1}, vector["stored"]))
    answer = send(found, report({"a": 2}, vector["version"]))
    assert (code(answer) if vector["code"] else 0) == vector["code"]
    assert send(found, {"method": "get"})["version"] == vector["after"]


@pytest.mark.parametrize("vector", FOUND["shadow_errors"], ids=lambda one: one["code"])
def test_the_errors_of_the_vectors(world, vector):
    assert code(send(world(), vector["payload"].encode())) == vector["code"]


WRONG = [
    (b"{", 400),
    (b"\xff\x00", 400),
    (b"[1]", 400),
    (b'{"method":"get","x":NaN}', 400),
    (b"", 407),
    (b"{}", 407),
    ({"state": {"reported": {"a": 1}}, "version": 1}, 401),
    ({"method": "update", "version": 1}, 402),
    ({"method": "update", "state": "null", "version": 1}, 402),
    ({"method": "delete", "version": 1}, 402),
    ({"method": "update", "state": {"reported": {"a": 1}}}, 403),
    (report("null"), 404),
    (report([1]), 404),
    ({"method": "update", "state": {}, "version": 1}, 404),
    ({"method": "update", "state": {"desired": {"a": 1}}, "version": 1}, 404),
    ({"method": "delete", "state": {"desired": "null"}, "version": 1}, 404),
    (report({}), 405),
    (report({}) | {"method": "delete"}, 405),
    ({"method": "put"}, 406),
    ({"method": 5}, 406),
    ({"method": ["get"]}, 406),
    (report({str(n): 1 for n in range(129)}), 408),
    (report({"a": {str(n): {"x": 1} for n in range(129)}}), 408),
    (report({"a": "x" * 16_384}), 400),
    (report({"a": {"b": {"c": {"d": {"e": {}}}}}}), 400),
]


@pytest.mark.parametrize(("body", "expected"), WRONG)
def test_a_refused_message_has_its_code_changes_nothing_and_is_one_event(world, body, expected):
    found = world()
    assert code(send(found, body)) == expected
    assert send(found, {"method": "get"})["payload"] == {"status": "success", "state": {}, "metadata": {}}
    assert [one["code"] for one in found.instance.journal.select_events(event="refused request")] == [
        expected
    ]


@pytest.mark.parametrize(
    "body",
    [
        report({str(n): 1 for n in range(128)}),
        report({"a": {"b": {"c": {"d": {"e": 1}}}}}),
        report({"a": "x" * 16_000}),
    ],
)
def test_what_is_just_within_the_limits_is_taken(world, body):
    assert send(world(), body) == good(1)


def test_a_shadow_that_grows_above_its_size_is_refused(world):
    found = world(switches={"shadow_too_large": 500})
    assert send(found, report({"a": "x" * 10_000})) == good(1)
    assert code(send(found, report({"b": "x" * 10_000}, 2))) == 500
    assert send(found, report({"a": "x"}, 2)) == good(2)


def test_some_or_all_is_deleted(world):
    found = world()
    send(found, report({"a": 1, "b": {"c": 2, "d": 3}, "e": 4}))
    send(
        found,
        report({"a": "null", "b": {"c": None}, "e": "kept", "unknown": "null"}, 2) | {"method": "delete"},
    )
    payload = send(found, {"method": "get"})["payload"]
    assert payload["state"] == {"reported": {"b": {"d": 3}, "e": 4}}
    assert payload["metadata"] == {"reported": {"b": {"d": {"timestamp": T}}, "e": {"timestamp": T}}}
    send(found, report({"b": {"d": "null"}}, 3) | {"method": "delete"})
    assert send(found, {"method": "get"})["payload"]["state"] == {"reported": {"e": 4}}
    assert send(found, report("null", 4) | {"method": "delete"}) == good(4)
    assert send(found, {"method": "get"})["payload"]["state"] == {}


def desire(call, world, desired, version=0, **more):
    message = {"method": "update", "state": {"desired": desired}, "version": version}
    return call(world, "UpdateDeviceShadow", ShadowMessage=message, **more)


def test_what_an_application_desires_comes_as_a_control_and_is_cleared(world, call):
    found = world()
    send(found, report({"on": 0}, 7))
    assert desire(call, found, {"on": 1, "level": 3})["Data"] == {"Version": 8}
    packet = found.device.came[-1]
    assert (packet.topic, packet.qos) == (GET, 1)
    assert json.loads(packet.payload) == {
        "method": "control",
        "payload": {
            "status": "success",
            "state": {"reported": {"on": 0}, "desired": {"on": 1, "level": 3}},
            "metadata": {
                "reported": {"on": {"timestamp": T}},
                "desired": {"on": {"timestamp": T}, "level": {"timestamp": T}},
            },
        },
        "version": 8,
        "timestamp": T,
    }
    assert desire(call, found, {"level": 4}, DeltaUpdate=True)["Success"]
    assert json.loads(found.device.came[-1].payload)["payload"]["state"]["desired"] == {"on": 1, "level": 4}
    assert desire(call, found, {"level": 5})["Success"], "without DeltaUpdate all that is desired is replaced"
    assert json.loads(found.device.came[-1].payload)["payload"]["state"]["desired"] == {"level": 5}
    cleared = {"method": "update", "state": {"desired": "null"}, "version": 11}
    assert send(found, cleared) == good(11)
    assert send(found, {"method": "get"})["payload"]["state"] == {"reported": {"on": 0}}
    both = {"method": "update", "state": {"reported": {"on": 1}, "desired": "null"}, "version": 12}
    assert send(found, both) == good(12)


CALLS = [
    ({"ShadowMessage": "{"}, "ParameterError"),
    ({"ShadowMessage": {"version": 1}}, 402),
    ({"ShadowMessage": {"method": "get", "state": {"desired": {"a": 1}}}}, 406),
    ({"ShadowMessage": {"state": {"desired": {}}}}, 407),
    ({"ShadowMessage": {"state": {"desired": {"a": 1}}, "version": "1"}}, 403),
    ({"ShadowMessage": {"state": {"desired": {"a": 1}}, "version": 3}}, 409),
    ({"ShadowMessage": {"state": {"desired": {str(n): 1 for n in range(129)}}}}, 408),
    ({"ShadowMessage": {"state": {"desired": {"a": {"b": {"c": {"d": {"e": []}}}}}}}}, 400),
]


@pytest.mark.parametrize(("values", "expected"), CALLS)
def test_a_call_that_fails_sends_nothing(world, call, values, expected):
    found = world()
    send(found, report({"a": 1}, 3))
    came = len(found.device.came)
    answer = call(found, "UpdateDeviceShadow", **values)
    assert (answer["Success"], answer["Code"]) == (False, expected)
    assert len(found.device.came) == came


def test_a_shadow_survives_and_is_seen_by_the_application(world, call):
    send(world(), report({"a": [1, {"b": 2}]}, 2**40))
    kept = json.loads(call(world(), "GetDeviceShadow")["Data"]["ShadowMessage"])
    assert (kept["method"], kept["version"]) == ("reply", 2**40)
    assert kept["payload"]["state"] == {"reported": {"a": [1, {"b": 2}]}}


def test_by_switches(world, call):
    found = world(
        switches={"shadow_empty": 407, "shadow_qos": 0, "shadow_rate": "drop"}, limits={"shadow_requests": 2}
    )
    assert code(send(found, {"method": "get"})) == 407
    desire(call, found, {"a": 1})
    assert found.device.came[-1].qos == 0
    assert send(found, {"method": "get"})["payload"]["state"] == {"desired": {"a": 1}}
    assert found.device.publish(UPDATE, b'{"method":"get"}') == []
    found.now += 1
    assert send(found, {"method": "get"})["version"] == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("null"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "reported", "desired"]), inner, max_size=3)
    ),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["get", "update", "delete", "put", 1]),
        "state": json_values,
        "version": st.integers(-2, 9) | json_values,
    },
)


def test_whatever_comes_there_is_one_answer_and_versions_only_grow(world):
    found = world()
    versions = [0]

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=30) | messages.map(lambda body: json.dumps(body).encode()))
    def play(payload):
        answer = send(found, payload)
        if "version" in answer["payload"]:
            fresh = answer["payload"]["version"]
            assert fresh > versions[-1] or fresh == 0
            versions.append(fresh)
        shadow = found.instance.services.shadows.of(found.instance.registry.find(PK, DN))
        assert times(shadow.reported) == stamped(shadow.metadata["reported"], shadow.reported)

    play()


def times(value):
    """The shape of a half: its leaves as None."""
    return {key: times(one) if isinstance(one, dict) and one else None for key, one in value.items()}


def stamped(metadata, value):
    """The shape of its metadata."""
    return {
        key: stamped(one, value[key]) if isinstance(value[key], dict) and value[key] else None
        for key, one in metadata.items()
        if isinstance(value[key], dict) and value[key] or one == {"timestamp": T}
    }


def test_over_mqtt_with_a_fault_at_the_reply(device):
    cloud, client = device(connect_packet(mode="3", extra="_ss=1,"))
    topic = f"/shadow/update/{CPK}/{CDN}"
    cloud.arm("mqtt_tcp", "reply", "code", code=500, topic=f"/shadow/get/{CPK}/{CDN}")
    client.send(Publish(topic, json.dumps(report({"a": 1})).encode()))
    assert code(json.loads(client.read().payload)) == 500
    client.send(Publish(topic, json.dumps(report({"a": 1})).encode()))
    assert code(json.loads(client.read().payload)) == 409, "the first one had its effect"
