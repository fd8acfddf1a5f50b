"""What a business server gets: asked for at once, or waited for (application.md 15)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from host_tests.support.cloud.client import DN, PK
from tools.emulator.cloud import server_messages

TOPIC = f"/{PK}/{DN}/thing/lifecycle"


def add(cloud, **body):
    async def there():
        cloud.instance.server_messages.add(cloud.instance.registry.find(PK, DN), "thing/lifecycle", body)

    cloud.call(there())


def test_messages_name_their_device_and_are_asked_for_by_number_and_topic(run):
    with run() as cloud:
        add(cloud, action="create")
        add(cloud, action="disable")
        first, second = cloud.admin("GET", "/server_messages")
        assert (first["seq"], first["topic"], second["seq"]) == (1, TOPIC, 2)
        assert first["body"] == {
            "iotId": cloud.instance.registry.find(PK, DN).iot_id,
            "productKey": PK,
            "deviceName": DN,
            "action": "create",
        }
        assert cloud.admin("GET", "/server_messages?after=1") == [second]
        assert cloud.admin("GET", "/server_messages?topic=/x") == []
        for query in ("after=x", "wait=61", "unknown=1"):
            cloud.admin("GET", "/server_messages?" + query, status=400)


def test_one_who_waits_gets_the_next_message_and_nothing_when_his_time_is_over(run):
    with run() as cloud, ThreadPoolExecutor() as pool:
        asked = pool.submit(cloud.admin, "GET", f"/server_messages?wait=60&topic={TOPIC}")
        while not cloud.instance.server_messages.sinks:
            cloud.call(asyncio.sleep(0))
        add(cloud, action="create")
        assert [one["body"]["action"] for one in asked.result()] == ["create"]
        late = pool.submit(cloud.admin, "GET", "/server_messages?wait=60&after=1")
        while not cloud.instance.server_messages.sinks:
            cloud.call(asyncio.sleep(0))
        cloud.advance(61)
        assert late.result() == [] and not cloud.instance.server_messages.sinks


def test_messages_and_their_numbers_outlive_the_cloud(run, monkeypatch):
    with run() as cloud:
        add(cloud, action="create")
        add(cloud, action="disable")
    monkeypatch.setattr(server_messages, "KEPT", 2)
    with run() as cloud:
        add(cloud, action="enable")
        found = cloud.admin("GET", "/server_messages")
        assert [(one["seq"], one["body"]["action"]) for one in found] == [(2, "disable"), (3, "enable")]
