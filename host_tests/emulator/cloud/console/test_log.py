"""The log service: every event of the cloud by product, device, ClientID, code and text; live, and paged backwards."""

import re

import pytest

from host_tests.emulator.cloud.console.test_overview import HOSTILE, events
from host_tests.support.cloud.client import DN, PK, T, connect_packet, settings
from tools.emulator.cloud.codec import Publish

OTHER = "dev_0002"
CLOUD = settings(device=[{"device_name": DN, "device_secret": "1" * 32}, {"device_name": OTHER}])


def rows(page):
    """The rows of a page's table, as a person reads them."""
    found = re.findall(r"<tr>(.*?)</tr>", page.html, re.DOTALL)[1:]
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", one)).strip() for one in found]


@pytest.fixture(scope="module", autouse=True)
def happened(cloud):
    """A login, one that was refused, a request that nobody emulates, and many events of another device."""
    with cloud.mqtt("mqtt_tcp").online(
        connect_packet(mode="3", secret="1" * 32, client_id="unit.7")
    ) as device:
        device.send(Publish(T + "thing/network/abc", b"{}", 0))
        device.send(Publish(T + "thing/event/property/post", b'{"id":"1","params":[]}', 0))
        device.send(Publish(f"/x/{HOSTILE}", b"", 0))
    with cloud.mqtt("mqtt_tcp") as device:
        assert device.login(connect_packet(mode="3", secret="2" * 32, client_id="unit.8")) != 0

    async def fill():
        for number in range(120):
            cloud.instance.journal.event("online", pk=PK, dn=OTHER, code=200, reason=f"number {number:03}")
        cloud.instance.journal.event("handshake failed", where="mqtt_tls", reason="NO_SHARED_CIPHER")

    cloud.call(fill())


@pytest.mark.parametrize(
    ("query", "found", "others"),
    [
        ({"dn": DN}, "unit.7", OTHER),
        ({"pk": PK, "dn": DN}, "unit.7", "handshake failed"),
        ({"client_id": "unit.8"}, "refused", "unit.7"),
        ({"client_id": "UNIT.7"}, "online", "unit.8"),
        ({"client_id": "unit.7"}, "thing/network/abc", "unit.8"),
        ({"client_id": "unit.7", "show": "wrong"}, "refused request", "unit.8"),
        ({"code": "4"}, "refused", "online"),
        ({"text": "no_shared"}, "handshake failed", "online"),
        ({"text": "number 042"}, "number 042", "number 041"),
        ({"show": "wrong"}, "refused", "number"),
        ({"show": "unemulated"}, "thing/network/abc", "refused"),
        ({"show": "nonsense", "dn": OTHER}, "number 119", DN),
    ],
    ids=str,
)
def test_events_are_found_by(visitor, query, found, others):
    listed = " ".join(rows(visitor.get("/log", **query)))
    assert found in listed and others not in listed


def test_what_is_not_emulated_stands_out(visitor):
    page = visitor.get("/log", show="unemulated")
    assert '<b class="badge">Not emulated</b>' in page.html
    assert f'href="/products/{PK}/devices/{DN}"' in page.html


def test_the_pages_go_back_to_the_first_event_and_have_each_once(visitor):
    page, numbers = visitor.get("/log", dn=OTHER), []
    while True:
        numbers += re.findall(r"number (\d+)", page.text)
        older = re.search(r'rel="next" href="([^"]+)"', page.html)
        if older is None:
            break
        page = visitor.get(older[1].replace("&amp;", "&"))
    assert numbers == [f"{number:03}" for number in reversed(range(120))]


def test_an_event_comes_by_itself_where_it_fits_and_nowhere_else(cloud, visitor):
    fits = events(visitor, "/log%3Ftext%3Dfresh", "events")
    stopped = events(visitor, f"/log%3Fbefore%3D{cloud.instance.journal.number + 1}", "events")
    assert "None of the last" in next(fits)
    assert "handshake failed" in next(stopped)

    async def happen():
        cloud.instance.journal.event("hint", reason="fresh")

    cloud.call(happen())
    assert "fresh" in next(fits)
    assert "fresh" not in "".join(rows(visitor.get("/log", before=str(cloud.instance.journal.number))))


def test_what_a_device_sends_is_text(visitor):
    page = visitor.get("/log", text="script")
    assert HOSTILE in page.text and ("script", {}) not in page.parsed.tags


def test_a_search_that_finds_nothing_says_how_far_it_went(visitor):
    assert "None of the last 50 000 events fits" in visitor.get("/log", text="nowhere").text


def test_an_event_of_no_device_is_on_the_overview_too(visitor):
    assert "NO_SHARED_CIPHER" in visitor.get("/").text
