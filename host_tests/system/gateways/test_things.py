"""Things of sub-devices on an emulated board, against the emulated cloud: posts, packs, history, what is set."""

from host_tests.support.fleet import printed, until
from host_tests.support.gateways import GATEWAYS, SENSORS, GatewayFleet, done, fresh, sensor

FLEET = GatewayFleet
HEAP = "160K"  # a gateway with Things of sub-devices is for a board with PSRAM
THINGS = """
from aliot.gateway.subdevice import Subdevice
from aliot.thing import Thing
from aliot.thing.packs import Pack
own = Thing(device)
one, two = [Thing(Subdevice(gateway, *name)) for name in sub({0}, {1})]
pack = Pack(gateway)
@one.property("Switch")
def switch(value):
    report(app="set", value=value)
def settle(*things):
    for thing in things:
        while not thing.poll(20) or len(thing.outbox):
            own.poll(0)
"""
STEPS = """
report(app="early", sent=one.post(T=1))
report(app="brought", failed=refusals(gateway.bring_online(sub({0}, {1}))))
settle(one, two)
report(app="packed", pack=[pack.post(own, Own=5), pack.post(one, T=2), pack.event(two, "Alarm", code=3), pack.send()])
settle(one, two, own)
gateway.logout(sub({1}))
report(app="late", sent=[two.post(T=6), two.post(T=7)])
gateway.login(sub({1}))
settle(one, two)
"""


def test_posts_packs_history_and_what_is_set_of_sub_devices(fleet, cloud):
    first, second = fresh(2)
    board = fleet.board(
        STEPS.format(first, second),
        prepare=THINGS.format(first, second),
        serve="one.poll(20), own.poll(0)",
        heap=HEAP,
    )
    board.start()
    assert done(board, 120)["online"] == 2, board.run.lines
    assert not printed(board, "early")[0]["sent"] and printed(board, "packed")[0]["pack"] == [True] * 4
    assert printed(board, "late")[0]["sent"] == [False, False] and not board.run.state("error")
    assert value(cloud, SENSORS, sensor(first), "T") == 2
    assert value(cloud, SENSORS, sensor(second), "T") == 7
    assert value(cloud, GATEWAYS, board.device_name, "Own") == 5
    assert fleet.asked(board, "pack_post") == [200]
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(first)}/property", {"params": {"Switch": 1}})
    board.wait_line('"app": "set"')
    until(board, lambda: value(cloud, SENSORS, sensor(first), "Switch") == 1)
    cloud.act(GATEWAYS, board.device_name, "kick", {})
    board.wait_for("offline")
    board.wait_for(lambda state: state["aliot"] == "subdevices" and state["online"] == 2, 60)
    cloud.admin("POST", f"/devices/{SENSORS}/{sensor(first)}/property", {"params": {"Switch": 0}})
    board.wait_line('"value": 0')
    assert not board.run.state("error"), board.run.lines


def value(cloud, product, name, identifier):
    return cloud.device(product, name)["properties"].get(identifier)
