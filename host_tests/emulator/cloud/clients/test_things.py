"""The official Python and Node SDKs as things of a product with a model: what they post, are set and are asked."""

import hashlib
import json

import pytest

from host_tests.emulator.cloud.clients.conftest import INSTANCE, THING_PK
from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.thing import model

POST, REPLY = "thing/event/property/post", "thing/downlink/reply/message"


@pytest.fixture
def play(cloud, request, tmp_path):
    """`play(driver, **job)` runs the scene; the SDK's events, what the cloud's calls gave, and messages(tail).

    The reply to a set is waited for `seconds`.
    """
    cloud.admin("POST", f"/products/{THING_PK}/tsl", TSL)
    dn = "d" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    (made,) = cloud.admin("POST", f"/products/{THING_PK}/devices?secret=1", {"device_names": [dn]})
    (tmp_path / "model.json").write_text(json.dumps(model.template(model.read(TSL))))
    given = {}

    def ask(name, path, params, seconds=20):
        given[name] = cloud.act(THING_PK, dn, path, {"params": params, "wait": seconds})

    def messages(tail):
        topic = f"/{THING_PK}/{dn}/{tail}"
        return [one["body"] for one in cloud.server_messages(topic=topic)]

    def run(driver, seconds=20, **job):
        events = driver(
            "thing",
            product_key=THING_PK,
            device_name=dn,
            device_secret=made["device_secret"],
            thing_model=str(tmp_path / "model.json"),
            on={
                "set": lambda: ask("set", "property", {"Count": 7}, seconds),
                "async": lambda: ask("async", "service/Reset", {"delay": 3}),
                "sync": lambda: ask("sync", "service/Weigh", {}),
            },
            **job,
        )
        return {one["event"]: one for one in events}, given, messages

    return run


def reported(given, messages):
    """What both SDKs bring about in the cloud."""
    assert (
        messages(POST)[0]["items"].keys() == {"Temp", "Count"} and messages(POST)[0]["checkFailedData"] == {}
    )
    (event,) = messages("thing/event/alarm/post")
    assert (event["value"], event["type"], event["checkFailedData"]) == ({"errorCode": "E1"}, "alert", {})
    assert given["async"]["reply"]["data"] == {"accepted": 1}
    assert given["sync"]["reply"]["data"] == {"weight": 1.5} and given["sync"]["sync"]
    replies = {one["requestId"]: one for one in messages(REPLY)}
    for name in ("async", "sync"):
        one = replies[given[name]["id"]]
        assert (one["code"], one["checkFailedData"]) == (200, {}), name


def test_the_python_sdk_as_a_thing(play, linkkit):
    by_event, given, messages = play(linkkit, product_secret="", instance_id=INSTANCE)
    assert by_event["property"]["code"] == 200 and by_event["event"]["got"] == ["alarm", 200]
    assert by_event["set"]["got"] == [{"Count": 7}]
    assert given["set"]["reply"]["code"] == 200, "the SDK answers a set by itself"
    assert (by_event["async"]["got"], by_event["sync"]["got"]) == (["Reset", {"delay": 3}], ["Weigh", {}])
    reported(given, messages)


def test_the_node_sdk_as_a_thing(play, node):
    by_event, given, messages = play(node, seconds=0)
    assert by_event["property"]["code"] == 200 and by_event["event"]["code"] == 200
    assert by_event["set"]["params"] == {"Count": 7}
    assert (by_event["async"]["params"], by_event["sync"]["params"]) == ({"delay": 3}, {})
    reported(given, messages)
