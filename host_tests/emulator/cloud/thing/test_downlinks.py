"""Set, get and services as the platform asks them, and what becomes of the replies (application.md 3.2, 3.4, 15)."""

import asyncio
import json

import pytest

from host_tests.support.cloud.thing import DN, NOW, PK
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing.downlinks import REPLY, Wish

SET, GET = "thing/service/property/set", "thing/service/property/get"


def device_of(world):
    return world.instance.registry.find(PK, DN)


def play(world, sending, answer):
    """What `sending`, a coroutine, returns when the device does `answer(topic, request)` with what came of it."""

    async def both():
        seen, task = len(world.device.came), asyncio.ensure_future(sending)
        await asyncio.sleep(0)
        for packet in world.device.came[seen:]:
            answer(packet.topic, json.loads(packet.payload))
        return await task

    return asyncio.run(both())


def replying(world, **body):
    return lambda topic, request: world.device.publish(
        topic + "_reply", json.dumps({"id": request["id"], **body}).encode()
    )


def nothing(topic, request):
    pass


def test_a_set_goes_out_and_its_reply_is_waited_for_kept_and_reported(world):
    found, requests = world(), []

    def answer(topic, request):
        requests.append((topic, request))
        replying(found, code=200, data={})(topic, request)

    sent = play(found, found.instance.downlinks.set(device_of(found), {"Count": 5}, Wish(seconds=5)), answer)
    assert requests == [
        (
            f"/sys/{PK}/{DN}/{SET}",
            {
                "id": sent["id"],
                "version": "1.0.0",
                "params": {"Count": 5},
                "method": "thing.service.property.set",
            },
        )
    ]
    assert sent["reply"] == {"id": sent["id"], "code": 200, "data": {}} and sent["sent"] == 1
    body = found.device.messages(REPLY)[0]
    assert (body["requestId"], body["code"], body["topic"]) == (sent["id"], 200, requests[0][0] + "_reply")
    assert found.history("service") == [(NOW, {"id": sent["id"], "in": {"Count": 5}, "out": {}, "code": 200})]
    assert found.values() == {}, "only a post changes the value"


def test_a_device_that_does_not_answer_has_its_time(world):
    found = world()
    sent = play(
        found, found.instance.downlinks.set(device_of(found), {"Count": 5}, Wish(seconds=0.01)), nothing
    )
    assert sent["reply"] is None and found.instance.requests.waiting == {}
    assert found.device.messages(REPLY) == []


@pytest.mark.parametrize(("activated", "code"), [(None, 9200), (1.0, 9201)])
def test_a_device_that_is_offline_is_reported_as_that(world, activated, code):
    found = world()
    found.device.session.peer = None
    device_of(found).activated_at = activated
    sent = play(
        found, found.instance.downlinks.set(device_of(found), {"Count": 5}, Wish(seconds=60)), nothing
    )
    assert (sent["sent"], sent["reply"]) == (0, None)
    assert [one["code"] for one in found.device.messages(REPLY)] == [code]


NOT_SENT = [
    ("set", {"Temp": 5}, 460),
    ("set", {"Count": 5, "Nobody": 1}, 6304),
    ("set", {"Count": "5"}, 6306),
    ("Nobody", {}, 6313),
    ("a b", {}, 6313),
    ("Reset", {}, 6302),
    ("Reset", {"delay": "x"}, 6306),
    ("Reset", {"delay": 1, "more": 1}, 6304),
]


@pytest.mark.parametrize(("name", "params", "code"), NOT_SENT)
def test_what_the_model_has_not_is_not_sent(world, name, params, code):
    found = world()
    down = found.instance.downlinks
    sending = down.set if name == "set" else lambda *rest: down.invoke(rest[0], name, *rest[1:])
    with pytest.raises(Refused) as refusal:
        asyncio.run(sending(device_of(found), params, Wish()))
    assert refusal.value.code == code and found.device.came == []


def test_properties_are_asked_for(world):
    found = world()
    reply = replying(found, code=200, data={"Count": 5, "Temp": "x"})
    sent = play(
        found, found.instance.downlinks.get(device_of(found), ["Count", "Temp"], Wish(seconds=5)), reply
    )
    assert sent["reply"]["data"]["Count"] == 5
    failed = found.device.messages(REPLY)[0]["checkFailedData"]
    assert {name: one["code"] for name, one in failed.items()} == {"Temp": 6307}


@pytest.mark.parametrize("name", ["Reset", "engine:Start"])
def test_an_asynchronous_service_is_called_and_its_outputs_checked(world, name):
    found, inputs = world(), {"delay": 3} if name == "Reset" else {}
    sending = found.instance.downlinks.invoke(device_of(found), name, inputs, Wish(seconds=5))
    sent = play(found, sending, replying(found, code=200, data={"accepted": 2, "more": 1}))
    assert sent["reply"]["code"] == 200
    body = found.device.messages(REPLY)[0]
    codes = {key: one["code"] for key, one in body["checkFailedData"].items()}
    assert codes == {"accepted": 6308 if name == "Reset" else 6304, "more": 6304}
    assert found.history("service", name)[0][1]["in"] == inputs


@pytest.mark.parametrize(
    ("extension", "asked"),
    [(3, f"/sys/{PK}/{DN}/thing/service/Weigh"), (0, f"/sys/{PK}/{DN}/rrpc/request/")],
)
def test_a_synchronous_service_goes_over_rrpc_as_the_client_can(world, extension, asked):
    found, topics = world(), []
    found.device.session.extension = extension

    def answer(topic, request):
        topics.append(topic)
        assert request["method"] == "thing.service.Weigh" and request["version"] == "1.0.0"
        body = {"id": request["id"], "code": 200, "data": {"weight": 1.5}}
        found.device.publish(topic.replace("/request/", "/response/"), json.dumps(body).encode())

    sent = play(found, found.instance.downlinks.invoke(device_of(found), "Weigh", {}, Wish()), answer)
    assert sent["reply"]["data"] == {"weight": 1.5} and asked in topics[0]
    assert topics[0].startswith("/ext/rrpc/" if extension else asked)
    assert found.history("service", "Weigh")[0][1]["out"] == {"weight": 1.5}


@pytest.mark.parametrize(("online", "code"), [(True, "TIMEOUT"), (False, "OFFLINE")])
def test_a_synchronous_service_without_an_answer(call, world, online, code):
    found = world(timing={"rrpc_seconds": 0.01})
    if not online:
        found.device.session.peer = None
    assert call(found, "InvokeThingService", Identifier="Weigh", Args={})["Code"] == code


def test_replies_that_nobody_asked_for_and_second_ones_are_dropped(world):
    found = world()
    sent = play(found, found.instance.downlinks.set(device_of(found), {"Count": 1}, Wish()), nothing)
    for payload in (b"{}", b"x", b'{"id":"1","code":200}'):
        found.device.publish(SET + "_reply", payload)
    for number in (sent["id"], int(sent["id"])):
        found.device.publish(SET + "_reply", json.dumps({"id": number, "code": 460, "data": {}}).encode())
    dropped = [one["reason"] for one in found.instance.journal.select_events(event="reply dropped")]
    assert dropped == ["unknown id", "no JSON", "unknown id", "a second one"]
    assert [one["code"] for one in found.device.messages(REPLY)] == [460]


def test_a_request_goes_out_more_than_once_with_one_id(world):
    found = world()
    asyncio.run(found.instance.downlinks.invoke(device_of(found), "engine:Start", {}, Wish(times=3)))
    ids = [json.loads(packet.payload)["id"] for packet in found.device.came]
    assert len(ids) == 3 and len(set(ids)) == 1


def test_a_device_that_publishes_on_a_topic_of_the_platform_is_not_answered(world):
    found = world()
    assert found.device.publish("thing/service/Reset", b"{}") == []
    assert found.instance.journal.select_events(event="not emulated")


def test_ids_are_within_their_range_and_others_after_a_restart(world):
    found = world()
    first = next(found.instance.numbers)
    again = world(now=found.now + 1)
    assert first < 2**32 and next(again.instance.numbers) > first
