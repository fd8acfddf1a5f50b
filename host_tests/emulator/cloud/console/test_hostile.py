"""What a device or a board sends, however odd, is text on a page, and takes no page away."""

import json

import pytest

from host_tests.support.cloud.client import DN, PK, USER, T, connect_packet
from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.codec import Pingreq, Publish
from tools.emulator.cloud.console import plots
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
