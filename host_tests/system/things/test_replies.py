"""Whatever happens to a reply: the device goes on, nothing is lost, and what is sent again is what it was."""

import json

from host_tests.support.fleet import until
from host_tests.support.things import ThingFleet

FLEET = ThingFleet
THING = """
from aliot.services import tags
from aliot.services.shadow import Shadow
from aliot.thing import Thing
served = thing = Thing(device)
shadow = Shadow(device)
"""
# fault of a reply: parameters, how often a post goes out, what the call of a service comes to: tags, shadow
FAULTS = [
    ("late", {"ms": 1000}, 2, "thing.silent", "thing.silent"),
    ("silent", {}, 2, "thing.silent", "thing.silent"),
    ("twice", {}, 1, None, None),
    ("number_id", {}, 1, None, None),
    ("wrong_id", {}, 2, "thing.silent", None),  # a shadow's replies have versions, no ids
    ("code", {"code": 500}, 2, "thing.500", "shadow.500"),
    ("code", {"code": 460}, 1, "thing.460", "shadow.460"),
    ("cut", {"bytes": 20}, 2, "offline", "offline"),
]
TAGS, SHADOW = "tags.update(device, {{'{}': '1'}}, {})", "shadow.report({{'{}': '1'}}, {})"


def test_faults_of_replies(fleet, cloud):
    board = fleet.board(THING)
    board.start()
    board.wait_line('"ready"')
    for number, (kind, parameters, sent, of_tags, of_shadow) in enumerate(FAULTS):
        arm(fleet, board, "property/post_reply", kind, parameters)
        a_post(fleet, board, number, sent, lost=kind == "cut")
        arm(fleet, board, "deviceinfo/update_reply", kind, parameters)
        a_service(fleet, board, TAGS, number, of_tags)
        fleet.do(board, "shadow.get()")  # the version is known: the next reply is that of a report
        arm(fleet, board, f"shadow/get/{board.product_key}/{board.device_name}", kind, parameters)
        a_service(fleet, board, SHADOW, number, of_shadow)
    everything = {f"{name}{number}": "1" for name in "ab" for number in range(len(FAULTS))}
    assert fleet.call(board, "QueryDeviceProp")["Props"] == everything
    kept = json.loads(fleet.call(board, "GetDeviceShadow")["ShadowMessage"])
    assert kept["payload"]["state"]["reported"] == everything
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


def a_service(fleet, board, call, number, code):
    """It comes to `code`, although the platform did it, and succeeds when it is called again."""
    assert fleet.do(board, call.format(f"a{number}", 300 if code == "thing.silent" else 20000)) == code
    if code == "offline":
        board.wait_for("connected")
    assert fleet.do(board, call.format(f"b{number}", 20000)) is None
