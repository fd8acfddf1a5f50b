"""Sub-devices registered, attached and online through an emulated board, against the emulated cloud."""

import pytest

from host_tests.support.gateways import SENSORS, done, fresh, sensor

ONLINE = """
say(app="brought", failed=told(gateway.bring_online(sub({0}, {1}, {2}))))
for name in sub({0}, {1}, {2}):
    gateway.publish(name, "thing/event/property/post", '{{"id":"1","version":"1.0","params":{{"T":20}}}}', 1)
"""


def properties(cloud, number):
    return cloud.device(SENSORS, sensor(number))["properties"]


def test_registered_attached_online_a_property_each_and_again_after_a_power_cut(site, cloud):
    numbers = fresh(3)
    board = site.gateway(ONLINE.format(*numbers))
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    assert [site.status(number) for number in numbers] == ["online"] * 3
    assert all("T" in str(properties(cloud, number)) for number in numbers)
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert site.asked(board, "sub_register") == site.asked(board, "topo_add") == [200]
    assert site.asked(board, "sub_batch_login") == [200, 200]


@pytest.mark.parametrize("way", ["https", "mqtt"])
def test_a_gateway_that_registers_itself_first(chips, way):
    numbers = fresh(3)
    board = chips.gateway(ONLINE.format(*numbers), way=way)
    board.start()
    assert done(board)["online"] == 3, board.run.lines
    board.power_off()
    board.start()
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 3, 60)
    assert not board.run.state("registering") and chips.asked(board, "sub_register") == [200]
