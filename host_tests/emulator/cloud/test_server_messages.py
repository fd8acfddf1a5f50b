"""What a business server gets: asked for at once, or waited for (application.md 15)."""

import asyncio
import http.client
import http.server
import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

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


def _events(answer, count):
    """(id, body) of the next `count` server-sent events."""
    found, number = [], None
    while len(found) < count:
        line = answer.readline()
        assert line, "the stream has ended"
        if line.startswith(b"id: "):
            number = int(line[4:])
        elif line.startswith(b"data: "):
            found.append((number, json.loads(line[6:])["body"]["action"]))
    return found


def _stream(cloud, query="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", cloud.ports["admin"], timeout=20)
    connection.request("GET", "/stream" + query, headers=headers)
    return connection, connection.getresponse()


def test_a_stream_has_what_was_and_what_comes_and_goes_on_after_the_last_that_was_seen(run):
    with run() as cloud:
        add(cloud, action="create")
        connection, answer = _stream(cloud, f"?topic={TOPIC}")
        assert (
            answer.headers["Content-Type"] == "text/event-stream" and answer.headers["Content-Length"] is None
        )
        assert _events(answer, 1) == [(1, "create")]
        add(cloud, action="disable")
        assert _events(answer, 1) == [(2, "disable")]
        connection.close()
        answer.close()
        while cloud.instance.server_messages.sinks:
            cloud.call(asyncio.sleep(0))
        add(cloud, action="enable")
        connection, answer = _stream(cloud, **{"Last-Event-ID": "1"})
        assert _events(answer, 2) == [(2, "disable"), (3, "enable")]
        while not cloud.instance.server_messages.sinks:
            cloud.call(asyncio.sleep(0))
        cloud.advance(server_messages.QUIET + 1)
        assert answer.readline() == b"\n" and answer.readline() == b": quiet\n"
        connection.close()
        answer.close()
        for query in ("?after=x", "?unknown=1"):
            assert _stream(cloud, query)[1].status == 400


class _Server(http.server.BaseHTTPRequestHandler):
    """Takes POSTs as its server's `statuses` say, 200 when none is left."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.taken.put((status, self.path, json.loads(body)["body"]["action"]))

    def log_message(self, *_):
        pass


@pytest.fixture
def business():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.taken, server.statuses = queue.Queue(), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_web_hook_gets_each_message_in_order_until_it_takes_it(run, business):
    business.statuses = [500, 302]
    with run() as cloud:
        add(cloud, action="before")
        url = f"http://127.0.0.1:{business.server_port}/hook?a=b"
        assert cloud.admin("POST", "/web_hooks", {"url": url}) == {"url": url, "seq": 1, "last_error": None}
        add(cloud, action="create")
        add(cloud, action="disable")
        for status in (500, 302):
            assert business.taken.get(timeout=20) == (status, "/hook?a=b", "create")
            while cloud.admin("GET", "/web_hooks")[0]["last_error"] != f"status {status}":
                pass
            cloud.advance(3)
        assert business.taken.get(timeout=20) == (200, "/hook?a=b", "create")
        assert business.taken.get(timeout=20) == (200, "/hook?a=b", "disable")
        assert [
            one["reason"] for one in cloud.admin("GET", "/log?event=web hook failed".replace(" ", "%20"))
        ] == [
            "status 500",
            "status 302",
        ]
        assert cloud.admin("DELETE", "/web_hooks") == {"removed": 1}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "http://192.0.2.1/x",
        "http://example.com/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://user:password@127.0.0.1:8080/",
        "http://@127.0.0.1:8080/",
        "http://[",
        "file:///x",
        "",
    ],
)
def test_a_web_hook_is_on_loopback(run, url):
    with run() as cloud:
        assert "url must be http://127.0.0.1:PORT/PATH" in str(
            cloud.admin("POST", "/web_hooks", {"url": url}, status=400)
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_web_hook_is_not_the_cloud_itself(run, host):
    with run() as cloud:
        answer = cloud.admin(
            "POST", "/web_hooks", {"url": f"http://{host}:{cloud.ports['admin']}/publish"}, status=400
        )
        assert "the cloud's own admin API" in str(answer)
        assert cloud.admin("GET", "/web_hooks") == []
