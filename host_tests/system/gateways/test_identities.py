"""Gateways that prove themselves with a certificate or an ID²: to their sub-devices it makes no difference."""

import secrets
import time

import pytest

from host_tests.support import gateways as sites
from host_tests.support.gateways import SENSORS, done, fresh, sensor
from host_tests.support.id2 import Units
from host_tests.support.x509 import Factory
from host_tests.system.gateways.test_online import ONLINE, properties
from tools.emulator.cloud.process import Cloud
from tools.image import identity

CERTIFIED, OF_ID2 = "a1GatesX509", "a1GatesId2x"
HEAPS = {CERTIFIED: "112K", OF_ID2: "124K"}  # an ID² has no TLS beside it
ECHO = 'gateway.subscribe("user/get", lambda name, topic, payload: gateway.publish(name, "user/update", payload, 1))'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    own = [
        {"product_key": key, "auth": auth, "node": "gateway"}
        for key, auth in ((CERTIFIED, "x509"), (OF_ID2, "id2"))
    ]
    with Cloud(sites.config(count=100, extra=own), tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def factory(cloud, tmp_path_factory):
    return Factory(cloud, tmp_path_factory.mktemp("factory"))


@pytest.fixture
def burned(cloud, factory, tmp_path):
    """`burned(product)`: (DeviceName, Identity) of a new gateway of that product."""

    def of(product):
        name = "gw-" + secrets.token_hex(6)
        if product == CERTIFIED:
            made = factory.issue(name, product)
            return name, identity.parse({"certificate": made.certificate_pem, "private_key": made.key_pem})
        given = Units(cloud, tmp_path, None).identity(product)
        return name, identity.parse({"way": "id2", "product_key": product, "device_name": name, **given})

    return of


@pytest.mark.parametrize("product", [CERTIFIED, OF_ID2])
def test_registered_attached_online_a_property_each_and_again_after_a_power_cut(site, cloud, burned, product):
    numbers = fresh(3)
    board = site.gateway(ONLINE.format(*numbers), prepare=ECHO, burned=burned(product), heap=HEAPS[product])
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    assert [site.status(number) for number in numbers] == ["online"] * 3
    assert all("T" in str(properties(cloud, number)) for number in numbers)
    assert cloud.device(product, board.name)["status"] == "online"
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert board.run.state("boot")["device_name"] == board.name and not board.run.state("stored")
    assert site.asked(board, "sub_register") == site.asked(board, "topo_add") == [200]
    assert site.asked(board, "sub_batch_login") == [200, 200]
    hears_and_answers(cloud, board, numbers[0])


def hears_and_answers(cloud, board, number):
    name, topic = f"pk={SENSORS}&dn={sensor(number)}", f"/{SENSORS}/{sensor(number)}/user"
    cloud.admin("POST", "/publish", {"topic": f"{topic}/get", "payload": "echo"})
    ends = time.monotonic() + 30
    while not cloud.admin("GET", f"/messages?{name}&topic={topic}/update"):
        assert time.monotonic() < ends, board.run.lines[-20:]
        time.sleep(0.02)
