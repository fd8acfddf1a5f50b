"""Gateways that prove themselves with a certificate or an ID²: to their sub-devices it makes no difference."""

import secrets

import pytest

from host_tests.support.fleet import until
from host_tests.support.gateways import SENSORS, GatewayFleet, done, fresh, gateway_config, sensor
from host_tests.support.id2 import Id2Fleet
from host_tests.support.x509 import PrivateCa, X509Fleet
from host_tests.system.gateways.test_online import ONLINE, properties
from tools.image import identity

CERTIFIED, OF_ID2 = "a1GatesX509", "a1GatesId2x"
FLEET = GatewayFleet
CLOUD = gateway_config(
    count=100,
    extra=[
        {"product_key": key, "auth": auth, "node": "gateway"}
        for key, auth in ((CERTIFIED, "x509"), (OF_ID2, "id2"))
    ],
)
HEAPS = {CERTIFIED: "112K", OF_ID2: "124K"}  # an ID² has no TLS beside it
ECHO = 'gateway.subscribe("user/get", lambda name, topic, payload: gateway.publish(name, "user/update", payload, 1))'


@pytest.fixture(scope="module")
def ca(cloud, tmp_path_factory):
    return PrivateCa(cloud, tmp_path_factory.mktemp("ca"))


@pytest.fixture
def burned(cloud, ca, tmp_path):
    """`burned(product)`: (ProductKey, DeviceName, Identity) of a new gateway of that product."""

    def of(product):
        name = "gw-" + secrets.token_hex(6)
        if product == CERTIFIED:
            return product, name, X509Fleet(cloud, tmp_path).certified(ca.issue(name, product))
        given = Id2Fleet(cloud, tmp_path).identity(product)
        return (
            product,
            name,
            identity.parse({"way": "id2", "product_key": product, "device_name": name, **given}),
        )

    return of


@pytest.mark.parametrize("product", [CERTIFIED, OF_ID2])
def test_registered_attached_online_a_property_each_and_again_after_a_power_cut(
    fleet, cloud, burned, product
):
    numbers = fresh(3)
    board = fleet.board(ONLINE.format(*numbers), prepare=ECHO, burned=burned(product), heap=HEAPS[product])
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    assert [fleet.status(number) for number in numbers] == ["online"] * 3
    assert all("T" in str(properties(cloud, number)) for number in numbers)
    assert cloud.device(product, board.device_name)["status"] == "online"
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert board.run.state("boot")["device_name"] == board.device_name and not board.run.state("stored")
    assert fleet.asked(board, "sub_register") == fleet.asked(board, "topo_add") == [200]
    assert fleet.asked(board, "sub_batch_login") == [200, 200]
    hears_and_answers(cloud, board, numbers[0])


def hears_and_answers(cloud, board, number):
    name, topic = f"pk={SENSORS}&dn={sensor(number)}", f"/{SENSORS}/{sensor(number)}/user"
    cloud.admin("POST", "/publish", {"topic": f"{topic}/get", "payload": "echo"})
    until(board, lambda: cloud.admin("GET", f"/messages?{name}&topic={topic}/update"))
