"""Each way in of the README, walked through in the console as the platform's documents have it, with a real board."""

import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from host_tests.support.browser import opened
from host_tests.support.cloud import x509
from host_tests.support.cloud.console import Visitor
from host_tests.support.cloud.walker import Walker
from host_tests.support.packages import firmware_tree
from tools.firmware import FOLDER
from tools.image import updates
from tools.ota import package
from tools.ota.manifest import Manifest

CLOUD = {
    "instance": {
        "kind": "enterprise",
        "id": "iot-06walked",
        "region": "cn-shanghai",
        "centres": ["ap-southeast-1", "eu-central-1"],
    }
}
UNITS = 5
THERMOSTAT = FOLDER / "examples" / "thermostat"
NEEDLESS = ("gateway", "id2", "x509", "bootstrap", "thing", "services", "registration")


@pytest.fixture(scope="module")
def entered(cloud, chromium):
    """A walker who has opened the console."""
    with opened(chromium, viewport={"width": 1280, "height": 900}) as browser:
        visitor = Visitor(cloud)
        browser.goto(visitor.address())
        yield Walker(browser, visitor.origin)


@pytest.fixture
def walker(entered, cloud, request):
    """The walker at the begin of a walk; its boards end with it, and their consoles are shown when it fails."""
    entered.name = request.node.name.removeprefix("test_")[:40]
    simulator = cloud.server.console.simulator
    yield entered
    for board in simulator.boards.values():
        print(board.number, board.kind, board.status, board.console()[-3000:])
    cloud.call(simulator.stop())


def test_unique_certificate(walker):
    """Create the device, burn its certificate; its messages are seen, and a property that is set is answered."""
    pk = walker.product("Thermostat")
    walker.unfold("Import TSL")
    walker.fill("/tsl", tsl=upload("model.json", (THERMOSTAT / "model.json").read_bytes()))
    walker.click("Import TSL", "form[action$='/tsl']")
    walker.sees("The model has 3 properties, 1 events and 1 services.")
    walker.devices(pk, "hall-0001")
    number = walker.board(pk, device_name="hall-0001", application="thermostat")
    walker.comes_online(pk, "hall-0001")
    walker.open("products", pk, "devices", "hall-0001", "messages")
    walker.sees('"Temperature"')
    walker.picture("messages")
    walker.open("products", pk, "devices", "hall-0001", "model")
    walker.unfold("Set properties")
    walker.fill("/model/set", Target="23")
    walker.click("Set properties", "form[action$='/model/set']")
    walker.sees("the device answered with code 200")
    walker.sees("23.0", "[data-region='properties']")
    walker.open("simulator", number)
    walker.sees('"aliot":"connected"')
    walker.click("Cut power")
    walker.sees("Off", "[data-region='state']")
    walker.click("Power on")
    walker.comes_online(pk, "hall-0001")
    walker.open("simulator", number)
    walker.click("Take Wi-Fi away")
    walker.sees('"code":"wifi', "[data-region='console']")
    walker.click("Bring Wi-Fi back")
    walker.sees("connected", "[data-region='state']")
    walker.picture("board")


@pytest.mark.parametrize("kind", ["https", "mqtt"])
def test_per_product(walker, kind):
    """Dynamic Registration is switched on with its confirmation, the DeviceName is there before the board."""
    pk = walker.product(f"Gauge {kind}")
    walker.devices(pk, "gauge-0001")
    number = walker.board(pk, kind=kind, device_name="gauge-0001")
    walker.sees(re.compile("refused|offline|error"), "[data-region='state']")  # it is still off
    walker.open("products", pk)
    walker.confirm("/dynamic_registration")
    walker.sees("Dynamic registration is on")
    walker.picture("switch")
    walker.open("simulator", number)
    walker.click("Cut power")
    walker.sees("Off", "[data-region='state']")
    walker.click("Power on")
    walker.comes_online(pk, "gauge-0001")
    walker.sees("closed: the device is activated")


def test_preregistration_free(walker):
    """Five units of one DeviceName; one stays by Switch, then all are forgotten by Clear."""
    pk = walker.product("Scale")
    walker.open("products", pk)
    walker.confirm("/dynamic_registration")
    walker.sees("Dynamic registration is on")
    walker.confirm("/preregistration_free")
    walker.sees("may now register with a ClientID")
    numbers = [walker.board(pk, kind="regnwl", device_name="scale-0001") for _ in range(UNITS)]
    for number in numbers:
        walker.open("simulator", number)
        walker.sees('"aliot":"connected"')
    walker.remove(*numbers[1:])
    walker.open("products", pk)
    walker.sees("A device under the current product has two ClientIDs.")
    walker.browser.get_by_role("link", name="View scale-0001").click()
    assert walker.browser.locator("section:has(#clients) tbody tr").count() == UNITS
    walker.picture("units")
    walker.confirm("/clients/switch")
    walker.sees("is the valid one now.")
    assert walker.browser.get_by_text("Blocked", exact=True).count() == UNITS - 1
    walker.confirm("/clients/clear")
    walker.sees("All ClientIDs were cleared.")
    walker.sees("No unit has registered under this name yet.")


def test_gateway(walker):
    """A gateway registers, attaches and logs in its sub-devices."""
    hub, probe = walker.product("Hub", node="gateway"), walker.product("Probe", node="subdevice")
    walker.devices(hub, "hub-0001")
    walker.devices(probe, "probe-0001", "probe-0002")
    walker.confirm("/dynamic_registration")
    walker.board(hub, device_name="hub-0001", subdevices=f"{probe} probe-0001\n{probe} probe-0002")
    walker.comes_online(probe, "probe-0002")
    walker.open("products", hub, "devices", "hub-0001", "subdevices")
    walker.sees(re.compile("probe-0001.*probe-0002", re.S))
    walker.picture("topology")


def test_id2(walker):
    """An ID² is created and burned; another board is provisioned with one at its first boot."""
    pk = walker.product("Lock", auth="id2")
    walker.open("id2")
    walker.unfold("Create identities")
    walker.fill("/id2", product_key=pk, count="1")
    walker.click("Create identities", "form[action='/id2']")
    walker.sees("1 identities are created.")
    id2 = walker.browser.locator("section:has(#identities) td code").first.inner_text()
    walker.board(pk, device_name="lock-0001", id2=id2)
    walker.board(pk, kind="id2_token", device_name="lock-0002")
    walker.sees("connected", "[data-region='state']")
    for name in ("lock-0001", "lock-0002"):
        walker.comes_online(pk, name)
    walker.open("id2")
    walker.sees("lock-0001")
    walker.picture("identities")


def test_centres(walker):
    """Smart Living: a board that was burned for one region asks where its device is at home."""
    pk = walker.product("Plug")
    walker.devices(pk, "plug-0001")
    walker.open("products", pk, "devices", "plug-0001")
    walker.fill("/centre", region="eu-central-1")
    walker.click("Assign")
    walker.sees("at home in eu-central-1 now")
    number = walker.board(
        pk, device_name="plug-0001", auth="https", bootstrap="region", region="ap-southeast-1"
    )
    walker.sees("eu-central-1", "[data-region='console']")
    walker.comes_online(pk, "plug-0001")
    walker.open("simulator", number)
    walker.picture("board")


def test_certificate(walker, tmp_path):
    """A CA is registered with its code, the serial associated by CSV, and a board connects with its certificate."""
    pk = walker.product("Meter", auth="x509")
    walker.devices(pk, "meter-0001")
    walker.open("certificates")
    walker.click("Get the registration code")
    walker.sees("The registration code is below.")
    code = walker.browser.locator("section:has(#code) code").first.inner_text()
    ca = x509.root("Walked CA")
    walker.unfold("Register CA Certificate")
    walker.fill(
        "/certificates",
        name="Walked_CA",
        certificate=upload("ca.cer", x509.pem(ca)),
        verification=upload("verify.cer", x509.pem(x509.proof(code, ca))),
    )
    walker.click("Register CA Certificate", "form[action='/certificates']")
    walker.sees("CA Walked_CA is registered.")
    device = x509.leaf(ca, 0x9DC60FB736F3AD)
    walker.unfold("Associate SN and device")
    row = f"ProductKey,DeviceName,CertSN\r\n{pk},meter-0001,{device.serial_number:X}\r\n"
    walker.fill("/association", csv=upload("association.csv", row))
    walker.click("Associate SN and device", "form[action$='/association']")
    walker.sees("1 device certificates are associated.")
    walker.picture("associated")
    _, key = x509.files(tmp_path, device)
    pair = {"certificate": upload("m.cer", x509.pem(device)), "private_key": upload("m.key", key.read_text())}
    walker.board(pk, device_name="meter-0001", **pair)
    walker.comes_online(pk, "meter-0001")
    walker.picture("device")


def upload(name, data):
    """A file as a browser's dialogue gives it."""
    return {
        "name": name,
        "mimeType": "text/plain",
        "buffer": data if isinstance(data, bytes) else data.encode(),
    }


def test_update(walker):
    """A package goes to the product's devices as a grey release, and the board runs the new release."""
    pk = walker.product("Pump")
    walker.devices(pk, "pump-0001")
    key = rsa.generate_private_key(updates.EXPONENT, 2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    walker.board(pk, device_name="pump-0001", application="updates", ota_key=upload("ota.pub", public))
    walker.comes_online(pk, "pump-0001")
    walker.open("products", pk, "devices", "pump-0001", "tasks")
    walker.sees("1.0.0", "[data-region='tasks']")
    walker.open("ota")
    walker.unfold("Add update package")
    data = upload("pump.bin", release(key, pk))
    walker.fill("/ota/packages", name="Pump 2", product=pk, version="2.0.0", file=data, verify=False)
    walker.click("Add update package", "form[action='/ota/packages']")
    walker.sees("The package of version 2.0.0 was added")
    walker.unfold("Static batch")
    form = "form:has([value='static'])"
    walker.browser.locator(f"{form} [value='GRAY']").check()
    walker.browser.locator(f"{form} [name='percent']").fill("50")
    walker.click("Static batch", form)
    walker.sees("The batch was created.")
    walker.browser.locator("[data-region='rows'] progress").wait_for()
    walker.picture("progress")
    walker.sees("Updated", "[data-region='rows']")
    walker.open("products", pk, "devices", "pump-0001")
    walker.sees("2.0.0")


def release(key, pk):
    """The bytes of release 2.0.0 of the example updates.py, signed."""
    tree = firmware_tree(NEEDLESS)
    tree["main.py"] = (FOLDER / "examples" / "updates.py").read_bytes()
    head = Manifest("2.0.0", 2, package.mpy_version(tree), 1, "1.24", (pk,))
    return package.pack(tree, head).signed(key).encode()


def test_fault(walker):
    """A fault is armed, strikes a board that connects, and the board comes back by itself."""
    pk = walker.product("Fan")
    walker.devices(pk, "fan-0001")
    walker.board(pk, device_name="fan-0001")
    walker.comes_online(pk, "fan-0001")
    walker.open("faults")
    for link in ("MQTT over TLS", "accept", "reset"):
        walker.browser.locator("section:has(#arm) a").filter(has_text=link).first.click()
    walker.fill("/reset", times="2")
    walker.click("Arm")
    walker.sees("is armed. It strikes the first that fits.")
    walker.picture("armed")
    walker.open("products", pk, "devices", "fan-0001")
    walker.click("End its connection")
    walker.sees("The connection of fan-0001 was ended.")
    walker.open("faults")
    walker.sees("reset", "[data-region='fired'] tbody")
    walker.sees("No fault is armed.", "[data-region='armed']")
    walker.picture("fired")
    walker.comes_online(pk, "fan-0001")
