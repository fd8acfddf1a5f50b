"""As many sub-devices as the platform takes, through one board, with the platform's rates on."""

import pytest

from host_tests.support import gateways as sites
from tools.emulator.cloud.process import Cloud

COUNT = 1500
STEPS = """
import gc
from aliot.errors import LinkError
for at in range(0, {count}, 250):
    some = sub(*range(at, at + 250))
    failed = gateway.register(some) + gateway.attach(some)
    say(app="some", failed=told(failed))
counted = [0, 0]
def each(product_key, device_name):
    counted[0] += 1
    counted[1] += product_key == KEY and device_name[:7] == "sensor-"
say(app="listed", listed=gateway.topology(each), counted=counted)
failed = gateway.register(sub({count}))
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    switches = {"login_rate": "refuse", "uplink_rate": "drop"}
    with Cloud(sites.config(switches, count=COUNT + 1), tmp_path_factory.mktemp("cloud")) as running:
        yield running


def test_1500_are_registered_attached_online_and_after_a_power_cut_online_again(chips, cloud):
    # a payload that 30 items of a topology request fit into keeps the test short; the bench has the default
    board = chips.gateway(STEPS.format(count=COUNT), payload=8000, heap="320K")
    board.start()
    listed = board.wait_line('"listed"', 90)
    assert f'"listed": {COUNT}' in listed and f'"counted": [{COUNT}, {COUNT}]' in listed
    assert not any('"failed": [[' in line for line in board.run.lines)
    assert '"gateway.full"' in board.wait_line('"app": "failed"')
    board.power_off()
    board.start()
    state = board.wait_for(lambda state: state["aliot"] == "subdevices", 90)
    assert state["online"] == state["attached"] == state["stored"] == COUNT
    assert chips.asked(board, "sub_register") == chips.asked(board, "topo_add") == [200] * (COUNT // 250 * 9)
    assert set(chips.asked(board, "sub_batch_login")) == {200}
    assert cloud.device(sites.GATEWAYS, board.name)["subdevices"] == COUNT
