"""Raw data by a product's script: up, down, replies, and what is wrong with a script (application.md 1.2, 3.7)."""

import asyncio
import json

import pytest

from host_tests.support.cloud.thing import DN, PK
from tools.emulator.cloud import config
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing.downlinks import REPLY, Wish
from tools.errors import UserError

SCRIPT = """
import json

def raw_data_to_protocol(data):
    if data[0] == 0:  # a property post: id, value
        return {"method": "thing.event.property.post", "id": str(data[1]), "params": {"Count": data[2]}}
    if data[0] == 1:  # a reply to the platform: code
        return {"id": data[2:].decode(), "code": data[1], "data": {}}
    return {2: None, 3: [1], 4: {"id": "1"}, 5: {"id": "1", "method": "thing.nothing"}}[data[0]]

def protocol_to_raw_data(body):
    if "params" in body:
        return b"\\xfe" + body["id"].encode() + b"|" + json.dumps(body["params"]).encode()
    return b"\\xff" + json.dumps([body["id"], body["code"]]).encode()
"""


@pytest.fixture
def raw(world, tmp_path):
    """`raw(script)` is a `World` whose product has that script."""

    def start(script=SCRIPT):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "script.py").write_text(script)
        return world(script="script.py")

    return start


# what comes up -> (what goes down, the code in the log)
UP = [
    (b"\x00\x07\x05", b'\xff["7", 200]', None),
    (b"\x02", b'\xff["", 26007]', 26007),
    (b"\x03", b'\xff["", 26006]', 26006),
    (b"\x04", b'\xff["1", 6450]', 6450),
    (b"\x05", b'\xff["1", 6203]', 6203),
    (b"\x06", b'\xff["", 26002]', 26002),
    (b"", b'\xff["", 26002]', 26002),
]


@pytest.mark.parametrize(("sent", "answer", "code"), UP)
def test_bytes_go_up_as_a_request_and_the_reply_comes_as_bytes(raw, sent, answer, code):
    found = raw()
    packets = found.device.publish("thing/model/up_raw", sent)
    assert [(one.topic, one.payload) for one in packets] == [
        (f"/sys/{PK}/{DN}/thing/model/up_raw_reply", answer)
    ]
    assert [one["code"] for one in found.instance.journal.select_events(event="refused request")] == (
        [] if code is None else [code]
    )
    assert found.values() == ({"Count": 5} if code is None else {})


def test_without_a_script_nothing_is_answered_but_the_log_says_it(world):
    found = world()
    assert found.device.publish("thing/model/up_raw", b"x") == []
    assert found.instance.journal.select_events(event="no raw reply")[0]["code"] == 26001


@pytest.mark.parametrize("name", ["Count", "Reset"])
def test_a_request_goes_down_as_bytes_and_its_reply_is_waited_for(raw, name):
    found = raw()
    device, downlinks = found.instance.registry.find(PK, DN), found.instance.downlinks

    async def play():
        wish = Wish(seconds=20)
        if name == "Count":
            asked = asyncio.ensure_future(downlinks.set(device, {"Count": 5}, wish))
        else:
            asked = asyncio.ensure_future(downlinks.invoke(device, "Reset", {"delay": 5}, wish))
        await asyncio.sleep(0)
        packet = found.device.came[-1]
        assert packet.topic == f"/sys/{PK}/{DN}/thing/model/down_raw" and packet.payload[:1] == b"\xfe"
        number, _, params = packet.payload[1:].partition(b"|")
        assert list(json.loads(params).values()) == [5]
        found.device.publish("thing/model/down_raw_reply", b"\x01\xc8" + number)
        return await asked

    sent = asyncio.run(play())
    assert sent["reply"] == {"id": sent["id"], "code": 200, "data": {}}
    assert found.device.messages(REPLY)[0]["code"] == 200
    found.device.publish("thing/model/down_raw_reply", b"\x03")
    assert found.instance.journal.select_events(event="reply dropped")[0]["code"] == 26006


def test_a_synchronous_service_goes_down_as_bytes_too(raw):
    found = raw()

    async def play():
        device = found.instance.registry.find(PK, DN)
        asked = asyncio.ensure_future(found.instance.downlinks.invoke(device, "Weigh", {}, Wish()))
        await asyncio.sleep(0)
        packet = found.device.came[-1]
        assert packet.topic.startswith("/ext/rrpc/") and packet.topic.endswith("/thing/model/down_raw")
        number = packet.payload[1:].partition(b"|")[0]
        found.device.publish(packet.topic, b"\x01\xc8" + number)
        return await asked

    assert asyncio.run(play())["reply"]["code"] == 200


def test_a_script_without_the_function_refuses_the_request(raw):
    found = raw("def raw_data_to_protocol(data):\n    return {}\n")
    device = found.instance.registry.find(PK, DN)
    with pytest.raises(Refused) as refusal:
        asyncio.run(found.instance.downlinks.set(device, {"Count": 5}, Wish()))
    assert refusal.value.code == 26001


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot read script.py"), ("def", "SyntaxError"), ("1/0", "ZeroDivision")]
)
def test_a_script_that_cannot_be_run_is_one_line(tmp_path, text, message):
    if text:
        (tmp_path / "script.py").write_text(text)
    (tmp_path / "cloud.toml").write_text('[[product]]\nproduct_key = "a1"\nscript = "script.py"\n')
    with pytest.raises(UserError) as error:
        config.load(tmp_path / "cloud.toml")
    assert message in str(error.value) and "line 3: product.script" in str(error.value)
    assert "\n" not in str(error.value)
