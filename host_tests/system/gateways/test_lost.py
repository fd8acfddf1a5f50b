"""A reply that is lost, and a connection that is lost, at each step: the gateway comes through."""

import pytest

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.gateways import GatewayFleet, becomes, done, fresh

FLEET = GatewayFleet
# every request that a gateway knows, some of them twice over what is left to be done
EVERYTHING = """
def again(action, *arguments):
    while True:
        try:
            return action(*arguments)
        except LinkError:
            while not gateway.poll(20):
                pass
from aliot.errors import LinkError
one, two = sub({0}), sub({1}, {2})
failed = again(gateway.register, one) + again(gateway.register_with_product_secret, two)
failed += again(gateway.attach, one + two) + again(gateway.login, one + two)
listed = sorted(again(gateway.topology))
failed += again(gateway.found, one) + again(gateway.logout, two) + again(gateway.detach, two)
report(app="through", failed=refusals(failed), listed=[name[1] for name in listed])
"""
STAGES = {
    "sub_register": 1,
    "proxy_register": 1,
    "topo_add": 1,
    "sub_batch_login": 1,
    "topo_get": 1,
    "list_found": 1,
    "sub_batch_logout": 1,
    "topo_delete": 1,
}


@pytest.mark.parametrize("processed", [True, False], ids=["reply", "request"])
def test_each_reply_is_lost_once(fleet, cloud, processed):
    numbers = fresh(3)
    board = fleet.board(EVERYTHING.format(*numbers), timeout=300)
    cloud.arm(
        *[
            {
                "where": "mqtt_tls",
                "when": stage,
                "kind": "silent",
                "processed": processed,
                "dn": board.device_name,
            }
            for stage in STAGES
        ]
    )
    board.start()
    printed = done(board)
    assert printed["online"] == 1 and printed["stored"] == 3, board.run.lines
    through = next(line for line in board.run.lines if '"through"' in line)
    assert '"failed": []' in through and all(f"sensor-{number:04}" in through for number in numbers)
    assert [fleet.status(number) for number in numbers] == ["online", "offline", "offline"]


@MICROPYTHON
@pytest.mark.parametrize("stages", [("sub_register", "proxy_register"), ("topo_add", "topo_delete")])
def test_the_connection_is_lost_at_each_step(fleet, cloud, stages):
    numbers = fresh(3)
    board = fleet.board(EVERYTHING.format(*numbers), timeout=300)
    for processed, stage in zip((True, False), stages):
        fault = {
            "where": "mqtt_tls",
            "when": stage,
            "kind": "close",
            "processed": processed,
            "dn": board.device_name,
        }
        cloud.arm(fault)
    board.start()
    printed = done(board)
    assert printed["stored"] == 3, board.run.lines
    becomes(fleet, numbers[0], "online")
    assert [fleet.status(number) for number in numbers[1:]] == ["offline", "offline"]
    assert len([state for state in board.run.states if state["aliot"] == "connected"]) == 3
