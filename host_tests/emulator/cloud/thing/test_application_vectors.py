"""The vectors of application.md against the cloud: every request as it stands there, codes, topics, values."""

import asyncio
import json

import pytest

from host_tests.support.cloud.asker import START
from host_tests.support.cloud.thing import DN, GDN, GPK, ONE, PK, SPK
from host_tests.support.paths import VECTORS
from host_tests.support.vectors import application
from tools.emulator.cloud import codes, topics
from tools.emulator.cloud.ota import blocks as downloads
from tools.emulator.cloud.services import blocks
from tools.emulator.cloud.thing import model, values
from tools.emulator.cloud.thing.downlinks import Wish

FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
REQUESTS = {one["name"]: one for one in FOUND["requests"]}
NOT_EMULATED = {"codec", "tunnel"}
DOWN = [one for one in FOUND["topics"] if one["direction"] == "down"]


def named(text):
    return text.replace("{pk}", PK).replace("{dn}", DN)


@pytest.fixture
def device(world):
    """A device of the vectors' model, for which `power` is desired at version 2."""
    chosen = json.loads(named(json.dumps(FOUND["tsl"])))
    made = world(tsl=chosen, tsl_check="strict", timing={"history_seconds": 10**9})
    registered = made.instance.registry.find(PK, DN)
    for value in ("off", "on"):
        made.instance.desired.set(registered, {"power": value}, {})
    made.device.world = made
    return made.device


def test_the_file_is_what_its_maker_makes_of_the_page():
    assert application.written() == application.FILE.read_text(encoding="utf-8")


def is_emulated(device, topic):
    """Whether the platform answers a topic; one that is not is an event of its log (cloud README)."""
    found = device.instance.requests.find(topic, (PK, DN))
    return found is not None and found[0].gap is None


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_taken_byte_for_byte(device, name):
    """The id comes back as the text that it was, values are kept; or the log names what is not emulated."""
    vector = REQUESTS[name]
    topic, events = named(vector["topic"]), device.instance.journal.select_events
    came = device.publish(topic, named(vector["payload"]).encode())
    if not is_emulated(device, topic):
        assert name in NOT_EMULATED and [one["topic"] for one in events(event="not emulated")] == [topic]
    if device.instance.requests.find(topic, (PK, DN)) is None:
        assert came == []
        return
    replies = [one.payload for one in came if one.topic == topic + "_reply"]
    assert len(replies) == (vector["code"] != 0)
    if "answer" in vector:
        assert [one.topic for one in came] == [named(vector["answer"])]
    if vector["code"]:
        check_reply(vector, replies[0])
    if "values" in vector:
        assert device.world.values() == vector["values"]
    if "event" in vector:
        name, value = vector["event"]
        assert [body for _, body in device.world.history("event", name)] == [value]


def test_a_gateway_s_pack_is_taken_whole(device):
    vector, gateway = FOUND["pack"], device.world.gateway()
    names = {"{pk}": GPK, "{dn}": GDN, "{sub_pk}": SPK, "{sub_dn}": ONE}
    texts = [vector["topic"], vector["payload"]]
    for name, value in names.items():
        texts = [text.replace(name, value) for text in texts]
    (reply,) = gateway.publish(texts[0], texts[1].encode())
    assert json.loads(reply.payload)["code"] == 200
    assert [device.world.values(key) for key in ((GPK, GDN), (SPK, ONE))] == [vector["values"]] * 2
    name, value = vector["event"]
    assert [body for _, body in device.world.history("event", name, (GPK, GDN))] == [value]


def check_reply(vector, payload):
    if vector["name"] == "file-download":  # a block: behind its length, and no task has this one here
        payload = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
        assert json.loads(payload)["id"] == json.loads(vector["id"])
        return
    reply = json.loads(payload)
    assert reply["code"] == vector["code"], reply
    assert "data" not in vector or reply["data"] == vector["data"]
    if vector["id"]:
        assert b'"id":%s' % named(vector["id"]).encode() in payload
    for one in FOUND["replies"]:
        assert one["to"] != vector["name"] or payload == one["payload"].encode()


DOWNLINKS = {one["name"]: one for one in FOUND["downlinks"]}


@pytest.mark.parametrize("vector", [DOWNLINKS["set"], DOWNLINKS["service"]], ids=lambda one: one["name"])
def test_what_the_platform_asks_is_the_pages(device, vector):
    downlinks, registered = device.instance.downlinks, device.instance.registry.find(PK, DN)
    tail = vector["topic"].split("/", 4)[-1]
    name = {"thing/service/property/set": "set"}.get(tail, tail.rsplit("/", 1)[-1])
    sent = asyncio.run(downlinks.send(registered, tail, name, vector["params"], Wish()))
    (packet,) = device.came
    wanted = json.loads(vector["payload"]) | {"id": sent["id"]}
    assert packet.topic == named(vector["topic"]) and json.loads(packet.payload) == wanted
    answer = vector["answer"].replace(json.loads(vector["payload"])["id"], sent["id"])
    device.publish(tail + "_reply", answer.encode())
    (message,) = device.messages("thing/downlink/reply/message")
    assert (message["requestId"], message["code"]) == (sent["id"], 200)
    assert message["data"] == json.loads(answer)["data"] and message["checkFailedData"] == {}


def test_a_synchronous_service_is_answered_on_its_own_topic(device):
    vector, registered = DOWNLINKS["sync"], device.instance.registry.find(PK, DN)

    async def play():
        asked = asyncio.ensure_future(
            device.instance.downlinks.invoke_sync(registered, "Weigh", vector["params"])
        )
        await asyncio.sleep(0)
        (packet,) = device.came
        body = json.loads(packet.payload)
        _, _, _, number, rest = packet.topic.split("/", 4)
        assert packet.topic == named(vector["topic"]).replace("{messageId}", number) and rest.startswith(
            "sys/"
        )
        wanted = json.loads(vector["payload"])
        assert body == wanted | {"id": body["id"]}
        device.publish(packet.topic, vector["answer"].replace(wanted["id"], body["id"]).encode())
        return await asked

    assert asyncio.run(play())["reply"]["data"] == json.loads(vector["answer"])["data"]


@pytest.mark.parametrize("vector", FOUND["checks"], ids=lambda one: one["name"])
def test_check_values_are_the_vectors(vector):
    data = bytes.fromhex(vector["data"])
    assert f"{blocks.crc64(data):016x}" == vector["crc64"]
    half = len(data) // 2
    assert blocks.crc64(data[half:], blocks.crc64(data[:half])) == int(vector["crc64"], 16)
    assert downloads.crc(data) == vector["crc16"].to_bytes(2, "little")


@pytest.mark.parametrize("vector", FOUND["blocks"], ids=lambda one: one["name"])
def test_a_block_s_parts_are_the_vector_s(vector):
    message = bytes.fromhex(vector["message"])
    block = blocks.read_block(message)
    assert block.header == json.loads(vector["json"]) and block.data == bytes.fromhex(vector["block"])
    assert block.crc == downloads.crc(block.data) == message[-2:]


@pytest.mark.parametrize("topic", DOWN, ids=lambda one: one["name"])
def test_down_topics_need_no_subscription_and_are_nobody_elses(device, topic):
    """With `_ss=1` the platform has subscribed the device to its own (application.md 1)."""
    place = named(topic["topic"]).replace("{id}", "Weigh").replace("{messageId}", "1234567890")
    device.instance.send_down(PK, DN, place, b"{}", 0)
    assert [packet.topic for packet in device.came] == [place]
    assert topics.device_of(place) == (PK, DN)


def test_each_code_has_the_text_that_the_page_prints():
    for code, one in FOUND["cloud_codes"].items():
        if "message" in one:
            assert one["message"].startswith(codes.message(int(code))), code
    for code, one in FOUND["device_codes"].items():
        assert int(code) in codes.MESSAGES and one["message"]


@pytest.mark.parametrize("name", FOUND["kinds"])
def test_a_value_fits_or_has_one_of_its_codes(name):
    kind = model.read_type(FOUND["kinds"][name], name)
    for vector in FOUND["values"]:
        if vector["kind"] == name:
            try:
                values.check(kind, vector["value"], values.STRICT, "P")
                found = []
            except values.Mismatch as problem:
                found = [problem.code]
            assert found == vector["codes"] or found and found[0] in vector["codes"], vector


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("vector", FOUND["ntp"], ids=lambda one: one["name"])
def test_times_over_mqtt_are_in_the_form_of_the_request(device, vector, form):
    """A device that hears at once computes the platform's time out of them (application.md 8)."""
    sent = form(vector["deviceSendTime"])
    (packet,) = device.publish(f"/ext/ntp/{PK}/{DN}/request", json.dumps({"deviceSendTime": sent}).encode())
    body = json.loads(packet.payload)
    assert body["deviceSendTime"] == sent and {type(one) for one in body.values()} == {form}
    now = (int(body["serverRecvTime"]) + int(body["serverSendTime"])) // 2
    assert now == START * 1000 and packet.topic == f"/ext/ntp/{PK}/{DN}/response"


def shadow(device, payload):
    """The answer to a message to the device's shadow."""
    (packet,) = device.publish(f"/shadow/update/{PK}/{DN}", payload.encode())
    return json.loads(packet.payload)


def report(version):
    return json.dumps({"method": "update", "state": {"reported": {"a": 1}}, "version": version})


@pytest.mark.parametrize(
    "vector", FOUND["shadow_versions"], ids=lambda one: f"{one['stored']}-{one['version']}"
)
def test_a_shadow_takes_only_a_greater_version(device, vector):
    if vector["stored"]:
        assert shadow(device, report(vector["stored"]))["payload"]["status"] == "success"
    payload = shadow(device, report(vector["version"]))["payload"]
    if vector["code"]:
        assert payload["content"]["errorcode"] == str(vector["code"])
    else:
        assert payload == {"status": "success", "version": vector["after"]}
    assert shadow(device, '{"method":"get"}')["version"] == vector["after"]


@pytest.mark.parametrize(
    "vector", FOUND["shadow_errors"], ids=lambda one: f"{one['code']}-{one['payload'][:30]}"
)
def test_a_shadow_names_what_is_wrong(device, vector):
    answer = shadow(device, vector["payload"])
    assert (answer["method"], answer["payload"]["status"]) == ("reply", "error")
    assert answer["payload"]["content"]["errorcode"] == str(vector["code"])
