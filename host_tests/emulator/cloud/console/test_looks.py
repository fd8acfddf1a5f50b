"""Each page in a browser: WCAG AA by axe in both themes, nothing wider than a narrow screen, a picture in build/."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from host_tests.support.browser import opened
from host_tests.support.cloud.client import DN, PK, USER, T, connect_packet, settings
from host_tests.support.cloud.console import Visitor
from host_tests.support.cloud.thing import TSL
from host_tests.support.cloud.x509 import CA, Factory
from host_tests.support.paths import ROOT
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.console import page

GPK, GDN, SPK = "a1Gateway01", "gateway_01", "a1Sub0000001"
XPK, XDN, IPK, ID2 = "a1X509ProdK", "sensor-01", "a1WO4Z9qHRw", "2122232425262728292A2B2C"
CLOUD = settings(name="Thermostat")
CLOUD["product"] += [
    {"product_key": GPK, "name": "Hub", "node": "gateway", "device": [{"device_name": GDN}]},
    {"product_key": SPK, "name": "Sensor", "node": "subdevice", "device": [{"device_name": "sub_0001"}]},
    {"product_key": XPK, "name": "Counter", "auth": "x509", "device": [{"device_name": XDN}]},
    {
        "product_key": IPK,
        "name": "Meter",
        "auth": "id2",
        "identity": [{"id2": ID2, "device_name": "meter_01"}, {"state": "suspended"}],
        "device": [{"device_name": "meter_01"}],
    },
]
PICTURES = ROOT / "build" / "console"
# what stands for a name in a path
NAMES = {
    "pk": PK,
    "dn": DN,
    "where": "mqtt_tls",
    "when": "reply",
    "kind": "late",
    "number": "1",
    "ca": CA,
    "id2": ID2,
}
OTHERS = {"/products/{pk}/devices/{dn}/subdevices": {"pk": GPK, "dn": GDN}}  # and in these
PATHS = sorted({one.path for found in page.found() for one in found.routes if one.method == "GET"})
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
# what stands out on the right of a narrow screen, in no box that scrolls
WIDEST = """[...document.querySelectorAll("main *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest(".table, pre, svg"))
    .map((one) => one.outerHTML.slice(0, 120))"""
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


BOOTED = {"aliot": "boot", "device_name": DN, "mac": "240ac45e0001", "nvs": "ok", "littlefs": "ok"}
PRINTED = [BOOTED, {"aliot": "wifi", "network": "emulated", "up": True}, {"aliot": "connected", "port": 443}]


def put_board(cloud):
    """A board of the simulator that has printed something; it has no process."""
    simulator = cloud.server.console.simulator
    board = simulator.new("unique", PK, DN)
    lines = "".join(json.dumps(one) + "\r\n" for one in PRINTED)
    for event in ({"ready": ""}, {"power": True}, {"console": lines}):
        board.take(json.dumps(event).encode())
    simulator.boards[board.number] = board


def put_batch(cloud):
    """A package, and a batch of it for a share of the devices."""

    def call(action, **values):
        return cloud.admin("POST", f"/api/{action}", {"ProductKey": PK, **values})["Data"]

    async def inform():
        for device in list(cloud.instance.registry.products[PK].devices.values()):
            cloud.instance.ota.campaigns.inform(device, "default", "1.0.0")

    cloud.call(inform())
    given = call("GenerateOTAUploadURL", FileSuffix="bin")
    cloud.admin("POST", f"/ota/uploads/{given['Key']}", "the bytes of a release")
    values = {"FirmwareName": "Release", "DestVersion": "2.0.0", "NeedToVerify": False}
    made = call("CreateOTAFirmware", FirmwareUrl=given["FirmwareUrl"], SignMethod="SHA256", **values)
    NAMES["firmware"] = made["FirmwareId"]
    grey = {"TargetSelection": "GRAY", "GrayPercent": 5, "NeedConfirm": True}
    NAMES["job"] = call("CreateOTAStaticUpgradeJob", FirmwareId=made["FirmwareId"], **grey)["JobId"]


def envelope(params):
    return json.dumps({"id": "1", "version": "1.0", "params": params}).encode()


@pytest.fixture(scope="module")
def looked_at(cloud, chromium, tmp_path_factory):
    """(a page of a browser that is in the console, the console's origin); the cloud has something to show."""
    cloud.admin("POST", f"/products/{PK}/tsl", TSL)
    names = [f"dev_{number:04}" for number in range(2, 140)]
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": names})
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as device:
        device.subscribe(USER + "get", T + "thing/event/property/post_reply")
        for number in range(5):
            device.send(Publish(USER + "up", b'{"n":%d}' % number, 0))
            posted = {"Temp": 20 + number, "Switch": 1, "Place": {"x": number}}
            device.send(Publish(T + "thing/event/property/post", envelope(posted), 0))
        device.send(Publish(T + "thing/event/alarm/post", envelope({"errorCode": "E1", "level": 2}), 0))
        cloud.admin("POST", "/publish", {"topic": USER + "get", "payload": '{"hello": "board"}'})
        subdevice = {"product_key": SPK, "device_name": "sub_0001"}
        cloud.admin("POST", f"/devices/{GPK}/{GDN}/topology", {"subdevices": [subdevice]})
        device.send(Publish(f"/{PK}/other/user/x", b"1", 0))
        device.send(Publish(T + "thing/network/abc", b"{}", 0))
        cloud.arm("mqtt_tcp", "ping", "delay", times=None, pk=PK, dn=DN)
        cloud.arm("https", "register", "cut", bytes=40, after=3)
        put_board(cloud)
        put_batch(cloud)
        maker = Factory(cloud, tmp_path_factory.mktemp("factory"))
        maker.register()
        maker.bind(0x9DC60FB736F3AD, XDN, XPK)
        with opened(chromium, viewport=WIDE) as browser:
            visitor = Visitor(cloud)
            browser.goto(visitor.address())
            yield browser, visitor.origin


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_in_both_themes_and_fits_a_narrow_screen(looked_at, path):
    browser, origin = looked_at
    names = OTHERS.get(path, NAMES)
    filled = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        browser.emulate_media(color_scheme=theme)
        browser.set_viewport_size(WIDE)
        assert browser.goto(origin + filled).ok
        for details in browser.locator("main details > summary").all():
            details.click()
        found = Axe().run(browser, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        name = re.sub(r"\W+", "-", path).strip("-") or "overview"
        browser.screenshot(path=PICTURES / f"{name}-{theme}.png", full_page=True)
    browser.set_viewport_size(NARROW)
    width = browser.evaluate("document.documentElement.scrollWidth")
    assert width <= NARROW["width"], browser.evaluate(WIDEST)
    browser.screenshot(path=PICTURES / f"{name}-narrow.png", full_page=True)


def test_the_theme_that_was_chosen_wins(looked_at):
    browser, origin = looked_at
    browser.emulate_media(color_scheme="light")
    browser.goto(origin)
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.get_by_role("button", name="Dark").click()
    browser.locator("html[data-theme=dark]").wait_for()
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") != light
    browser.get_by_role("button", name="Auto").click()
    browser.locator("html[data-theme=auto]").wait_for()


def test_the_keyboard_reaches_the_content_first(looked_at):
    browser, origin = looked_at
    browser.goto(origin + "/products")
    browser.keyboard.press("Tab")
    browser.keyboard.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "main"
