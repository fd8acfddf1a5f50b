"""OTA: packages, batches of each kind, and the tasks of devices, by the pages."""

import json
import re

import pytest

from host_tests.emulator.cloud.console.test_overview import events
from host_tests.support.cloud.client import DN, PK, connect_packet, settings
from tools.emulator.cloud.codec import Publish

NAMES = [f"pump-{number:03}" for number in range(100)]
CLOUD = settings(device=[{"device_name": name} for name in (DN, *NAMES)])
CLOUD["product"][0]["device"][0]["device_secret"] = "0123456789abcdef0123456789abcdef"
FILE = b"firmware " * 1000


@pytest.fixture
def add(visitor):
    """Adds a package; the address of its page, and the page."""

    def add(version, **more):
        fields = {"product": PK, "name": f"pump {version}", "version": version, **more}
        page = visitor.post("/ota/packages", files={"file": ("pump.bin", FILE)}, **fields)
        assert page.notices == [f"The package of version {version} was added, {len(FILE)} bytes."]
        return found(page, r'action="(/ota/packages/\w+)/delete"'), page

    return add


def found(page, pattern):
    return re.search(pattern, page.html)[1]


@pytest.fixture(scope="module")
def reported(cloud):
    """All devices have reported version 1.0.0."""

    async def inform():
        for name in (DN, *NAMES):
            cloud.instance.ota.campaigns.inform(cloud.instance.registry.find(PK, name), "default", "1.0.0")

    cloud.call(inform())


def start(visitor, package, kind, **fields):
    """The address of a batch, and its page."""
    page = visitor.post(f"{package}/batches", kind=kind, **fields)
    assert page.notices == ["The batch was created."], page.notices
    return found(page, r'action="(/ota/batches/\w+)/cancel"'), page


def test_a_package_has_its_digest_and_is_in_the_list(visitor, add):
    _, page = add("2.0.0", verify="1", sign_method="MD5", udi="for the pump")
    assert re.search(r"pump\.bin|\d\.bin|KB, MD5", page.text)
    assert "not verified" in page.text
    assert "for the pump" in page.text
    assert "pump 2.0.0" in visitor.get("/ota", search="PUMP 2.0").text
    assert "No package fits the search." in visitor.get("/ota", search="nothing").text


def test_what_is_no_package_is_refused_with_what_was_typed(visitor):
    files = {"file": ("pump.bin", FILE)}
    page = visitor.post("/ota/packages", files=files, product=PK, name="x", version="not a version")
    assert "(ParameterError)" in page.notices[0]
    assert 'value="not a version"' in page.html
    page = visitor.post("/ota/packages", product=PK, name="x", version="1.0")
    assert page.notices == ["Choose the file of the package."]
    assert visitor.get("/ota/packages/x").status == visitor.get("/ota/batches/x").status == 404


def test_a_package_is_verified_before_it_goes_to_many(cloud, visitor, reported, add):
    package, _ = add("2.1.0", verify="1")
    page = visitor.post(f"{package}/batches", kind="static", selection="ALL")
    assert "is not verified" in page.notices[0]
    batch, page = start(visitor, package, "verify", names=NAMES[0])
    assert "Verification batch" in page.text
    assert NAMES[0] in page.text

    async def succeed():
        device = cloud.instance.registry.find(PK, NAMES[0])
        cloud.instance.ota.campaigns.inform(device, "default", "2.1.0")
        cloud.instance.ota.campaigns.inform(device, "default", "1.0.0")

    cloud.call(succeed())
    assert "Updated" in visitor.get(batch).text
    assert "Status: verified" in visitor.get(package).text


def test_a_grey_release_has_its_share_and_waits_for_a_person(visitor, reported, add):
    package, _ = add("2.2.0")
    batch, page = start(visitor, package, "static", selection="GRAY", percent="10", confirm="1")
    assert re.search(r"Grey release 10.0 %", page.text)
    assert re.search(r"To be confirmed 10 ", page.text)
    task = found(page, r'name="task" value="(\w+)"')
    assert visitor.post(batch + "/confirm", task=task).notices == ["1 tasks were confirmed."]
    assert visitor.post(batch + "/confirm").notices == ["9 tasks were confirmed."]
    assert re.search(r"To be pushed 10 ", visitor.get(batch).text)
    assert visitor.post(batch + "/cancel", QUEUED="1").notices == ["The tasks were cancelled."]
    page = visitor.get(batch)
    assert re.search(r"Cancelled 10 ", page.text)
    assert "No device here." in visitor.get(batch, status="QUEUED").text


def test_a_batch_of_many_is_shown_in_pages_and_one_device_is_cancelled(visitor, reported, add):
    package, _ = add("2.3.0")
    batch, page = start(visitor, package, "static", rate="5", timeout="60", retries="1", retry_after="10")
    assert "Page 1 of 3" in page.text
    assert visitor.post(batch + "/cancel_device", device_name=NAMES[1]).notices == [
        "The tasks were cancelled."
    ]
    assert re.search(r"To be pushed 100 .* Cancelled 1 ", visitor.get(batch).text)
    assert (
        visitor.post(package + "/delete").notices[0].startswith("a batch of this package is not at its end")
    )
    visitor.post(batch + "/cancel", QUEUED="1")
    assert visitor.post(package + "/delete").notices == ["The package was deleted."]


def test_a_dynamic_batch_waits_for_devices_until_it_is_ended(visitor, reported, add):
    package, _ = add("2.4.0")
    assert "SrcVersion is missing" in visitor.post(f"{package}/batches", kind="dynamic").notices[0]
    batch, page = start(visitor, package, "dynamic", sources="0.9.0", later_only="1")
    assert "A dynamic batch waits for devices" in page.text
    assert visitor.post(batch + "/close").notices == ["The batch takes no more devices."]
    assert "Cancelled" in visitor.get(batch).text


REFUSED = [
    ({"kind": "other"}, "other cannot be chosen."),
    ({"kind": "static", "rate": "x"}, "x is not a whole number."),
    ({"kind": "static", "rate": "5000"}, "MaximumPerMinute must be 0 to 1000"),
    ({"kind": "static", "selection": "GRAY", "percent": "0"}, "GrayPercent must be above 0"),
    ({"kind": "static", "selection": "SPECIFIC"}, "TargetDeviceName goes with TargetSelection"),
    ({"kind": "static", "minutes": "1"}, "ScheduleTime must be 5 minutes to 7 days ahead"),
    ({"kind": "static", "selection": "SPECIFIC", "names": "nobody"}, "there is no device nobody"),
]


@pytest.mark.parametrize(("form", "sentence"), REFUSED)
def test_a_batch_that_cannot_be_is_refused(visitor, reported, add, form, sentence):
    package, _ = add(f"3.{REFUSED.index((form, sentence))}.0")
    assert sentence in visitor.post(f"{package}/batches", **form).notices[0]


def test_a_device_s_progress_is_seen_at_once(cloud, visitor, reported, add):
    package, _ = add("4.0.0")
    batch, _ = start(visitor, package, "static", selection="SPECIFIC", names=DN)
    seen = events(visitor, batch, "rows")
    assert "To be pushed" in next(seen)
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3", extra="_ss=1")) as device:
        step = {"id": "1", "params": {"step": "35", "desc": "", "module": "default"}}
        device.send(Publish(f"/ota/device/progress/{PK}/{DN}", json.dumps(step).encode(), 0))
        assert any("35 %" in html and "Updating" in html for html in seen)
        version = {"id": "2", "params": {"version": "4.0.0"}}
        device.send(Publish(f"/ota/device/inform/{PK}/{DN}", json.dumps(version).encode(), 0))
        assert any("Updated" in html for html in seen)
