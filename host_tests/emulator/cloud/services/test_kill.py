"""What the services keep outlives a killed process, and sub-devices are served as devices are."""

import json
import socket

import pytest

from host_tests.emulator.cloud.services.test_logs import ENTRY
from host_tests.emulator.cloud.services.test_uploads import CONTENT, INIT, SEND, asked, framed
from host_tests.support.cloud.client import DN, PK, WAIT, Client, T, connect_packet, settings
from host_tests.support.cloud.gateway import ONE
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.process import Cloud

NAMES = {"ProductKey": PK, "DeviceName": DN}


@pytest.fixture
def process(tmp_path, certificates):
    """The cloud as a process of its own, for tests that kill it."""
    with Cloud(settings(), tmp_path / "run", ca=certificates) as cloud:
        yield cloud


def online(process):
    client = Client(socket.create_connection(("127.0.0.1", process.ports["mqtt_tcp"]), WAIT))
    client.online(connect_packet(mode="3", extra="_ss=1,"))
    client.subscribe(*(T + tail + "_reply" for tail in (INIT, SEND)))
    return client


def ask(client, topic, body):
    """The JSON of the reply to a message, a dict or bytes."""
    client.send(Publish(topic, body if isinstance(body, bytes) else json.dumps(body).encode()))
    return json.loads(client.read().payload)


def call(process, name, **values):
    answer = process.admin("POST", f"/api/{name}", NAMES | values)
    assert answer["Success"], answer
    return answer["Data"]


def test_each_service_goes_on_where_a_killed_cloud_has_answered(process):
    shadow = f"/shadow/update/{PK}/{DN}"
    process.admin("POST", f"/products/{PK}/config", {"content": {"interval": 5}})
    process.admin("POST", f"/devices/{PK}/{DN}/log_mode", {"mode": 1})
    task = call(process, "CreateJob", JobFile="YQ==")["TaskIds"][DN]
    with online(process) as client:
        report = {"method": "update", "state": {"reported": {"a": 1}}, "version": 7}
        assert ask(client, shadow, report)["payload"]["status"] == "success"
        for tail, params in (
            ("thing/deviceinfo/update", [{"attrKey": "room", "attrValue": "5"}]),
            ("thing/log/post", [ENTRY]),
            ("thing/job/update", {"taskId": task, "status": "IN_PROGRESS"}),
        ):
            assert ask(client, T + tail, {"id": "1", "params": params})["code"] == 200
        config = ask(
            client, T + "thing/config/get", {"params": {"configScope": "product", "getType": "file"}}
        )
        upload = ask(client, T + INIT, {"params": asked()})["data"]["uploadId"]
        first = {"uploadId": upload, "offset": 0, "bSize": 512, "isComplete": False}
        assert ask(client, T + SEND, framed(first, CONTENT[:512]))["code"] == 200
        process.kill()
    process.start()
    assert call(process, "QueryDeviceProp")["Props"] == {"room": "5"}
    logs = process.admin("GET", f"/devices/{PK}/{DN}/logs")
    assert logs["mode"] == 1 and [one["module"] for one in logs["logs"]] == [ENTRY["module"]]
    with online(process) as client:
        assert ask(client, shadow, {"method": "get"})["version"] == 7
        listed = ask(client, T + "thing/job/get", {"params": {"taskId": "$list"}})["data"]["tasks"]
        assert listed == [{"taskId": task, "status": "IN_PROGRESS"}]
        again = ask(client, T + "thing/config/get", {"params": {"configScope": "product", "getType": "file"}})
        assert again["data"]["configId"] == config["data"]["configId"]
        going_on = ask(client, T + INIT, {"params": asked(conflictStrategy="append")})["data"]
        assert (going_on["uploadId"], going_on["offset"]) == (upload, 512)
        rest = {"uploadId": upload, "offset": 512, "bSize": 512, "isComplete": True}
        assert ask(client, T + SEND, framed(rest, CONTENT[512:]))["data"]["complete"] is True


def test_a_sub_device_has_a_shadow_tags_and_jobs(gateway):
    client = gateway().bring(ONE)
    names, system = "/".join(ONE), f"/sys/{'/'.join(ONE)}/"
    for topic, body in (
        (f"/shadow/update/{names}", {"method": "update", "state": {"reported": {"a": 1}}, "version": 1}),
        (system + "thing/deviceinfo/update", {"id": "1", "params": [{"attrKey": "room", "attrValue": "5"}]}),
        (system + "thing/job/get", {"id": "2", "params": {"taskId": "$list"}}),
    ):
        client.publish(topic, body)
        answer = json.loads(client.read().payload)
        assert (
            answer.get("code", 200) == 200 and answer.get("payload", {}).get("status", "success") == "success"
        )
    called = {"ProductKey": ONE[0], "DeviceName": ONE[1]}
    found = client.cloud.admin("POST", "/api/QueryDeviceProp", called)
    assert found["Data"]["Props"] == {"room": "5"}
    client.cloud.admin("POST", "/api/PubBroadcast", {"ProductKey": ONE[0], "MessageContent": "YQ=="})
    assert client.read().topic.startswith(system + "broadcast/request/")
