"""As many sub-devices as the platform takes, through one board, with the platform's rates on."""

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.gateways import GATEWAYS, GatewayFleet, gateway_config

COUNT = 1500
FLEET = GatewayFleet
CLOUD = gateway_config({"login_rate": "refuse", "uplink_rate": "drop"}, count=COUNT + 1)
STEPS = """
import gc
from aliot.errors import LinkError
for at in range(0, {count}, 250):
    some = sub(*range(at, at + 250))
    failed = gateway.register(some) + gateway.attach(some)
    report(app="some", failed=refusals(failed))
counted = [0, 0]
def each(product_key, device_name):
    counted[0] += 1
    counted[1] += product_key == KEY and device_name[:7] == "sensor-"
report(app="listed", listed=gateway.topology(each), counted=counted)
failed = gateway.register(sub({count}))
"""


@MICROPYTHON
def test_1500_are_registered_attached_online_and_after_a_power_cut_online_again(fleet, cloud):
    # a payload that 30 items of a topology request fit into keeps the test short; the bench has the default
    board = fleet.board(STEPS.format(count=COUNT), payload=8000, heap="320K")
    board.start()
    listed = board.wait_line('"listed"', 90)
    assert f'"listed": {COUNT}' in listed and f'"counted": [{COUNT}, {COUNT}]' in listed
    assert not any('"failed": [[' in line for line in board.run.lines)
    assert '"gateway.full"' in board.wait_line('"app": "failed"')
    board.power_off()
    board.start()
    state = board.wait_for(lambda state: state["aliot"] == "subdevices", 90)
    assert state["online"] == state["attached"] == state["stored"] == COUNT
    assert fleet.asked(board, "sub_register") == fleet.asked(board, "topo_add") == [200] * (COUNT // 250 * 9)
    assert set(fleet.asked(board, "sub_batch_login")) == {200}
    assert cloud.device(GATEWAYS, board.device_name)["subdevices"] == COUNT
