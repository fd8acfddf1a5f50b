"""Odd requests get nowhere; what a device sends, however odd, is text on a page and takes no page away."""

import contextlib
import json
import socket
import time

import pytest

from host_tests.emulator.cloud.console.test_overview import events
from host_tests.support.cloud.client import DN, PK, USER, T, connect_packet
from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.codec import Pingreq, Publish
from tools.emulator.cloud.console import plots
from tools.emulator.cloud.console.console import HEAD_SECONDS
from tools.emulator.cloud.console.templates import pretty, when

AT = f"/products/{PK}/devices/{DN}"
SCRIPT = "<script>alert(1)</script>"
PAYLOADS = {
    "half a character": b'{"a":"\\ud800"}',
    "nested deeply": b"[" * 30_000,
    "a script": SCRIPT.encode(),
    "a script in JSON": json.dumps({SCRIPT: SCRIPT}).encode(),
    "a number without an end": b"9" * 10_000,
    "control characters": bytes(range(32)),
    "lines of an event stream": b"\n\nevent: update\ndata: {}\n\n",
    "no text": b"\xff\xfe" * 100,
}


@pytest.fixture
def online(cloud):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3", extra="_ss=1,ext=1")) as client:
        yield client


def raw(cloud, head):
    """A connection on which the bytes of `head` were sent."""
    link = socket.create_connection(("127.0.0.1", cloud.ports["console"]), 20)
    link.sendall(head)
    return link


def whole(link):
    """All that comes on it until its end."""
    with link, contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: link.recv(65536), b""))


HEADS = [
    (421, "GET / HTTP/1.0\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"),
    (421, "GET http://{host}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    (403, "OPTIONS * HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"),
    (403, "POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\nContent-Length: 99999999\r\n\r\nx"),
    (403, "PUT /products HTTP/1.1\r\nHost: {host}\r\nX-HTTP-Method-Override: GET\r\n\r\n"),
    (403, "GET /events?page=/ HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\n"
          "Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"),
    (403, "POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: https://evil.example\r\n\r\n"),
    (403, "POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nOrigin: http://{host}\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "head"), HEADS)
def test_no_odd_head_gets_in_and_its_connection_ends(cloud, visitor, status, head):
    found = whole(raw(cloud, head.format(host=f"127.0.0.1:{visitor.port}").encode()))
    assert found.split()[1] == str(status).encode(), found


def test_connections_without_a_request_end(cloud, visitor):
    """Another user's program would hold all files of the cloud with them; a page that is live stays."""
    live = events(visitor, "/", "counts")
    next(live)
    known = len(cloud.server.console.uvicorn.server_state.connections)
    kept_alive = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    links = [raw(cloud, head) for head in (b"", b"G", b"GET / HTTP/1.1\r\nHost:", kept_alive + b"G")]
    limit = time.monotonic() + 20
    while len(cloud.server.console.uvicorn.server_state.connections) < known + 3:
        assert time.monotonic() < limit
    cloud.advance(HEAD_SECONDS + 1)
    for link in links:
        assert b"200 OK" not in (whole(link) or b"")
    cloud.advance(1)
    next(live)


@pytest.fixture(scope="module", autouse=True)
def model(cloud):
    cloud.admin("POST", f"/products/{PK}/tsl", TSL)


def pages(visitor):
    """All that shows a device."""
    tabs = ("", "/model", "/messages", "/shadow", "/logs", "/files", "/tasks")
    return [visitor.get(path) for path in ("/", "/log", f"/products/{PK}", *(AT + tab for tab in tabs))]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_message_takes_a_page_away(visitor, online, payload):
    online.send(Publish(USER + "update", payload), Publish(T + "thing/event/property/post", payload))
    online.ask(Pingreq())
    for page in pages(visitor):
        assert page.status == 200, page.text[-300:]
        assert SCRIPT not in page.html


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 1e308, -1e308, 5e-324, True, SCRIPT, [SCRIPT], {"a": SCRIPT}]
)
@pytest.mark.parametrize("moment", [None, 0, 2**53 - 1])
def test_no_property_takes_a_page_away(visitor, online, value, moment):
    for number in (value, 1):
        sent = number if moment is None else {"value": number, "time": moment}
        params = {"odd": sent, SCRIPT: sent, "Temp": sent, "Label": sent}
        body = {"id": "1", "version": "1.0", "params": params, "method": "thing.event.property.post"}
        online.send(Publish(T + "thing/event/property/post", json.dumps(body).encode(), 0))
        online.read()
        page = visitor.get(AT + "/model")
        assert page.status == 200, page.text[-300:]
        assert SCRIPT not in page.html


@pytest.mark.parametrize("moment", [1e300, -1e300, 2**53, float("inf")])
def test_a_moment_beyond_all_calendars_is_its_number(moment):
    assert when(moment) == f"{moment:g} s"


def test_json_that_is_nested_deeply_is_shown_as_it_is():
    assert pretty("[" * 15_000) == "[" * 15_000


def test_a_line_of_the_largest_numbers_is_drawn():
    drawn = plots.plot([("x", [(0, -1.7e308), (1, 1.7e308)])], "", "x")
    assert "nan" not in drawn and "inf" not in drawn


def test_a_name_in_the_log_that_is_no_text_takes_no_page_away(cloud, visitor):
    """Some events have names as a device gave them: with half a character, or no text at all."""
    for name in ("\ud800", "../..", SCRIPT, 5):
        cloud.instance.journal.event("hint", pk=name, dn=name, reason="x")
    for path in ("/", "/log"):
        page = visitor.get(path)
        assert page.status == 200, page.text[-300:]
        assert SCRIPT not in page.html
