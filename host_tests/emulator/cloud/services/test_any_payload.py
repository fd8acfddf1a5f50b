"""What official clients send, with something else in it, on every topic of a device: an answer or an event of the log.

The vectors' requests are the beginning; a value, a key or bytes of them are changed.
"""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.support.cloud.thing import DN, PK, World
from host_tests.support.paths import VECTORS
from tools.emulator.cloud import alink
from tools.emulator.cloud.services import jobs

FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
EXAMPLES = max(10, int(400 * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))
SILENT = ("/ota/device/inform/", "/ota/device/progress/")  # they have no reply, application.md 5.2
HOLE = "here-is-another-value"
# JSON texts of values; some are none, some no Python value can be written as
ODD = (
    *("null", "true", "-1", "0", "1e999", "-1e999", "NaN", "1.5", "9" * 400, "9007199254740993", '"1"', '""'),
    *(
        r'"\ud800"',
        r'"\u0000"',
        '"null"',
        "[]",
        "{}",
        "[[]]",
        "[null]",
        '{"":null}',
        '{"a":{"b":{"c":{"d":{"e":{}}}}}}',
    ),
    *("[" * 300 + "]" * 300, '{"a":1,}', '"%s"' % ("y" * 12000), '"ü"', '"../x"', '"a/b"', '{"value":1}'),
)


def named(text):
    return text.replace("{pk}", PK).replace("{dn}", DN)


REQUESTS = [(named(one["topic"]), named(one["payload"])) for one in FOUND["requests"]]
TASK = "a task"
S = f"/sys/{PK}/{DN}/thing/"
# what the vectors have no request of
REQUESTS += [
    (S + "job/get", '{"id":"1","params":{"taskId":"1"}}'),
    (
        S + "job/update",
        '{"id":"1","params":{"taskId":"%s","status":"IN_PROGRESS","progress":5,"statusDetails":{"k":"v"}}}'
        % TASK,
    ),
    (S + "file/upload/mqtt/cancel", '{"id":"1","params":{"uploadId":"%s"}}' % ("0" * 32)),
    (f"/shadow/update/{PK}/{DN}", '{"method":"update","state":{"reported":{"a":{"b":[1]}}},"version":-1}'),
]
BLOCKS = [bytes.fromhex(one["message"]) for one in FOUND["blocks"]]
SEND = f"/sys/{PK}/{DN}/thing/file/upload/mqtt/send"
TOPICS = [
    named(one["topic"]).replace("{id}", "alarm").replace("{messageId}", "1")
    for one in FOUND["topics"]
    if one["direction"] == "up"
]


def places(value):
    """Each (container, key) in a JSON value."""
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@st.composite
def altered(draw):
    """(topic, payload) of a request in which one value, or a key, is another."""
    topic, text = draw(st.sampled_from(REQUESTS))
    try:
        body = json.loads(text)
    except ValueError:
        return topic, text.encode()
    container, key = draw(st.sampled_from(list(places(body))))
    if isinstance(container, dict) and draw(st.integers(0, 4)) == 0:
        container[draw(st.sampled_from(["", "id", "x", "value", "y" * 200]))] = container.pop(key)
    else:
        container[key] = HOLE
    text = json.dumps(body).replace(f'"{HOLE}"', draw(st.sampled_from(ODD)))
    return topic, text.encode()


@st.composite
def damaged(draw, whole):
    """Bytes of which some are others, or are left out."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=2))
    return bytes(data)


requests = st.sampled_from(REQUESTS)
messages = (
    altered()
    | st.tuples(requests.map(lambda one: one[0]), damaged(requests.map(lambda one: one[1].encode())))
    | st.tuples(st.just(SEND), damaged(st.sampled_from(BLOCKS)))
    | st.tuples(st.sampled_from(TOPICS), st.binary(max_size=30))
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    tsl = json.loads(named(json.dumps(FOUND["tsl"])))
    made = World(tmp_path_factory.mktemp("payloads") / "run", tsl=tsl)
    task = {"taskId": TASK, "jobId": "a job", "status": "SENT", "until": None}
    made.instance.store.save_state(PK, DN, jobs.KIND, {TASK: task})
    yield made
    made.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages)
def test_whatever_a_device_sends_is_answered_or_noted(world, message):
    topic, payload = message
    journal = world.instance.journal
    before = journal.number
    came = world.device.publish(topic, payload)
    happened = [one for one in journal.select_events(after=before)]
    body = alink.parse(payload)
    silent = body is not None and (topic.startswith(SILENT) or not alink.wants_reply(body))
    assert came or happened or silent, (topic, payload)
    for packet in came:
        if topic == SEND or not packet.topic.endswith("download_reply"):
            json.loads(packet.payload, parse_constant=refuse)


def refuse(name):
    raise AssertionError(f"{name} is no JSON")


def test_afterwards_it_still_answers(world):
    (packet,) = world.device.publish("thing/event/property/post", b'{"id":"1","params":{"on":1}}')
    assert json.loads(packet.payload)["code"] == 200
