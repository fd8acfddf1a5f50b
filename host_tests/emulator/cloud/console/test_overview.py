"""The overview, what is live on it, and what a page shows of what devices send."""

import json
import re
import socket
import threading
import time

import pytest

from host_tests.support.browser import opened
from host_tests.support.cloud.client import PK, USER, Running, connect_packet, settings
from host_tests.support.cloud.console import Visitor
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.console import plots
from tools.emulator.cloud.console.recent import newest, went_wrong

HOSTILE = "<script>alert(1)</script>"
CLOUD = settings(name=HOSTILE)


def events(visitor, path, wanted):
    """The HTML of the region `wanted` of the page at `path`, each time it comes."""
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with socket.create_connection(("127.0.0.1", visitor.port), 20) as link:
        head = (
            f"GET /events?page={path} HTTP/1.1\r\nHost: 127.0.0.1:{visitor.port}\r\nCookie: {cookie}\r\n\r\n"
        )
        link.sendall(head.encode())
        for line in link.makefile(encoding="utf-8"):
            if line.startswith("data: "):
                found = json.loads(line[6:])
                if wanted in found:
                    yield found[wanted]


def test_the_overview_counts(cloud, visitor):
    text = visitor.get("/").text
    assert re.search(r"Products 1 .*Devices 1 .*Online 0 ", text)
    assert f"mqtt_tls {cloud.ports['mqtt_tls']}" in text
    assert "Nothing so far." in text or "What went wrong lately" in text


def test_a_board_that_comes_online_is_seen_at_once(cloud, visitor):
    seen = events(visitor, "/", "counts")
    assert "Online</dt><dd>0<" in next(seen)
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")):
        assert any("Online</dt><dd>1<" in html for html in seen)


def test_a_busy_cloud_sends_ten_updates_a_second_at_most(cloud, visitor):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as device:
        stop = threading.Event()

        def publish():
            while not stop.wait(0.005):
                device.send(Publish(USER + "x", b"1", 0))

        busy = threading.Thread(target=publish)
        busy.start()
        seen = events(visitor, f"/products/{PK}/devices/dev_0001/messages", "messages")
        next(seen)
        began = time.monotonic()
        for _ in range(6):
            next(seen)
        took = time.monotonic() - began
        stop.set()
        busy.join()
    assert took > 6 / 10


def test_what_went_wrong_is_listed_and_is_text(cloud, visitor):
    topic = f"/x/{HOSTILE}"
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as device:
        device.send(Publish(topic, b"{}", 0))
        device.send(Publish(USER + "x", b"", 0))
        seen = events(visitor, "/", "wrong")
        html = next(one for one in seen if "foreign topic" in one)
    assert "<script" not in html and "&lt;script&gt;alert(1)" in html
    assert f'href="/products/{PK}/devices/dev_0001"' in html


def test_a_name_is_text_on_each_page_that_has_it(visitor):
    for path in ("/products", f"/products/{PK}"):
        page = visitor.get(path)
        assert HOSTILE in page.text, path
        assert ("script", {}) not in page.parsed.tags, path


def test_the_rates_of_the_last_seconds(cloud):
    console = cloud.server.console
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as device:
        device.send(Publish(USER + "x", b"1", 1, packet_id=1))
        device.read()

        async def sample():
            console.rates.sample()
            return list(console.rates.samples)

        samples = cloud.call(sample())
    assert sum(one[1] for one in samples) >= 1
    assert sum(one[2] for one in samples) >= 1


def test_the_cloud_ends_at_once_though_a_page_is_open(tmp_path, certificates):
    with Running(CLOUD, tmp_path / "run", certificates, ports={"console": 0}) as cloud:
        seen = events(Visitor(cloud).enter(), "/", "counts")
        next(seen)
        began = time.monotonic()
        cloud.call(cloud.server.console.stop())
        assert time.monotonic() - began < 5
        assert list(seen) is not None, "the stream has come to its end"


# ---- language and theme


def test_the_language_is_kept_in_a_cookie(visitor):
    page = visitor.post("/preferences/language", value="zh", to="/products")
    assert 'lang="zh"' in page.html and "创建产品" in page.text
    visitor.post("/preferences/language", value="en", to="/")


def test_a_language_that_is_none_is_refused(visitor):
    assert visitor.post("/preferences/language", value="xx", to="/").notices == ["xx cannot be chosen."]


# ---- the small parts


def test_a_plot_keeps_its_peak_and_its_text(cloud):
    points = [(float(second), 500.0 if second == 777 else 1.0) for second in range(2000)]
    svg = str(plots.plot([(HOSTILE, points)], "a second", HOSTILE))
    assert "<script" not in svg and ">500<" in svg
    assert svg.count(",") < 2 * plots.POINTS


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ({"event": "online", "code": 200}, False),
        ({"event": "download", "code": 206}, False),
        ({"event": "registered"}, False),
        ({"event": "refused", "code": 4}, True),
        ({"event": "registration", "code": 6289}, True),
        ({"event": "not emulated"}, True),
    ],
)
def test_which_events_say_that_something_went_wrong(event, wrong):
    assert went_wrong(event) is wrong


def test_the_newest_entries_come_first_and_page_by_number():
    entries = [{"seq": number} for number in range(1, 101)]
    assert [one["seq"] for one in newest(entries, lambda one: one["seq"] % 2, 3)] == [99, 97, 95]
    assert [one["seq"] for one in newest(entries, lambda one: True, 2, before=50)] == [49, 48]


# ---- in a browser


def test_the_console_in_a_browser(cloud, chromium):
    """The address opens it; what is live comes by itself; a form does its work; no hostile name runs."""
    with opened(chromium, viewport={"width": 1280, "height": 800}) as page:
        page.on("dialog", lambda dialog: pytest.fail("a script of a name has run"))
        page.goto(Visitor(cloud).address())
        assert page.url == f"http://127.0.0.1:{cloud.ports['console']}/"
        with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")):
            page.locator(".counts div", has_text="Online").get_by_text("1", exact=True).wait_for()
        page.get_by_role("link", name="Products", exact=True).first.click()
        page.get_by_text("Create Product").first.click()
        page.get_by_label("Product Name", exact=True).fill("Lamp")
        page.get_by_role("button", name="Create Product").click()
        page.get_by_role("heading", name="Lamp").wait_for()
        page.get_by_text("Batch Add").first.click()
        page.get_by_label("DeviceNames, one a line").fill("lamp_0001\nlamp_0002")
        page.get_by_role("button", name="Batch Add").click()
        page.get_by_role("link", name="lamp_0002").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV of the 2 devices").click()
        assert download.value.suggested_filename.endswith("-devices.csv")


def test_a_region_in_which_somebody_works_waits(cloud, chromium):
    """What comes meanwhile is shown once the focus is elsewhere; a hidden page has no connection."""
    with opened(chromium) as page:
        page.goto(Visitor(cloud).address())
        with page.expect_event("requestfinished", lambda one: one.url.endswith("live.js")):
            page.reload()
        counts = page.locator("[data-region=counts]")
        online = counts.locator("div", has_text="Online").locator("dd")
        counts.get_by_role("link").first.focus()
        with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")):
            page.wait_for_timeout(1500)
            assert online.inner_text() == "0"
            page.locator("main").focus()
            online.get_by_text("1", exact=True).wait_for()


def test_pages_are_read_without_a_script(cloud, chromium):
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(Visitor(cloud).address())
        assert page.get_by_role("img", name="Messages").count() == 1
        page.get_by_role("link", name="Products", exact=True).first.click()
        page.get_by_role("link", name=HOSTILE).click()
        page.get_by_role("link", name="dev_0001").click()
        page.get_by_role("link", name="Messages").click()
        page.get_by_role("heading", name="Messages, as they come").wait_for()
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
