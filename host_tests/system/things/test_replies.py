"""Whatever happens to a reply: the device goes on, nothing is lost, and what is sent again is what it was."""

import json

from host_tests.support.things import ThingFleet, until

FLEET = ThingFleet
THING = """
from aliot.services import tags
from aliot.thing import Thing
served = thing = Thing(device)
"""
# fault of a reply: parameters, how often a post goes out, what the call of a service comes to
FAULTS = [
    ("late", {"ms": 1000}, 2, "thing.silent"),
    ("silent", {}, 2, "thing.silent"),
    ("twice", {}, 1, None),
    ("number_id", {}, 1, None),
    ("wrong_id", {}, 2, "thing.silent"),
    ("code", {"code": 500}, 2, "thing.500"),
    ("code", {"code": 460}, 1, "thing.460"),
    ("cut", {"bytes": 20}, 2, "offline"),
]


def test_faults_of_replies(fleet, cloud):
    board = fleet.board(THING)
    board.start()
    board.wait_line('"ready"')
    for number, (kind, parameters, sent, code) in enumerate(FAULTS):
        arm(fleet, board, "property/post_reply", kind, parameters)
        a_post(fleet, board, number, sent, lost=kind == "cut")
        arm(fleet, board, "deviceinfo/update_reply", kind, parameters)
        a_service(fleet, board, number, code)
    errors = [state["code"] for state in board.run.states if state["aliot"] == "error"]
    assert errors == ["thing.460"], "a post that is refused for good is reported"


def arm(fleet, board, topic, kind, parameters):
    stage = {"where": "mqtt_tls", "when": "reply", "topic": topic, "kind": kind}
    fleet.cloud.arm({**stage, "pk": board.product_key, "dn": board.device_name, **parameters})


def a_post(fleet, board, number, sent, lost):
    """It goes out `sent` times under one id and time, and then no more; the one that follows goes out once."""
    fleet.do(board, f"[thing.post(Count={number}), pass_time({0 if lost else 11})]")
    if lost:
        board.wait_for("connected")
    until(board, lambda: fleet.do(board, "[pass_time(6), len(thing.outbox)]")[1] == 0)
    assert fleet.do(board, f"thing.post(Count={100 + number})") is True
    until(board, lambda: fleet.value(board, "Count") == 100 + number)
    until(board, lambda: fleet.do(board, "[len(thing.outbox), thing.outbox.dropped]") == [0, 0])
    found = [(one["id"], one["params"]["Count"]) for one in posts(fleet, board)]
    mine = [one for one in found if one[1]["value"] == number]
    assert len(mine) == sent and mine == mine[:1] * sent
    assert len([one for one in found if one[1]["value"] == 100 + number]) == 1
    assert len({point for point in fleet.points(board, "Count") if point[1] == number}) == 1


def posts(fleet, board):
    return [json.loads(one["payload"]) for one in fleet.messages(board, "event/property/post")]


def a_service(fleet, board, number, code):
    """It comes to `code`, and succeeds when it is called again."""
    timeout = 300 if code == "thing.silent" else 20000
    assert fleet.do(board, f'tags.update(device, {{"a{number}": "1"}}, {timeout})') == code
    if code == "offline":
        board.wait_for("connected")
    assert fleet.do(board, f'tags.update(device, {{"b{number}": "1"}})') is None
    names = fleet.call(board, "QueryDeviceProp")["Props"]
    assert f"a{number}" in names and f"b{number}" in names
