"""Sub-devices registered, attached and online through an emulated board, against the emulated cloud."""

import pytest

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.gateways import SENSORS, GatewayFleet, done, fresh, sensor

FLEET = GatewayFleet
ONLINE = """
report(app="brought", failed=refusals(gateway.bring_online(sub({0}, {1}, {2}))))
for name in sub({0}, {1}, {2}):
    gateway.publish(name, "thing/event/property/post", '{{"id":"1","version":"1.0","params":{{"T":20}}}}', 1)
"""


def properties(cloud, number):
    return cloud.device(SENSORS, sensor(number))["properties"]


def test_registered_attached_online_a_property_each_and_again_after_a_power_cut(fleet, cloud):
    numbers = fresh(3)
    board = fleet.board(ONLINE.format(*numbers))
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    assert [fleet.status(number) for number in numbers] == ["online"] * 3
    assert all("T" in str(properties(cloud, number)) for number in numbers)
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert fleet.asked(board, "sub_register") == fleet.asked(board, "topo_add") == [200]
    assert fleet.asked(board, "sub_batch_login") == [200, 200]


@MICROPYTHON
@pytest.mark.parametrize("kind", ["https", "mqtt"])
def test_a_gateway_that_registers_itself_first(fleet, kind):
    numbers = fresh(3)
    board = fleet.board(ONLINE.format(*numbers), kind=kind)
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert not board.run.state("registering") and fleet.asked(board, "sub_register") == [200]
